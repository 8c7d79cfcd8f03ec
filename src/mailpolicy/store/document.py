"""Read one TOML file: its text, its tree, and the line that each key is written on.

Text that is not UTF-8 or not TOML is a problem with a place, not an exception. The meaning of the keys is the caller's.
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

_BOM = b"\xef\xbb\xbf"


class Document:
    """The content of one TOML file when it was read; `path` as it was given."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.data = data
        self.bom = _BOM if data.startswith(_BOM) else b""

    @property
    def _parsed_bytes(self) -> bytes:
        return self.data

    @cached_property
    def _parsed(self) -> tuple[str, dict[str, Any], list[Problem]]:
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
                [Problem("MP001", (), f"byte {data[start]:#04x} is not UTF-8: save the file as UTF-8", position)],
            )
        try:
            with without_gc():
                return text, tomli.loads(text), []
        except tomli.TOMLDecodeError as error:
            from mailpolicy.store import mistakes  # a run that reads a good file does not pay for it

            with without_gc():
                return text, {}, mistakes.explained(text, error)
        except RecursionError:  # arrays in arrays, thousands deep
            return (
                text,
                {},
                [Problem("MP002", (), "nested too deep to be read: nothing here has more than four levels", (1, 1))],
            )
        except ValueError:  # Python reads no decimal integer of more digits than a limit of its own
            return text, {}, [_too_long(text)]

    @property
    def text(self) -> str:
        """Return the content as text, without the byte order mark."""
        return self._parsed[0]

    @property
    def tree(self) -> dict[str, Any]:
        """Return the TOML tree; it is empty if the text is not TOML."""
        return self._parsed[1]

    @property
    def faults(self) -> list[Problem]:
        """Return the problems that keep the content from being parsed."""
        return self._parsed[2]

    def lines(self, paths: Iterable[KeyPath]) -> dict[KeyPath, int]:
        """Return the line of each key, or of its nearest written ancestor; keys with neither are left out."""
        return {path: self._line_in_file(line) for path, (line, _) in self._positions(paths).items()}

    def line(self, path: KeyPath | None) -> int | None:
        """Return the line of a key, or of its nearest written ancestor, or None if neither is written."""
        return self.lines([path]).get(path) if path else None

    def _positions(self, paths: Iterable[KeyPath]) -> dict[KeyPath, tuple[int, int]]:
        from mailpolicy.store import locate  # 2 ms, only to print a line

        found = locate.find(self.text, paths)
        return dict(zip(found, locate.positions(self.text, [entry.start for entry in found.values()]), strict=True))

    def line_at(self, offset: int) -> int:
        """Return the line in the file of a character of the text."""
        return self._line_in_file(self.text.count("\n", 0, offset) + 1)

    def _line_in_file(self, line: int) -> int:
        return line

    def located(self, problems: Iterable[Problem]) -> list[Finding]:
        """Return the problems as findings with line and column, sorted by place; a problem without a place is at 1:1."""
        problems = list(problems)
        if not problems:
            return []
        places = self._positions([problem.path for problem in problems if problem.position is None and problem.path])
        source = self._source_lines() if any(problem.position for problem in problems) else []
        findings = [
            Finding(self.path, *problem.position, problem, source[problem.position[0] - 1])
            if problem.position is not None
            else Finding(self.path, *places.get(problem.path, (1, 1)), problem)
            for problem in problems
        ]
        return sorted(findings, key=lambda finding: (finding.line, finding.column, finding.problem.code))

    def _source_lines(self) -> list[str]:
        """Return the lines of the file, be they TOML and UTF-8 or not."""
        return self._parsed_bytes[len(self.bom) :].decode("utf-8", "replace").split("\n")


def _too_long(text: str) -> Problem:
    """Return the problem of the first integer that has more digits than Python reads."""
    from mailpolicy.store import locate  # 2 ms, only to print a line

    most = sys.get_int_max_str_digits()
    runs = re.finditer("[0-9][0-9_]*+", text)  # each looked at once, however many there are
    long = [run for run in runs if run.end() - run.start() > most and len(run[0].replace("_", "")) > most]
    if not long:
        return Problem("MP002", (), "an integer that is too long to be read", (1, 1))
    # What follows a = is a value, if it is not in a comment; if no such is found, any.
    found = next((run for run in long if _is_value(text, run.start())), long[0])
    ((line, column),) = locate.positions(text, [found.start()])
    length = len(found[0].replace("_", ""))
    return Problem("MP002", (), f"an integer of {length} digits: none here has more than ten", (line, column))


def _is_value(text: str, start: int) -> bool:
    before = text[text.rfind("\n", 0, start) + 1 : start]
    return "#" not in before and before.rstrip(" \t+-").endswith("=")


@contextmanager
def without_gc() -> Iterator[None]:
    """Pause the garbage collector: a large parse creates many containers and no cycles, so its passes are wasted."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
