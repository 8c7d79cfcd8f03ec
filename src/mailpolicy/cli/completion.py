"""Candidates for the word under the cursor, for the scripts that `mailpolicy completion` prints.

A store that is missing or cannot be read is no error here; there are just fewer candidates.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress

from mailpolicy.cli import command_tree
from mailpolicy.cli.command_tree import Command
from mailpolicy.cli.completion_line import Candidate, Line
from mailpolicy.cli.completion_values import commands_of, values
from mailpolicy.cli.context import OPTIONS, Context
from mailpolicy.cli.output import Output
from mailpolicy.errors import MailpolicyError


def split_line(text: str) -> list[str]:
    """Split a shell's line, which may end inside quotes, into words; the last one, perhaps empty, is under the cursor."""
    for closing in ("", '"', "'"):
        with suppress(ValueError):
            words = shlex.split(text + closing)
            ended = not closing and text[-1:].isspace() and not text.endswith("\\ ")
            return [*words, ""] if ended or not words else words
    return [text]


def answer(out: Output, *, line: str | None = None, words: list[str] | None = None) -> int:
    """Print the candidates that a script asks for, by a line (bash) or by words (zsh, fish)."""
    asked = split_line(line)[1:] if line is not None else words
    out.data(encode(candidates(asked or [""], os.environ)))
    return 0


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
            elif not equals and _metavar(command, name) is not None:
                option = name
    # An option and its value in one word: `--file=acc`.
    joined = ""
    name, equals, value = current.partition("=")
    if option is None and not ended and equals and name.startswith("--") and _metavar(command, name) is not None:
        option, current, joined = name, value, f"{name}="
    out = Output(Context.from_environment(asked, dict(environment)))
    return Line(out, command, " ".join(path), positionals, option, current, ended, joined)


def _metavar(command: Command | None, name: str) -> str | None:
    """Return the metavar of an option, or None if it takes no value or there is none of that name."""
    own = command["options"] if command is not None else {}
    metavar, _ = OPTIONS.get(name) or own.get(name) or (None, "")
    return metavar


def _of(line: Line) -> Iterable[Candidate] | str:
    if line.command is None:
        return []
    if line.option is not None:
        return values(line, line.option, _metavar(line.command, line.option) or "")
    if line.current.startswith("-") and not line.options_ended:
        known = {**line.command["options"], **OPTIONS, "--help": (None, "show this message and exit")}
        return [Candidate(name, text) for name, (_, text) in known.items() if name.startswith("--")]
    if "commands" in line.command:
        return commands_of(line.command)
    arguments = line.command["arguments"]
    if len(line.positionals) < len(arguments):
        metavar = arguments[len(line.positionals)]
    elif line.command["last_repeats"]:
        metavar = arguments[-1]
    else:
        return []
    return values(line, metavar, metavar)


def encode(found: list[Candidate] | str) -> str:
    """Return the candidates in the format of the scripts: one a line, with a tab and its description."""
    if isinstance(found, str):
        return f"{found}\n"
    return "".join([f"{word}\t{text}\n" if text else f"{word}\n" for word, text in found])
