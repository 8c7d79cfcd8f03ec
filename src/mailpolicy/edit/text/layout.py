"""How a store's text is laid out: its tables with the comments that belong to each, and the lines between them.

Promises: a comment block that touches a table's header from above belongs to that table; so does one that touches its
last key from below and no header. All other comments belong to the file. Not promised: anything about values.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import cached_property
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath
from mailpolicy.policy.names import account_address
from mailpolicy.store.locate import HEADER, INLINE, KEY, Entry, entries


class Block(NamedTuple):
    """A table as it is written: `start` of its first line, `end` of its last line without the newline."""

    start: int
    end: int
    header: Entry


class CannotWrite(Exception):
    """The text is written in a style that cannot be edited safely; `offset` is where a hand is needed."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(why)
        self.offset = offset


def newline_of(text: str) -> str:
    """What ends the lines of a text."""
    return "\r\n" if "\r\n" in text else "\n"


class Layout:
    """The written things of one text, found once."""

    def __init__(self, text: str, newline: str) -> None:
        self.text = text
        self.newline = newline
        self._all = list(entries(text))
        self._exact: dict[KeyPath, Entry] = {}
        for entry in self._all:
            self._exact.setdefault(entry.path, entry)

    @cached_property
    def _lines(self) -> list[Entry]:
        """Headers and statements, in the order of the text."""
        return [entry for entry in self._all if entry.kind == HEADER or entry.kind == KEY]

    @cached_property
    def _headers(self) -> dict[KeyPath, int]:
        """Where each table's header stands among the lines."""
        return {entry.path: index for index, entry in enumerate(self._lines) if entry.kind == HEADER}

    @cached_property
    def _statements(self) -> dict[KeyPath, list[Entry]]:
        return _by_table(entry for entry in self._all if entry.kind == KEY)

    @cached_property
    def _inline(self) -> dict[KeyPath, list[Entry]]:
        """The pairs between each pair of braces; a dotted key stands in the braces around it, whatever table it names."""
        pairs: dict[KeyPath, list[Entry]] = {}
        around: list[Entry] = []
        for entry in self._all:
            while around and around[-1].end <= entry.start:
                around.pop()
            if entry.kind == INLINE:
                pairs.setdefault(around[-1].path, []).append(entry)
            around.append(entry)
        return pairs

    @cached_property
    def _under(self) -> dict[KeyPath, list[Entry]]:
        under: dict[KeyPath, list[Entry]] = {}
        for entry in self._lines:
            under.setdefault(entry.path[:2], []).append(entry)
        return under

    def at(self, path: KeyPath) -> Entry | None:
        """The entry that writes exactly `path`."""
        return self._exact.get(path)

    def statements(self, table: KeyPath) -> list[Entry]:
        """The `key = value` statements directly in a table, in order; not those of an inline table."""
        return self._statements.get(table, [])

    def inline_pairs(self, table: KeyPath) -> list[Entry]:
        """The `key = value` pairs directly in an inline table, in order."""
        return self._inline.get(table, [])

    @cached_property
    def _braces(self) -> dict[Entry, KeyPath]:
        return {pair: table for table, pairs in self._inline.items() for pair in pairs}

    def braces(self, pair: Entry) -> KeyPath:
        """The inline table between whose braces a pair stands."""
        return self._braces[pair]

    def written(self, path: KeyPath) -> list[Entry]:
        """What writes `path`: its header, statement or pair, or else those of all that is below it; none inside another."""
        found: list[Entry] = []
        for entry in (self.under(path) if len(path) > 1 else ()) or self._all:
            inside = found and found[-1].start < entry.start < found[-1].end
            if entry.path[: len(path)] == path and not inside:
                found.append(entry)
        return found

    def first(self, path: KeyPath) -> int:
        """Where `path`, something below it or its nearest written ancestor is written first; 0 where nothing is."""
        for length in range(len(path), 0, -1):
            if found := self.written(path[:length]):
                return found[0].start
        return 0

    def enclosing_value(self, path: KeyPath) -> Entry | None:
        """The statement whose inline value holds `path`, where there is one."""
        for length in range(len(path) - 1, 0, -1):
            entry = self._exact.get(path[:length])
            if entry is not None and entry.kind != INLINE:
                return entry if entry.kind == KEY else None
        return None

    def is_written(self, table: KeyPath) -> bool:
        """Whether a table has a header, a statement or an inline value of its own to write into."""
        return table in self._exact or table in self._statements or self.enclosing_value((*table, "")) is not None

    def under(self, path: KeyPath) -> list[Entry]:
        """The headers and statements at and below `path`, which has two parts, such as an account, or more."""
        found = self._under.get(path[:2], [])
        return found if len(path) == 2 else [entry for entry in found if entry.path[: len(path)] == path]

    def block(self, path: KeyPath) -> Block | None:
        """The table with the header `path`."""
        index = self._headers.get(path)
        if index is None:
            return None
        following = index + 1
        while following < len(self._lines) and self._lines[following].kind == KEY:
            following += 1
        header, last = self._lines[index], self._lines[following - 1]
        floor = self._lines[index - 1].end if index else 0
        ceiling = self._lines[following].start if following < len(self._lines) else len(self.text)
        start = self._comments_above(header.start, floor)
        return Block(start, self._comments_below(last.end, ceiling), header)

    def blocks(self, path: KeyPath) -> list[Block]:
        """The tables at and below `path`, those that follow one another with nothing but blank lines between as one."""
        found: list[Block] = []
        for entry in self.under(path):
            if entry.kind != HEADER or (block := self.block(entry.path)) is None:
                continue
            if found and self.text[found[-1].end : block.start].strip() == "":
                found[-1] = found[-1]._replace(end=block.end)
            else:
                found.append(block)
        return found

    @property
    def end_of_roots(self) -> int:
        """The end of the keys above the first header, with the comments that touch the last one and no header."""
        roots = self.statements(())
        if not roots:
            return 0
        ceiling = next((entry.start for entry in self._lines if entry.kind == HEADER), len(self.text))
        return self._comments_below(roots[-1].end, ceiling)

    def last_header(self, tops: Container[str]) -> Block | None:
        """The last table below one of the top-level names."""
        paths = [path for path in self._headers if path[0] in tops]
        return self.block(paths[-1]) if paths else None

    @property
    def last_account(self) -> Block | None:
        """The last account that has a header, with its sources."""
        return self.whole(next(reversed(self._domains.values()))) if self._domains else None

    def last_of_domain(self, domain: str) -> Block | None:
        """The last account of a normalised domain that has a header, with its sources."""
        path = self._domains.get(domain)
        return self.whole(path) if path is not None else None

    def whole(self, path: KeyPath) -> Block | None:
        """From the first line of the table `path` to the last one of the tables below it; None where there is none."""
        blocks = self.blocks(path)
        return blocks[0]._replace(end=blocks[-1].end) if blocks else None

    @cached_property
    def _domains(self) -> dict[str, KeyPath]:
        """For each domain its last account, in the order of the text."""
        domains: dict[str, KeyPath] = {}
        for path in self._headers:
            if len(path) >= 2 and path[0] == "accounts":
                domain = account_address(str(path[1])).rpartition("@")[2]
                domains.pop(domain, None)
                domains[domain] = path[:2]
        return domains

    def _comments_above(self, offset: int, floor: int) -> int:
        """The start of the line at `offset`, or of the first line of the comments that touch it from above."""
        start = self.line_start(offset)
        while start > 0:
            above = self.line_start(start - 1)
            if above < floor or not self.text[above:start].lstrip(" \t").startswith("#"):
                break
            start = above
        return start

    def _comments_below(self, offset: int, ceiling: int) -> int:
        """The end of the line at `offset`, or of the last comment that touches it from below and no header."""
        end = below = self.line_end(offset)
        while (start := self.after(below)) < len(self.text):
            stop = self.line_end(start)
            line = self.text[start:stop].strip(" \t")
            if line == "":
                return below
            if start >= ceiling or not line.startswith("#"):
                return end
            below = stop
        return below

    def lines_of_element(self, path: KeyPath) -> tuple[int, int] | None:
        """The lines of an array's element: its own, and the comment lines that touch it from above.

        None for an element that shares its line with something else.
        """
        element = self._exact[path]
        begin, end = self.line_start(element.start), self.line_end(element.end)
        rest = self.text[element.end : end].lstrip(" \t")
        ended = rest.startswith(",") or (*path[:-1], int(path[-1]) + 1) not in self._exact
        if self.text[begin : element.start].strip(" \t") or not ended or rest.lstrip(", \t")[:1] not in ("", "#"):
            return None
        return self._comments_above(begin, 0), self.after(end)

    def line_start(self, offset: int) -> int:
        """The start of the line at `offset`."""
        return self.text.rfind("\n", 0, offset) + 1

    def line_end(self, offset: int) -> int:
        """The end of the line at `offset`, before its newline."""
        end = self.text.find("\n", offset)
        if end == -1:
            return len(self.text)
        return end - 1 if end > offset and self.text[end - 1] == "\r" else end

    def is_blank(self, offset: int) -> bool:
        """Whether nothing but white space stands from `offset` to the end of its line."""
        return self.text[offset : self.line_end(offset)].strip(" \t") == ""

    def newline_at(self, end: int) -> str:
        """What ends the line that ends at `end`; for the last line of a text without one, what ends the others."""
        if self.text.startswith("\r\n", end):
            return "\r\n"
        return "\n" if self.text.startswith("\n", end) else self.newline

    def end_above(self, start: int) -> int:
        """The end of the line above the one that begins at `start`, before its newline."""
        return start - 2 if self.text.endswith("\r\n", 0, start) else max(0, start - 1)

    def after(self, end: int) -> int:
        """The start of the line after one that ends at `end`."""
        if self.text.startswith("\r\n", end):
            return end + 2
        return end + 1 if self.text.startswith("\n", end) else len(self.text)

    def content_before(self, start: int) -> int:
        """The end of the last line above `start` that is not blank; 0 where there is none."""
        end = start
        while end > 0 and self.text[end - 1] in " \t\r\n":
            end -= 1
        return self.line_end(end) if end else 0

    def blank_lines_above(self, start: int) -> int:
        """How many blank lines stand directly above the line that begins at `start`."""
        return max(0, self.text.count("\n", self.content_before(start), start) - 1)


def _by_table(found: Iterable[Entry]) -> dict[KeyPath, list[Entry]]:
    tables: dict[KeyPath, list[Entry]] = {}
    for entry in found:
        tables.setdefault(entry.path[:-1], []).append(entry)
    return tables
