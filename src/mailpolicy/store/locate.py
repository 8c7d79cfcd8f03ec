"""Find where each key of a TOML text is written, by one scan.

The text must be one that the parser accepts. Values are skipped, never interpreted.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath

HEADER, KEY, INLINE, ELEMENT = "header", "key", "inline", "element"


class Entry(NamedTuple):
    """One header, key or array element. Offsets are in characters; the value is from `value` to `end`."""

    kind: str
    path: KeyPath
    start: int
    name: int  # start of the last part of the key
    value: int  # start of the value; for a header the end of its last key part
    end: int


# One match for the usual lines of a store, `[accounts."a@b"]` and `pop = true  # comment`, with the blank lines and
# comments above them. The quantifiers are possessive so that a long comment is not tried again piece by piece.
# Most patterns are compiled at their first use: a question or a toggle needs few of them, and re caches them.
# A match remembers each repetition of a group until it ends, so these are counted: what is longer takes several matches.
_BLANK_LINES = r"(?>(?:[ \t\r\n]++|\#[^\n]*+){0,500})"
_PAIR = r"""([A-Za-z0-9_-]+) [ \t]*+ = [ \t]*+ ([a-z]+ | "[^"\\\n]*" | '[^'\n]*' | [0-9]+)"""
_END = r"(?=[ \t]*(?:\#[^\n]*)?\r?(?:\n|\Z))"
_USUAL_LINE = rf"""{_BLANK_LINES} (?: \[ ([A-Za-z0-9_-]+) \. "([^"\\\n]*)" \] | {_PAIR} ) {_END}"""
_USUAL_PAIRS = rf"(?>(?: {_BLANK_LINES} {_PAIR} {_END} ){{0,100}})"
_BLANK = re.compile(_BLANK_LINES)
_SPACE = re.compile(r"[ \t]*")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"((?>(?:[^"\\\n]++|\\.)*))"|'([^'\n]*)'""")
_TABLE_HEADER = rf"(?s:\[[ \t]*+(?:{_PART.pattern})[ \t]*+(?>(?:\.[ \t]*+(?:{_PART.pattern})[ \t]*+)*)\])"
_STRING = r'''(?s:"""(?>(?:[^"\\]++|\\.|"{1,2}(?!"))*)"{3,5}|\'\'\'(?>(?:[^']++|'{1,2}(?!'))*)'{3,5}|"(?>(?:[^"\\\n]++|\\.)*)"|'[^'\n]*')'''
_SCALAR = r"[^\s,\]}#]+(?:[ ][0-9][^\s,\]}#]*)?"  # TOML allows one blank between a date and its time
_ESCAPE = r"\\(?:([btnfre\"\\])|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))"
_SHORT_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


def entries(text: str, only_in: Container[KeyPath] | None = None) -> Iterator[Entry]:
    """Yield every header, key and array element of a text, in the order of the text.

    If `only_in` is given, the keys of other tables may be left out, which is quicker.
    """
    table: KeyPath = ()
    array_counts: dict[KeyPath, int] = {}  # index of the last element of each array of tables
    position, size = 0, len(text)
    match_line, skip_pairs = re.compile(_USUAL_LINE, re.VERBOSE).match, re.compile(_USUAL_PAIRS, re.VERBOSE).match
    while True:
        usual = match_line(text, position)
        if usual is not None and (top := usual[1]) is None:
            start = usual.start(3)
            value, position = usual.span(4)
            yield Entry(KEY, (*table, usual[3]), start, start, value, position)
            continue
        # Once there is an array of tables, a header may lie in it, and its path needs the general code below.
        if usual is not None and not array_counts:
            first, last = usual.span(2)
            table, position = (top, usual[2]), last + 2
            yield Entry(HEADER, table, usual.start(1) - 1, first - 1, last + 1, position)
            if only_in is not None and table not in only_in:
                position = skip_pairs(text, position).end()  # type: ignore[union-attr]
            continue
        position = skip_blank(text, position)
        if position == size:
            return
        if text[position] == "[":
            doubled = text.startswith("[[", position)
            parts, name, stop = _key(text, position + 1 + doubled)
            end = text.index("]", stop) + 1 + doubled
            path = _header_path(parts, array_counts)
            if doubled:
                array_counts[path] = array_counts.get(path, -1) + 1
                path = (*path, array_counts[path])
            table = path
            yield Entry(HEADER, table, position, name, stop, end)
            position = end
        else:
            entry, inner = _statement(text, position, table, only_in)
            yield entry
            yield from inner
            position = entry.end


