"""Candidates for the word under the cursor, for the scripts that `mailpolicy completion` prints.

A store that is missing or cannot be read is no error here; there are just fewer candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from mailpolicy.cli.app import COMMANDS, USUAL_FORMATS, LazyGroup, root
from mailpolicy.cli.command_line import Line, is_group, options, parsed
from mailpolicy.cli.context import COLORS, OPTIONS
from mailpolicy.diagnostics.rules import RULES
from mailpolicy.errors import MailpolicyError
from mailpolicy.export import TARGETS
from mailpolicy.export.request import MAPS, STRATEGIES, VERSIONS
from mailpolicy.policy.model import NamedNetwork
from mailpolicy.policy.service import GOVERNABLE, Service
from mailpolicy.policy.source import Tls
from mailpolicy.store import addresses, schema, tables
from mailpolicy.store.store import Store
from mailpolicy.system import zones

SHELLS = ("bash", "zsh", "fish")
FILES = ":files"  # stands for candidates: the shell completes file names itself
_MAX_ADDRESSES = 1000  # a longer list helps nobody


class Candidate(NamedTuple):
    """A word that may be completed, and its description."""

    word: str
    help: str = ""


Values = Callable[[Line], Iterable[Candidate] | str]


def candidates(words: list[str], environment: Mapping[str, str]) -> list[Candidate] | str:
    """Return the candidates for the last of the words after the program's name, or FILES."""
    try:
        line = parsed(words, environment)
        found = _of(line)
    except MailpolicyError:
        return []
    if isinstance(found, str):
        return found
    return [Candidate(line.before + word, text) for word, text in found if word.startswith(line.current)]


def _of(line: Line) -> Iterable[Candidate] | str:
    if line.command is None:
        return []
    if line.option is not None:
        return _value(line, line.option, _metavar(line.command, line.option))
    if line.current.startswith("-") and not line.options_ended:
        own = [
            Candidate(name, option.help or "")
            for option in options(line.command)
            for name in option.opts
            if name.startswith("--")
        ]
        everywhere = [Candidate(name, text) for name, (_, text) in OPTIONS.items()]
        return [*own, *everywhere, Candidate("--help", "show this message and exit")]
    if is_group(line.command):
        return _commands_of(line.command)
    arguments = [parameter for parameter in line.command.params if parameter.param_type_name == "argument"]
    if len(line.positionals) < len(arguments):
        argument = arguments[len(line.positionals)]
    elif arguments and arguments[-1].nargs == -1:
        argument = arguments[-1]
    else:
        return []
    return _value(line, argument.metavar, argument.metavar)


def _metavar(command: Any, name: str) -> str:
    if name in OPTIONS:
        return OPTIONS[name][0] or ""
    return next((option.metavar or "" for option in options(command) if name in option.opts), "")


def _value(line: Line, name: str, metavar: str) -> Iterable[Candidate] | str:
    values = VALUES.get(f"{line.path} {name}") or VALUES.get(name) or VALUES.get(metavar)
    return values(line) if values is not None else []


def _commands_of(command: Any) -> list[Candidate]:
    if isinstance(command, LazyGroup):
        return [Candidate(name, text) for name, (_, text) in COMMANDS.items()]
    below = getattr(command, "commands", {}).items()
    return [Candidate(name, inner.get_short_help_str(80)) for name, inner in below if not inner.hidden]


def _commands(line: Line) -> list[Candidate]:
    command: Any = root()
    for name in line.positionals:
        command = command.get_command(None, name) if is_group(command) else None
    return _commands_of(command)


def _words(*words: str) -> Values:
    return lambda _line: [Candidate(word) for word in words]


def _accounts(line: Line) -> list[Candidate]:
    context = line.out.context
    given = set(line.positionals)
    known = addresses.beginning_with(context.file, line.current, _MAX_ADDRESSES, line.out.cache)
    return [Candidate(address) for address in known if address not in given]


def _new_accounts(line: Line) -> list[Candidate]:
    local, at, _ = line.current.partition("@")
    return [Candidate(f"{local}@{domain.word}") for domain in _domains(line)] if at else []


def _domains(line: Line) -> list[Candidate]:
    return [Candidate(domain) for domain in addresses.domains(line.out.context.file, line.out.cache)]


def _store(line: Line, *names: str) -> Store:
    return Store.read_for_lookup(line.out.context.file, names, line.out.cache)


def _templates(line: Line) -> list[Candidate]:
    return [Candidate(name) for name in _store(line).policy().templates]


def _sources(line: Line) -> list[Candidate]:
    address = line.positionals[0]
    account = _store(line, address).policy().accounts.get(address)
    return [Candidate(name, source.host) for name, source in account.sources.items()] if account is not None else []


def _networks(line: Line) -> list[Candidate]:
    return [Candidate(name) for name in _store(line).policy().networks]


