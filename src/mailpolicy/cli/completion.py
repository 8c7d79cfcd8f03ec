"""Candidates for the word under the cursor, for the scripts that `mailpolicy completion` prints.

A store that is missing or cannot be read is no error here; there are just fewer candidates.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from mailpolicy.cli.app import COMMANDS, USUAL_FORMATS, LazyGroup, root
from mailpolicy.cli.context import COLORS, OPTIONS, Context
from mailpolicy.cli.output import Output
from mailpolicy.diagnostics.rules import RULES
from mailpolicy.errors import MailpolicyError
from mailpolicy.export import TARGETS
from mailpolicy.export.request import MAPS, STRATEGIES, VERSIONS
from mailpolicy.policy.model import NamedNetwork
from mailpolicy.policy.service import Service
from mailpolicy.policy.source import Tls
from mailpolicy.store import addresses, schema, tables
from mailpolicy.store.store import Store

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
    command: Any  # Typer's; None if there is no such command
    path: str  # its name, such as `account show`
    positionals: list[str]
    option: str | None  # whose value the cursor is in
    current: str
    options_ended: bool  # by `--`
    before: str = ""  # of the same word: an option and its equals sign


Values = Callable[[Line], Iterable[Candidate] | str]


def split_line(text: str) -> list[str]:
    """Split a shell's line, which may end inside quotes, into words; the last one, perhaps empty, is under the cursor."""
    for closing in ("", '"', "'"):
        with suppress(ValueError):
            words = shlex.split(text + closing)
            ended = not closing and text[-1:].isspace() and not text.endswith("\\ ")
            return [*words, ""] if ended or not words else words
    return [text]


def candidates(words: list[str], environment: Mapping[str, str]) -> list[Candidate] | str:
    """Return the candidates for the last of the words after the program's name, or FILES."""
    try:
        line = _parsed(words, environment)
        found = _of(line)
    except MailpolicyError:
        return []
    if isinstance(found, str):
        return found
    return [Candidate(line.before + word, text) for word, text in found if word.startswith(line.current)]


def _parsed(words: list[str], environment: Mapping[str, str]) -> Line:
    *before, current = words
    asked: dict[str, str] = {}
    command: Any = root()
    path: list[str] = []
    positionals: list[str] = []
    option, ended = None, False
    for position, word in enumerate(before):
        if option is not None:
            if option in OPTIONS:
                asked[option] = word
            option = None
        elif ended or not word.startswith("-") or word == "-":
            if _is_group(command):
                command = _below(command, word, before[position + 1 :])
                path.append(word)
            else:
                positionals.append(word)
        elif word == "--":
            ended = True
        else:
            name, equals, value = word.partition("=")
            if equals and name in OPTIONS:
                asked[name] = value
            elif not equals and _takes_value(command, name):
                option = name
    # An option and its value in one word: `--file=acc`.
    joined = ""
    name, equals, value = current.partition("=")
    if option is None and not ended and equals and name.startswith("--") and _takes_value(command, name):
        option, current, joined = name, value, f"{name}="
    out = Output(Context.from_environment(asked, dict(environment)))
    return Line(out, command, " ".join(path), positionals, option, current, ended, joined)


def _below(command: Any, name: str, rest: list[str]) -> Any:
    """Return a subcommand; from the root, built with only the subcommand that `rest` begins with."""
    return command.get_command(None, name, rest) if isinstance(command, LazyGroup) else command.get_command(None, name)


def _is_group(command: Any) -> bool:
    return hasattr(command, "commands")


def _takes_value(command: Any, name: str) -> bool:
    if name in OPTIONS:
        return OPTIONS[name][0] is not None
    return command is not None and any(name in option.opts and not option.is_flag for option in _options(command))


def _options(command: Any) -> list[Any]:
    return [parameter for parameter in command.params if parameter.param_type_name == "option"]


def _of(line: Line) -> Iterable[Candidate] | str:
    if line.command is None:
        return []
    if line.option is not None:
        return _value(line, line.option, _metavar(line.command, line.option))
    if line.current.startswith("-") and not line.options_ended:
        own = [
            Candidate(name, option.help or "")
            for option in _options(line.command)
            for name in option.opts
            if name.startswith("--")
        ]
        everywhere = [Candidate(name, text) for name, (_, text) in OPTIONS.items()]
        return [*own, *everywhere, Candidate("--help", "show this message and exit")]
    if _is_group(line.command):
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
    return next((option.metavar or "" for option in _options(command) if name in option.opts), "")


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
        command = command.get_command(None, name) if _is_group(command) else None
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


def _exports(line: Line) -> list[Candidate]:
    return [Candidate(name) for name in line.out.machine().settings.exports]


def _codes(_line: Line) -> list[Candidate]:
    return [Candidate(code, rule.name) for code, rule in RULES.items()]


def _keys(_line: Line) -> list[Candidate]:
    return [Candidate(key.replace("_", "-"), tables.SERVER[key][1].partition(";")[0]) for key in tables.SERVER_VALUES]


def _key_values(line: Line) -> list[Candidate]:
    return [Candidate(word) for word in (schema.EDITIONS if line.positionals[0] == "edition" else ("on", "off"))]


def _formats(line: Line) -> list[Candidate]:
    return [Candidate(name) for name in getattr(line.command.callback, "formats", USUAL_FORMATS)]


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
    **dict.fromkeys(("lan remove NETWORK...", "network remove [ENTRY...]"), _entries),
    **{f"network {verb} NAME": _networks for verb in ("add", "remove", "show", "assign", "unassign")},
    "network rename OLD": _networks,
    "deploy NAME...": _exports,
    "TARGET": lambda _line: [Candidate(name, target.description) for name, target in TARGETS.items()],
    "PROTOCOL": lambda _line: [Candidate(service, service.label) for service in Service],
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
    "COMMAND...": _commands,
    "SHELL": _words(*SHELLS),
    **dict.fromkeys(("FILE", "FILE...", "PATH", "LOG", "CASES...", "[OLD [NEW]]"), _files),
    # No candidates: names that only the administrator knows.
    **dict.fromkeys(
        ("NEW", "NAME", "NETWORK...", "ENTRY...", "IP", "IP|NETWORK", "HOST", "HOST/PORT", "PORT", "LOGIN"), _nothing
    ),
    **dict.fromkeys(("DAYS", "TEXT", "KIB", "SECONDS", "CLASS", "BACKEND", "DESTINATION", "ADDRESS/NAME"), _nothing),
}


def encode(found: list[Candidate] | str) -> str:
    """Return the candidates in the format of the scripts: one a line, with a tab and its description."""
    if isinstance(found, str):
        return f"{found}\n"
    return "".join([f"{word}\t{text}\n" if text else f"{word}\n" for word, text in found])