def find(text: str, paths: Iterable[KeyPath]) -> dict[KeyPath, Entry]:
    """Return for each path the entry that writes it, or else the first one that writes its nearest written ancestor.

    A path of which not even the first part is written is left out.
    """
    asked = set(paths)
    # With all ancestors, so that the scan can stop as soon as everything wanted is found.
    wanted = {path[:length] for path in asked for length in range(1, len(path) + 1)}
    first: dict[KeyPath, Entry] = {}
    for entry in entries(text, {path[:-1] for path in wanted}) if wanted else ():
        path = entry.path
        while path and path not in first:  # the ancestors of a path in `first` are in it too
            if path in wanted:
                first[path] = entry
            path = path[:-1]
        if len(first) == len(wanted):
            break
    found = {}
    for path in asked:
        written = next((path[:length] for length in range(len(path), 0, -1) if path[:length] in first), None)
        if written is not None:
            found[path] = first[written]
    return found


def positions(text: str, offsets: Iterable[int]) -> list[tuple[int, int]]:
    """Return line and column of each offset, both from 1, columns in characters."""
    offsets = list(offsets)
    found: dict[int, tuple[int, int]] = {}
    line, start, position = 1, 0, 0
    for offset in sorted(set(offsets)):  # in order, so that the text is scanned only once
        if newlines := text.count("\n", position, offset):
            line += newlines
            start = text.rindex("\n", position, offset) + 1
        position = offset
        found[offset] = (line, offset - start + 1)
    return [found[offset] for offset in offsets]


def header_key(text: str, position: int) -> tuple[str, ...] | None:
    """Return the key of the table header that begins at `position`; None for an array of tables or anything else."""
    return tuple(_key(text, position + 1)[0]) if re.compile(_TABLE_HEADER).match(text, position) else None


def _header_path(parts: list[str], array_counts: dict[KeyPath, int]) -> KeyPath:
    """Return the path of a header; an array of tables on the way stands for its last element, as TOML has it."""
    path: KeyPath = ()
    for index, part in enumerate(parts):
        path = (*path, part)
        if path in array_counts and index < len(parts) - 1:
            path = (*path, array_counts[path])
    return path


def _key(text: str, position: int) -> tuple[list[str], int, int]:
    """Parse a dotted key. Returns its parts, the offset of its last part, and the offset after the key."""
    parts: list[str] = []
    while True:
        match = _PART.match(text, _SPACE.match(text, position).end())  # type: ignore[union-attr]
        assert match is not None, "the parser accepted this text"
        if match[1] is not None:
            parts.append(re.sub(_ESCAPE, _unescaped, match[1]) if "\\" in match[1] else match[1])
        else:
            parts.append(match[2] if match[2] is not None else match[0])
        position = _SPACE.match(text, match.end()).end()  # type: ignore[union-attr]
        if not text.startswith(".", position):
            return parts, match.start(), match.end()
        position += 1


def header_part(text: str, header: Entry, index: int) -> tuple[int, int]:
    """Return start and end of one part of a header's key, with its quotes; `index` counts from 0."""
    return _part_at(text, text.index("[", header.start) + 1 + text.startswith("[[", header.start), index)


def key_prefix(text: str, entry: Entry, path: KeyPath) -> str:
    """Return the text of the key of a statement or an inline pair, cut off behind the part that completes `path`."""
    parts, _, _ = _key(text, entry.start)
    above = len(entry.path) - len(parts)  # parts given by the header or the inline table around it
    return text[entry.start : _part_at(text, entry.start, len(path) - above - 1)[1]]