def _entries(line: Line) -> list[Candidate]:
    policy = _store(line).policy()
    network = policy.networks.get(line.positionals[0], NamedNetwork()) if line.path != "lan remove" else None
    return [Candidate(entry.text) for entry in (network.entries if network else policy.server.lan_entries)]


def _governed(line: Line) -> Iterable[Service]:
    with suppress(MailpolicyError):
        return _store(line).policy().services
    return Service


def _governable(line: Line, *, governed: bool) -> list[Candidate]:
    services = _store(line).policy().services
    return [Candidate(service, service.label) for service in GOVERNABLE if (service in services) is governed]


def _exports(line: Line) -> list[Candidate]:
    return [Candidate(name) for name in line.out.machine().settings.exports]


def _codes(_line: Line) -> list[Candidate]:
    return [Candidate(code, rule.name) for code, rule in RULES.items()]


def _keys(_line: Line) -> list[Candidate]:
    return [Candidate(key.replace("_", "-"), tables.SERVER[key][1].partition(";")[0]) for key in tables.SERVER_VALUES]


def _key_values(line: Line) -> list[Candidate]:
    key = line.positionals[0].replace("-", "_")
    return [
        Candidate(word) for word in (zones.known() if key == "time_zone" else schema.CHOICES.get(key, ("on", "off")))
    ]


def _edits(line: Line) -> list[Candidate]:
    from mailpolicy.cli import history  # 8 ms, only for undo

    found = history.read(line.out).entries
    return [Candidate(one.id, one.command) for one in reversed(found) if one.id and not one.aborted]


def _formats(line: Line) -> list[Candidate]:
    return [Candidate(name) for name in getattr(line.command.callback, "formats", USUAL_FORMATS)]


def _files(_line: Line) -> str:
    return FILES


def _nothing(_line: Line) -> list[Candidate]:
    return []


# By command and argument, else by option or argument, else by the option's metavar; every metavar is here.
VALUES: dict[str, Values] = {
    **dict.fromkeys(
        ("ADDRESS", "ADDRESS...", "[ADDRESS...]", "[ADDRESS]", "TARGET...", "account rename OLD"), _accounts
    ),
    "account add ADDRESS...": _new_accounts,
    "account rename NEW": _new_accounts,
    "--domain": _domains,
    "--default-domain": _domains,
    **dict.fromkeys(("--template", "--with-template", "--in-template", "template rename OLD"), _templates),
    **dict.fromkeys(("template show NAME", "template assign NAME", "template remove NAME"), _templates),
    "SOURCE": _sources,
    "multipop source add SOURCE": _nothing,
    **dict.fromkeys(("lan remove NETWORK...", "network remove [ENTRY...]"), _entries),
    **{f"network {verb} NAME": _networks for verb in ("add", "remove", "show", "assign", "unassign")},
    "network rename OLD": _networks,
    "deploy NAME...": _exports,
    "[ID]": _edits,
    "TARGET": lambda _line: [Candidate(name, target.description) for name, target in TARGETS.items()],
    "PROTOCOL": lambda line: [Candidate(service, service.label) for service in _governed(line)],
    "server govern SERVICE...": lambda line: _governable(line, governed=False),
    "server ungovern SERVICE...": lambda line: _governable(line, governed=True),
    **dict.fromkeys(("CODE", "CODE..."), _codes),
    "KEY": _keys,
    "VALUE": _key_values,
    "--format": _formats,
    **{f"--{service}": _words("on", *(["lan-only"] if service.own_lan_switch else []), "off") for service in Service},
    "--per-account": _words("on", "off"),
    "--strategy": _words(*STRATEGIES),
    "VERSION": _words(*VERSIONS),
    "TYPE": _words(*MAPS),
    "--postmap": _words(*MAPS[1:]),
    "KIND": _words(*Tls),
    "--color": _words(*COLORS),
    "WAY": _words("widened", "narrowed", "any"),
    "refused": _words("refused"),
    "WHEN": _words("today"),
    "--until": _words("today", "+1d", "+3d", "+7d", "+12h"),
    "COMMAND...": _commands,
    "SHELL": _words(*SHELLS),
    **dict.fromkeys(("FILE", "FILE...", "PATH", "LOG", "CASES...", "[OLD [NEW]]"), _files),
    # No candidates: names that only the administrator knows.
    **dict.fromkeys(
        ("NEW", "NAME", "DATE", "NETWORK...", "ENTRY...", "IP", "IP|NETWORK", "HOST", "HOST/PORT", "PORT", "LOGIN"),
        _nothing,
    ),
    **dict.fromkeys(("DAYS", "TEXT", "KIB", "SECONDS", "CLASS", "BACKEND", "DESTINATION", "ADDRESS/NAME"), _nothing),
}


def encode(found: list[Candidate] | str) -> str:
    """Return the candidates in the format of the scripts: one a line, with a tab and its description."""
    if isinstance(found, str):
        return f"{found}\n"
    return "".join([f"{word}\t{text}\n" if text else f"{word}\n" for word, text in found])
