"""The words that can stand for each kind of argument or option value.

A TAB should be quick, so what only few kinds of words need is imported by those.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailpolicy.cli import command_tree, completion_names
from mailpolicy.cli.command_line import Line
from mailpolicy.cli.command_tree import Command
from mailpolicy.cli.completion_names import FILES, Candidate, Values
from mailpolicy.cli.context import COLORS
from mailpolicy.policy.service import Service

SHELLS = ("bash", "zsh", "fish")


def values(line: Line, name: str, metavar: str) -> Iterable[Candidate] | str:
    """Return the words for an option or argument of the line's command."""
    found = VALUES.get(f"{line.path} {name}") or VALUES.get(name) or VALUES.get(metavar)
    return found(line) if found is not None else []


def commands_of(command: Command | None) -> list[Candidate]:
    """Return the subcommands of a command."""
    below = command.get("commands", {}) if command is not None else {}
    return [Candidate(name, inner["help"]) for name, inner in below.items()]


def _words(*words: str) -> Values:
    return lambda _line: [Candidate(word) for word in words]


def _commands(line: Line) -> list[Candidate]:
    command: Command | None = command_tree.program()
    for name in line.positionals:
        command = command.get("commands", {}).get(name) if command is not None else None
    return commands_of(command)


def _targets(_line: Line) -> list[Candidate]:
    from mailpolicy.export import TARGETS

    return [Candidate(name, target.description) for name, target in TARGETS.items()]


def _export_option(constant: str, *, first: int = 0) -> Values:
    """Return the values of an option of `export`, from the `first` one on, by the name of their constant."""

    def values(_line: Line) -> list[Candidate]:
        from mailpolicy.export import request

        return [Candidate(word) for word in getattr(request, constant)[first:]]

    return values


def _tls_modes(_line: Line) -> list[Candidate]:
    from mailpolicy.policy.source import Tls

    return [Candidate(mode) for mode in Tls]


def _auth_ways(_line: Line) -> list[Candidate]:
    from mailpolicy.policy.source import Auth

    return [Candidate(auth) for auth in Auth]


def _codes(_line: Line) -> list[Candidate]:
    from mailpolicy.diagnostics.rules import RULES

    return [Candidate(code, rule.name) for code, rule in RULES.items()]


def _keys(_line: Line) -> list[Candidate]:
    from mailpolicy.store import tables

    return [Candidate(key.replace("_", "-"), tables.SERVER[key][1].partition(";")[0]) for key in tables.SERVER_VALUES]


def _key_values(line: Line) -> list[Candidate]:
    from mailpolicy.store import values as allowed
    from mailpolicy.system import zones

    key = line.positionals[0].replace("-", "_")
    known = zones.known() if key == "time_zone" else allowed.CHOICES.get(key, ("on", "off"))
    return [Candidate(word) for word in known]


def _formats(line: Line) -> list[Candidate]:
    return [Candidate(name) for name in line.command["formats"]] if line.command is not None else []


def _files(_line: Line) -> str:
    return FILES


def _input_forms(_line: Line) -> list[Candidate]:
    from mailpolicy.provisioning.forms import FORMS

    return [Candidate(name) for name in FORMS]


def _nothing(_line: Line) -> list[Candidate]:
    return []


# By command and argument, else by option or argument, else by the option's metavar; every metavar is here.
VALUES: dict[str, Values] = {
    **dict.fromkeys(
        ("ADDRESS", "ADDRESS...", "[ADDRESS...]", "[ADDRESS]", "TARGET...", "account rename OLD"),
        completion_names.accounts,
    ),
    "account add ADDRESS...": completion_names.new_accounts,
    **dict.fromkeys(("account rename NEW", "account copy NEW..."), completion_names.new_accounts),
    "account copy SRC": completion_names.accounts,
    **dict.fromkeys(("--domain", "--default-domain", "domain rename OLD"), completion_names.domains),
    "FORM": _input_forms,
    "import mdaemon --input-format": _words("csv", "xml"),
    "smart-host import -": _words("-"),
    **dict.fromkeys(
        ("--template", "--with-template", "--in-template", "template rename OLD"), completion_names.templates
    ),
    **dict.fromkeys(("template show NAME", "template assign NAME", "template remove NAME"), completion_names.templates),
    "SOURCE": completion_names.sources,
    "multipop source add SOURCE": _nothing,
    **dict.fromkeys(("lan remove NETWORK...", "network remove [ENTRY...]"), completion_names.entries),
    **{f"network {verb} NAME": completion_names.networks for verb in ("add", "remove", "show", "assign", "unassign")},
    "network rename OLD": completion_names.networks,
    "deploy NAME...": completion_names.exports,
    "[ID]": completion_names.edits,
    "TARGET": _targets,
    "PROTOCOL": completion_names.protocols,
    "server govern SERVICE...": lambda line: completion_names.governable(line, governed=False),
    "server ungovern SERVICE...": lambda line: completion_names.governable(line, governed=True),
    **dict.fromkeys(("CODE", "CODE..."), _codes),
    "KEY": _keys,
    "VALUE": _key_values,
    "--format": _formats,
    **{f"--{service}": _words("on", *(["lan-only"] if service.own_lan_switch else []), "off") for service in Service},
    "--per-account": _words("on", "off"),
    "--strategy": _export_option("STRATEGIES"),
    "VERSION": _export_option("VERSIONS"),
    "TYPE": _export_option("MAPS"),
    "--postmap": _export_option("MAPS", first=1),
    "KIND": _tls_modes,
    "HOW": _auth_ways,
    "--token": completion_names.tokens,
    "--color": _words(*COLORS),
    "WAY": _words("widened", "narrowed", "any"),
    "refused": _words("refused"),
    "WHEN": _words("today"),
    "--until": _words("today", "+1d", "+3d", "+7d", "+12h"),
    "COMMAND...": _commands,
    "SHELL": _words(*SHELLS),
    **dict.fromkeys(("FILE", "FILE...", "PATH", "LOG", "PLAN", "CASES...", "[OLD [NEW]]"), _files),
    # No candidates: names that only the administrator knows.
    **dict.fromkeys(
        ("NEW", "NAME", "DATE", "NETWORK...", "ENTRY...", "IP", "IP|NETWORK", "HOST", "HOST/PORT", "PORT", "LOGIN"),
        _nothing,
    ),
    **dict.fromkeys(
        ("DAYS", "TEXT", "KIB", "SECONDS", "CLASS", "BACKEND", "DESTINATION", "ADDRESS/NAME", "N"), _nothing
    ),
}