def _part_at(text: str, position: int, index: int) -> tuple[int, int]:
    while True:
        match = _PART.match(text, _SPACE.match(text, position).end())  # type: ignore[union-attr]
        assert match is not None, "the parser accepted this text"
        if index == 0:
            return match.span()
        index -= 1
        position = _SPACE.match(text, match.end()).end() + 1  # type: ignore[union-attr]


def _unescaped(match: re.Match[str]) -> str:
    return _SHORT_ESCAPES[match[1]] if match[1] else chr(int(match[2] or match[3] or match[4], 16))


class _Container:
    """An array or an inline table that is being read.

    If its entries are `listed`, `slot` is the place of its own entry among them, which gets its end when it is closed.
    """

    __slots__ = ("count", "listed", "opening", "path", "slot")

    def __init__(self, opening: str, path: KeyPath, *, listed: bool, slot: int | None) -> None:
        self.opening = opening
        self.path = path
        self.listed = listed
        self.slot = slot
        self.count = 0


def _statement(
    text: str, position: int, table: KeyPath, only_in: Container[KeyPath] | None
) -> tuple[Entry, list[Entry]]:
    entry = _pair(text, position, table, KEY)
    end, inner = _value(text, entry.value, entry.path, only_in)
    return entry._replace(end=end), inner


def _pair(text: str, position: int, table: KeyPath, kind: str) -> Entry:
    """Return the entry of the key at `position`, whose end is unknown as yet."""
    parts, name, stop = _key(text, position)
    value = _SPACE.match(text, text.index("=", stop) + 1).end()  # type: ignore[union-attr]
    return Entry(kind, (*table, *parts), position, name, value, value)


def _value(text: str, position: int, path: KeyPath, only_in: Container[KeyPath] | None) -> tuple[int, list[Entry]]:
    """Skip the value at `position`. Returns its end and the entries inside it, none if `only_in` leaves them out."""
    if text[position] not in "[{":
        return _simple_end(text, position), []
    inner: list[Entry] = []
    # A loop and not a recursion: the parser accepts arrays in arrays, hundreds deep.
    within = [_Container(text[position], path, listed=only_in is None or path in only_in, slot=None)]
    position += 1
    while True:
        container = within[-1]
        position = skip_blank(text, position)
        sign = text[position]
        if sign == ",":
            position += 1
        elif sign in "]}":
            position += 1
            within.pop()
            if not within:
                return position, inner
            if container.slot is not None:
                inner[container.slot] = inner[container.slot]._replace(end=position)
        else:
            above = container.path if container.listed else ()  # no path is made that nobody asks for
            if container.opening == "{":
                entry = _pair(text, position, above, INLINE)
            else:
                entry = Entry(ELEMENT, (*above, container.count), position, position, position, position)
                container.count += 1
            slot = len(inner) if container.listed else None
            if (opening := text[entry.value]) in "[{":
                listed = container.listed and (only_in is None or entry.path in only_in)
                within.append(_Container(opening, entry.path, listed=listed, slot=slot))
                position = entry.value + 1
            else:
                position = _simple_end(text, entry.value)
                entry = entry._replace(end=position)
            if slot is not None:
                inner.append(entry)


def _simple_end(text: str, position: int) -> int:
    """Return the end of the string or the other simple value at `position`."""
    match = re.compile(_STRING if text[position] in "\"'" else _SCALAR).match(text, position)
    assert match is not None, "the parser accepted this text"
    return match.end()


def skip_blank(text: str, position: int) -> int:
    """Return the offset of the next character that is neither blank nor in a comment."""
    while (end := _BLANK.match(text, position).end()) > position:  # type: ignore[union-attr]
        position = end
    return position


def comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield the offset and the text of every comment, from its # to the end of the line.

    Outside comments a quote always opens a string, so strings and comments are the only tokens to be told apart.
    """
    for match in re.finditer(rf"{_STRING}|#[^\n]*", text):
        if match[0].startswith("#"):
            yield match.start(), match[0].rstrip("\r")
