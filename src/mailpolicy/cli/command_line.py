"""A command line up to the cursor, for completion."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from mailpolicy.cli.app import LazyGroup, root
from mailpolicy.cli.context import OPTIONS, Context
from mailpolicy.cli.output import Output


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


def split_line(text: str) -> list[str]:
    """Split a shell's line, which may end inside quotes, into words; the last one, perhaps empty, is under the cursor."""
    for closing in ("", '"', "'"):
        with suppress(ValueError):
            words = shlex.split(text + closing)
            ended = not closing and text[-1:].isspace() and not text.endswith("\\ ")
            return [*words, ""] if ended or not words else words
    return [text]


def parsed(words: list[str], environment: Mapping[str, str]) -> Line:
    """Return the line that these words after the program's name make; the last one is under the cursor."""
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
            if is_group(command):
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


def is_group(command: Any) -> bool:
    """Return whether a command has subcommands."""
    return hasattr(command, "commands")


def _takes_value(command: Any, name: str) -> bool:
    if name in OPTIONS:
        return OPTIONS[name][0] is not None
    return command is not None and any(name in option.opts and not option.is_flag for option in options(command))


def options(command: Any) -> list[Any]:
    """Return the options of a command, without those of every command."""
    return [parameter for parameter in command.params if parameter.param_type_name == "option"]
