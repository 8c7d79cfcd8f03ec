"""The command line that a TAB is pressed in, and the words that may complete it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from mailpolicy.cli.command_tree import Command
from mailpolicy.cli.output import Output

FILES = ":files"  # stands for candidates: the shell completes file names itself


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
