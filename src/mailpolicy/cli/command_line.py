"""A command line up to the cursor, for completion."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from mailpolicy.cli import command_tree
from mailpolicy.cli.command_tree import Command
from mailpolicy.cli.context import OPTIONS, Context
from mailpolicy.cli.output import Output


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
    command: Command | None = command_tree.program()
    path: list[str] = []
    positionals: list[str] = []
    option, ended = None, False
    for word in before:
        if option is not None:
            if option in OPTIONS:
                asked[option] = word
            option = None
        elif ended or not word.startswith("-") or word == "-":
            if command is not None and "commands" in command:
                command = command["commands"].get(word)
                path.append(word)
            else:
                positionals.append(word)
        elif word == "--":
            ended = True
        else:
            name, equals, value = word.partition("=")
            if equals and name in OPTIONS:
                asked[name] = value
            elif not equals and metavar_of(command, name) is not None:
                option = name
    # An option and its value in one word: `--file=acc`.
    joined = ""
    name, equals, value = current.partition("=")
    if option is None and not ended and equals and name.startswith("--") and metavar_of(command, name) is not None:
        option, current, joined = name, value, f"{name}="
    out = Output(Context.from_environment(asked, dict(environment)))
    return Line(out, command, " ".join(path), positionals, option, current, ended, joined)


def metavar_of(command: Command | None, name: str) -> str | None:
    """Return the metavar of an option, or None if it takes no value or there is none of that name."""
    own = command["options"] if command is not None else {}
    metavar, _ = OPTIONS.get(name) or own.get(name) or (None, "")
    return metavar
