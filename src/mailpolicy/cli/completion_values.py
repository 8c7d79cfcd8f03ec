"""The words that can stand for each kind of argument or option value.

A TAB should be quick, so what only few kinds of words need is imported by those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.cli import command_tree
from mailpolicy.cli.command_tree import Command
from mailpolicy.cli.context import COLORS
from mailpolicy.cli.output import Output
from mailpolicy.errors import MailpolicyError
from mailpolicy.policy.service import GOVERNABLE, Service

if TYPE_CHECKING:
    from mailpolicy.policy.model import Policy

SHELLS = ("bash", "zsh", "fish")
FILES = ":files"  # stands for candidates: the shell completes file names itself
_MAX_ADDRESSES = 1000  # a longer list helps nobody


class Candidate(NamedTuple):
    """A word that may be completed, and its description."""

    word: str
    help: str = ""


class Line(NamedTuple):
    """A command line up to the cursor, parsed as far as possible."""

    out: Output
    command: Command | None  # None if there is no such command
    path: str  # its name, such as `account show`
    positionals: list[str]
    option: str | None  # whose value the cursor is in
    current: str
    options_ended: bool  # by `--`
    before: str = ""  # of the same word: an option and its equals sign


Values = Callable[[Line], Iterable[Candidate] | str]


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


def _accounts(line: Line) -> list[Candidate]:
    from mailpolicy.store import addresses

    context = line.out.context
    given = set(line.positionals)
    known = addresses.beginning_with(context.file, line.current, _MAX_ADDRESSES, line.out.cache)
    return [Candidate(address) for address in known if address not in given]


def _new_accounts(line: Line) -> list[Candidate]:
    local, at, _ = line.current.partition("@")
    return [Candidate(f"{local}@{domain.word}") for domain in _domains(line)] if at else []


def _domains(line: Line) -> list[Candidate]:
    from mailpolicy.store import addresses

    return [Candidate(domain) for domain in addresses.domains(line.out.context.file, line.out.cache)]


def _policy(line: Line, *names: str) -> Policy:
    from mailpolicy.store.store import Store

    return Store.read_for_lookup(line.out.context.file, names, line.out.cache).policy()


def _templates(line: Line) -> list[Candidate]:
    return [Candidate(name) for name in _policy(line).templates]


def _sources(line: Line) -> list[Candidate]:
    address = line.positionals[0]
    account = _policy(line, address).accounts.get(address)
    return [Candidate(name, source.host) for name, source in account.sources.items()] if account is not None else []


def _networks(line: Line) -> list[Candidate]:
    return [Candidate(entry.text) for entry in _policy(line).server.lan_entries]


def _protocols(line: Line) -> list[Candidate]:
    services: Iterable[Service] = Service
    with suppress(MailpolicyError):
        services = _policy(line).services
    return [Candidate(service, service.label) for service in services]


def _governable(line: Line, *, governed: bool) -> list[Candidate]:
    services = _policy(line).services
    return [Candidate(service, service.label) for service in GOVERNABLE if (service in services) is governed]


def _exports(line: Line) -> list[Candidate]:
    return [Candidate(name) for name in line.out.machine().settings.exports]


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
    from mailpolicy.policy.model import Tls

    return [Candidate(mode) for mode in Tls]


def _codes(_line: Line) -> list[Candidate]:
    from mailpolicy.diagnostics.rules import RULES

    return [Candidate(code, rule.name) for code, rule in RULES.items()]


def _keys(_line: Line) -> list[Candidate]:
    from mailpolicy.store import tables

    return [Candidate(key.replace("_", "-"), tables.SERVER[key][1].partition(";")[0]) for key in tables.SERVER_VALUES]


def _key_values(line: Line) -> list[Candidate]:
    from mailpolicy.store.schema import EDITIONS

    return [Candidate(word) for word in (EDITIONS if line.positionals[0] == "edition" else ("on", "off"))]


def _formats(line: Line) -> list[Candidate]:
    return [Candidate(name) for name in line.command["formats"]] if line.command is not None else []


def _files(_line: Line) -> str:
    return FILES


def _nothing(_line: Line) -> list[Candidate]:
    return []


# By command and argument, else by option or argument, else by the option's metavar; every metavar is here.
VALUES: dict[str, Values] = {
    **dict.fromkeys(("ADDRESS", "ADDRESS...", "[ADDRESS...]", "TARGET...", "account rename OLD"), _accounts),
    "account add ADDRESS...": _new_accounts,
    "account rename NEW": _new_accounts,
    "--domain": _domains,
    "--default-domain": _domains,
    **dict.fromkeys(("--template", "--with-template", "--in-template", "template rename OLD"), _templates),
    **dict.fromkeys(("template show NAME", "template assign NAME", "template remove NAME"), _templates),
    "SOURCE": _sources,
    "multipop source add SOURCE": _nothing,
    "lan remove NETWORK...": _networks,
    "deploy NAME...": _exports,
    "TARGET": _targets,
    "PROTOCOL": _protocols,
    "server govern SERVICE...": lambda line: _governable(line, governed=False),
    "server ungovern SERVICE...": lambda line: _governable(line, governed=True),
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
    "--color": _words(*COLORS),
    "WAY": _words("widened", "narrowed", "any"),
    "refused": _words("refused"),
    "COMMAND...": _commands,
    "SHELL": _words(*SHELLS),
    **dict.fromkeys(("FILE", "FILE...", "PATH", "LOG", "CASES...", "[OLD [NEW]]"), _files),
    # No candidates: names that only the administrator knows.
    **dict.fromkeys(("NEW", "NAME", "NETWORK...", "IP", "IP|NETWORK", "HOST", "HOST/PORT", "PORT", "LOGIN"), _nothing),
    **dict.fromkeys(("DAYS", "TEXT", "KIB", "SECONDS", "CLASS", "BACKEND", "DESTINATION", "ADDRESS/NAME"), _nothing),
}
