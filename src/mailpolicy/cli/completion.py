"""Candidates for the word under the cursor, for the scripts that `mailpolicy completion` prints.

A store that is missing or cannot be read is no error here; there are just fewer candidates.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from mailpolicy.cli.command_line import Line, metavar_of, parsed, split_line
from mailpolicy.cli.completion_names import Candidate
from mailpolicy.cli.completion_values import commands_of, values
from mailpolicy.cli.context import OPTIONS
from mailpolicy.cli.output import Output
from mailpolicy.errors import MailpolicyError
from mailpolicy.policy.names import printable


def answer(out: Output, *, line: str | None = None, words: list[str] | None = None) -> int:
    """Print the candidates that a script asks for, by a line (bash) or by words (zsh, fish)."""
    asked = split_line(line)[1:] if line is not None else words
    out.data(encode(candidates(asked or [""], os.environ)))
    return 0


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
        return values(line, line.option, metavar_of(line.command, line.option) or "")
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
    """Return the candidates in the format of the scripts: one a line, with a tab and its description.

    A name that a terminal would not show as it is cannot be offered.
    """
    if isinstance(found, str):
        return f"{found}\n"
    shown = [(word, printable(text)) for word, text in found if printable(word) == word]
    return "".join([f"{word}\t{text}\n" if text else f"{word}\n" for word, text in shown])
