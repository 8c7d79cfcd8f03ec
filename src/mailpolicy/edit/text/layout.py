"""The layout of a store's text: its tables, and the comments that belong to each.

A comment block that touches a table's header from above belongs to that table, and so does one that touches its last
key from below without touching the next header. All other comments belong to the file.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import cached_property
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath
from mailpolicy.edit.text.lines import Lines
from mailpolicy.policy.names import account_address
from mailpolicy.store.locate import HEADER, INLINE, KEY, Entry, entries


class Table(NamedTuple):
    """A table with a header: from the start of its first line, a comment perhaps, to the end of its last."""

    start: int
    end: int
    header: Entry


class CannotWrite(Exception):
    """The text cannot be edited safely at `offset`; the message is the reason."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(why)
        self.offset = offset


class Layout(Lines):
    """All headers, statements and inline pairs of one text, scanned once."""

    def __init__(self, text: str, newline: str) -> None:
        super().__init__(text, newline)
        self._all = list(entries(text))
        self._by_path: dict[KeyPath, Entry] = {}
        for entry in self._all:
            self._by_path.setdefault(entry.path, entry)

    @cached_property
    def _written(self) -> list[Entry]:
        """Return the headers and statements, in the order of the text."""
        return [entry for entry in self._all if entry.kind == HEADER or entry.kind == KEY]

    @cached_property
    def _headers(self) -> dict[KeyPath, int]:
        """Return the index of each table's header in `_written`."""
        return {entry.path: index for index, entry in enumerate(self._written) if entry.kind == HEADER}

    @cached_property
    def _statements(self) -> dict[KeyPath, list[Entry]]:
        return _grouped((entry for entry in self._all if entry.kind == KEY), -1)

    @cached_property
    def _below(self) -> dict[KeyPath, list[Entry]]:
        return _grouped(self._written, 2)

    @cached_property
    def _pairs(self) -> dict[KeyPath, list[Entry]]:
        """Return the pairs of each inline table by the path of the table that has the braces.

        A dotted key in braces names a deeper table, but it can only be edited within these braces.
        """
        pairs: dict[KeyPath, list[Entry]] = {}
        around: list[Entry] = []  # the values that are open at the current entry, innermost last
        for entry in self._all:
            while around and around[-1].end <= entry.start:
                around.pop()
            if entry.kind == INLINE:
                pairs.setdefault(around[-1].path, []).append(entry)
            around.append(entry)
        return pairs

    @cached_property
    def _inline_tables(self) -> dict[Entry, KeyPath]:
        return {pair: table for table, pairs in self._pairs.items() for pair in pairs}

    def entry(self, path: KeyPath) -> Entry | None:
        """Return the entry that writes exactly `path`."""
        return self._by_path.get(path)

    def statements(self, table: KeyPath) -> list[Entry]:
        """Return the `key = value` statements directly in a table, but not the pairs of an inline table."""
        return self._statements.get(table, [])

    def inline_pairs(self, table: KeyPath) -> list[Entry]:
        """Return the `key = value` pairs directly in an inline table."""
        return self._pairs.get(table, [])

    def inline_table_of(self, pair: Entry) -> KeyPath:
        """Return the path of the inline table that has the braces around a pair."""
        return self._inline_tables[pair]

    def entries_for(self, path: KeyPath) -> list[Entry]:
        """Return the outermost entries that write `path` or anything below it."""
        found: list[Entry] = []
        for entry in (self.entries_below(path) if len(path) > 1 else ()) or self._all:
            inside = found and found[-1].start < entry.start < found[-1].end
            if entry.path[: len(path)] == path and not inside:
                found.append(entry)
        return found

    def entries_below(self, path: KeyPath) -> list[Entry]:
        """Return the headers and statements at and below `path`, which has at least two parts."""
        found = self._below.get(path[:2], [])
        return found if len(path) == 2 else [entry for entry in found if entry.path[: len(path)] == path]

    def first_offset(self, path: KeyPath) -> int:
        """Return the first offset at which `path`, or else its nearest written ancestor, is written; 0 if none is."""
        for length in range(len(path), 0, -1):
            if found := self.entries_for(path[:length]):
                return found[0].start
        return 0

    def enclosing_value(self, path: KeyPath) -> Entry | None:
        """Return the statement whose value contains `path`, or None."""
        for length in range(len(path) - 1, 0, -1):
            entry = self._by_path.get(path[:length])
            if entry is not None and entry.kind != INLINE:
                return entry if entry.kind == KEY else None
        return None

    def lacks(self, table: KeyPath) -> bool:
        """Return whether a table is not written yet, with a header, keys of its own or inside a value."""
        if table in self._by_path or table in self._statements:
            return False
        return self.enclosing_value((*table, "")) is None or not self.entries_for(table)

    def table(self, path: KeyPath) -> Table | None:
        """Return the table with the header `path`, without its sub-tables."""
        index = self._headers.get(path)
        if index is None:
            return None
        following = index + 1
        while following < len(self._written) and self._written[following].kind == KEY:
            following += 1
        header, last = self._written[index], self._written[following - 1]
        # Not above the entry before: lines of a multi-line string can look like comments.
        floor = self._written[index - 1].end if index else 0
        ceiling = self._written[following].start if following < len(self._written) else len(self.text)
        start = self._comments_above(header.start, floor)
        return Table(start, self._comments_below(last.end, ceiling), header)

    def tables(self, path: KeyPath) -> list[Table]:
        """Return the tables at and below `path`; those with only blank lines between them are joined into one."""
        found: list[Table] = []
        for entry in self.entries_below(path):
            if entry.kind != HEADER or (table := self.table(entry.path)) is None:
                continue
            if found and self.text[found[-1].end : table.start].strip() == "":
                found[-1] = found[-1]._replace(end=table.end)
            else:
                found.append(table)
        return found

    def with_subtables(self, path: KeyPath) -> Table | None:
        """Return the table `path` extended to the end of its last sub-table, or None if it has no header."""
        tables = self.tables(path)
        return tables[0]._replace(end=tables[-1].end) if tables else None

    def last_below(self, path: KeyPath) -> Table | None:
        """Return the last sub-table of a table, or None if it has none with a header."""
        headers = [entry for entry in self.entries_below(path) if entry.kind == HEADER and len(entry.path) > len(path)]
        return self.table(headers[-1].path) if headers else None

    def last_dotted(self, path: KeyPath) -> Entry | None:
        """Return the last key of a table that is written with dotted keys only, or None if it is not."""
        found = self.entries_below(path)
        return (
            found[-1] if found and all(entry.kind == KEY and len(entry.path) > len(path) for entry in found) else None
        )

    def last_table(self, tops: Container[str]) -> Table | None:
        """Return the last table whose path begins with one of these names."""
        paths = [path for path in self._headers if path[0] in tops]
        return self.table(paths[-1]) if paths else None

    def following(self, table: Table) -> Table | None:
        """Return the table whose header comes next, or None if there is none."""
        below = (path for path, index in self._headers.items() if self._written[index].start >= table.end)
        return self.table(path) if (path := next(below, None)) is not None else None

    @property
    def last_account(self) -> Table | None:
        """Return the last account that has a header, with its sources."""
        return self.with_subtables(next(reversed(self._last_by_domain.values()))) if self._last_by_domain else None

    def last_of_domain(self, domain: str) -> Table | None:
        """Return the last account of a normalised domain that has a header, with its sources."""
        path = self._last_by_domain.get(domain)
        return self.with_subtables(path) if path is not None else None

    @cached_property
    def _last_by_domain(self) -> dict[str, KeyPath]:
        """Return the last account of each domain, in the order of the text."""
        domains: dict[str, KeyPath] = {}
        for path in self._headers:
            if len(path) >= 2 and path[0] == "accounts":
                domain = account_address(str(path[1])).rpartition("@")[2]
                domains.pop(domain, None)  # so that it moves to the end
                domains[domain] = path[:2]
        return domains

    @property
    def end_of_root_keys(self) -> int:
        """Return the end of the keys above the first header, dotted ones too, and of the comments that belong to them."""
        first = min(self._headers.values(), default=len(self._written))
        if first == 0:
            return 0
        ceiling = self._written[first].start if first < len(self._written) else len(self.text)
        return self._comments_below(self._written[first - 1].end, ceiling)

    def _comments_above(self, offset: int, floor: int) -> int:
        """Return the start of the line at `offset`, or of the comments that touch it from above; not above `floor`."""
        start = self.line_start(offset)
        while start > 0:
            above = self.line_start(start - 1)
            if above < floor or not self.is_comment(above, start):
                break
            start = above
        return start

    def _comments_below(self, offset: int, ceiling: int) -> int:
        """Return the end of the line at `offset`, or of the comments that touch it from below.

        Comments that also touch the entry at `ceiling` belong to that one.
        """
        end = below = self.line_end(offset)
        while (start := self.next_line(below)) < len(self.text):
            stop = self.line_end(start)
            if self.is_blank(start):
                return below
            if start >= ceiling or not self.is_comment(start, stop):
                return end
            below = stop
        return below

    def lines_of_element(self, path: KeyPath) -> tuple[int, int] | None:
        """Return start and end of the lines of an array's element, with the comments that touch it from above.

        Returns None if the element shares a line with anything else.
        """
        element = self._by_path[path]
        begin, end = self.line_start(element.start), self.line_end(element.end)
        rest = self.text[element.end : end].lstrip(" \t")
        # With the comma on another line, the lines of the element cannot simply be removed.
        ended = rest.startswith(",") or (*path[:-1], int(path[-1]) + 1) not in self._by_path
        if self.text[begin : element.start].strip(" \t") or not ended or rest.lstrip(", \t")[:1] not in ("", "#"):
            return None
        return self._comments_above(begin, 0), self.next_line(end)


def _grouped(found: Iterable[Entry], length: int) -> dict[KeyPath, list[Entry]]:
    """Group entries by the first `length` parts of their paths."""
    groups: dict[KeyPath, list[Entry]] = {}
    for entry in found:
        groups.setdefault(entry.path[:length], []).append(entry)
    return groups
