"""One TOML file as it was when read: its text, its tree, and where in the file a key is written.

Promises: the reading parser is the only judge of what the text says; what is not UTF-8 or not TOML is a problem with its
place, not an exception. Not promised: that the content makes sense as anything.
"""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from mailpolicy.diagnostics import Finding, KeyPath, Problem
from mailpolicy.policy.names import printable

_BOM = b"\xef\xbb\xbf"


class Document:
    """The content of one TOML file, as it was when read; `path` as it was given."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.data = data
        self.bom = _BOM if data.startswith(_BOM) else b""

    @property
    def _parsed_bytes(self) -> bytes:
        return self.data

    @cached_property
    def _parsed(self) -> tuple[str, dict[str, Any], Problem | None]:
        import tomli

        data = self._parsed_bytes
        try:
            text = data[len(self.bom) :].decode("utf-8")
        except UnicodeDecodeError as error:
            start = len(self.bom) + error.start
            line_start = data.rfind(b"\n", 0, start) + 1
            column = len(data[line_start:start].decode("utf-8", "replace")) + 1
            position = (data.count(b"\n", 0, start) + 1, column)
            return (
                "",
                {},
                Problem("MP001", (), f"byte {data[start]:#04x} is not UTF-8: save the file as UTF-8", position),
            )
        try:
            with without_gc():
                return text, tomli.loads(text), None
        except tomli.TOMLDecodeError as error:
            message = error.msg[:1].lower() + error.msg[1:] if error.msg else "not TOML"
            return text, {}, Problem("MP002", (), f"not TOML: {_one_line(message)}", (error.lineno, error.colno))
        except RecursionError:
            return (
                text,
                {},
                Problem("MP002", (), "nested too deep to be read: nothing here has more than four levels", (1, 1)),
            )
        except ValueError:  # Python reads no decimal integer of more digits than a limit of its own
            return text, {}, _too_long(text)

    @property
    def text(self) -> str:
        """The content as text, without the byte order mark."""
        return self._parsed[0]

    @property
    def tree(self) -> dict[str, Any]:
        """The TOML tree; empty where the text is not TOML."""
        return self._parsed[1]

    @property
    def fault(self) -> Problem | None:
        """What keeps the content from being TOML; None where it is."""
        return self._parsed[2]

    def lines(self, paths: Iterable[KeyPath]) -> dict[KeyPath, int]:
        """The line on which each key is written, or its nearest written ancestor; a key with neither is left out."""
        from mailpolicy.store import locate  # 2 ms, only to print a line

        found = locate.find(self.text, paths)
        spots = locate.places(self.text, [entry.start for entry in found.values()])
        return {path: self._line_in_file(line) for path, (line, _) in zip(found, spots, strict=True)}

    def line(self, path: KeyPath | None) -> int | None:
        """The line on which a key is written, or its nearest written ancestor; None where there is neither."""
        from mailpolicy.store import locate  # 2 ms, only to print a line

        entry = locate.find(self.text, [path]).get(path) if path else None
        return self.line_at(entry.start) if entry is not None else None

    def line_at(self, offset: int) -> int:
        """The line in the file of a character of the text."""
        return self._line_in_file(self.text.count("\n", 0, offset) + 1)

    def _line_in_file(self, line: int) -> int:
        return line

    def placed(self, problems: Iterable[Problem]) -> list[Finding]:
        """The problems with their lines and columns, in their order; 1:1 where a problem has no place."""
        problems = list(problems)
        if not problems:
            return []
        from mailpolicy.store import locate  # 2 ms, only to print a line

        found = locate.find(
            self.text, [problem.path for problem in problems if problem.position is None and problem.path]
        )
        spots = dict(zip(found, locate.places(self.text, [entry.start for entry in found.values()]), strict=True))
        findings = [
            Finding(self.path, *(problem.position or spots.get(problem.path, (1, 1))), problem) for problem in problems
        ]
        return sorted(findings, key=lambda finding: (finding.line, finding.column, finding.problem.code))


def _too_long(text: str) -> Problem:
    """The problem of the first integer that is longer than Python reads."""
    from mailpolicy.store import locate  # 2 ms, only to print a line

    most = sys.get_int_max_str_digits()
    runs = re.finditer("[0-9][0-9_]*+", text)  # each looked at once, however many there are
    long = [run for run in runs if run.end() - run.start() > most and len(run[0].replace("_", "")) > most]
    if not long:
        return Problem("MP002", (), "an integer that is too long to be read", (1, 1))
    # What follows a = is a value, if it is not in a comment; if no such is found, any.
    found = next((run for run in long if _is_value(text, run.start())), long[0])
    ((line, column),) = locate.places(text, [found.start()])
    length = len(found[0].replace("_", ""))
    return Problem("MP002", (), f"an integer of {length} digits: none here has more than ten", (line, column))


def _is_value(text: str, start: int) -> bool:
    before = text[text.rfind("\n", 0, start) + 1 : start]
    return "#" not in before and before.rstrip(" \t+-").endswith("=")


@contextmanager
def without_gc() -> Iterator[None]:
    """A large parse makes many containers and no cycles; the collector would walk them all again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _one_line(message: str) -> str:
    return printable(message.splitlines()[0] if message else message)
