"""Where each key of a TOML text is written: a scan of a text that the reading parser has accepted.

Promises: for every table header, key and array element its path and its span in the text. Not promised: anything
about a text that the parser refuses; values are skipped, never interpreted.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath

HEADER, KEY, INLINE, ELEMENT = "header", "key", "inline", "element"


class Entry(NamedTuple):
    """One written thing. Offsets count characters: `start` of the key or bracket, `value` to `end` the value."""

    kind: str
    path: KeyPath
    start: int
    name: int  # where the last part of the key begins
    value: int  # where the value begins; for a header where its last key part ends
    end: int


# What nearly every line of a store looks like, with the blank lines and comments above it: `[accounts."a@b"]` or
# `pop = true  # why`. The possessive quantifiers keep a long comment from being tried in pieces.
_GAP = r"(?:[ \t\r\n]++|\#[^\n]*+)*+"
_PAIR = r"""([A-Za-z0-9_-]+) [ \t]*+ = [ \t]*+ ([a-z]+ | "[^"\\\n]*" | '[^'\n]*' | [0-9]+)"""
_END = r"(?=[ \t]*(?:\#[^\n]*)?\r?(?:\n|\Z))"
_PLAIN = re.compile(rf"""{_GAP} (?: \[ ([A-Za-z0-9_-]+) \. "([^"\\\n]*)" \] | {_PAIR} ) {_END}""", re.VERBOSE)
_PLAIN_PAIRS = re.compile(rf"(?: {_GAP} {_PAIR} {_END} )*+", re.VERBOSE)
_BLANK = re.compile(_GAP)
_SPACE = re.compile(r"[ \t]*")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"((?:[^"\\\n]++|\\.)*+)"|'([^'\n]*)'""")
_TABLE_HEADER = re.compile(
    rf"\[[ \t]*+(?:{_PART.pattern})[ \t]*+(?:\.[ \t]*+(?:{_PART.pattern})[ \t]*+)*+\]", re.DOTALL
)
_STRING = re.compile(
    r'''"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}|\'\'\'(?:[^']++|'{1,2}(?!'))*+'{3,5}|"(?:[^"\\\n]++|\\.)*+"|'[^'\n]*\'''',
    re.DOTALL,
)
_STRING_OR_COMMENT = re.compile(rf"{_STRING.pattern}|#[^\n]*", re.DOTALL)
_SCALAR = re.compile(r"[^\s,\]}#]+(?:[ ][0-9][^\s,\]}#]*)?")  # the blank is the one a date and its time may have
_ESCAPE = re.compile(r"\\(?:([btnfre\"\\])|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8}))")
_SHORT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


def entries(text: str, of: Container[KeyPath] | None = None) -> Iterator[Entry]:
    """Every header, key and array element of the text, in the order in which they are written.

    With `of` the keys of other tables may be left out.
    """
    table: KeyPath = ()
    tables: dict[KeyPath, int] = {}  # arrays of tables: how many headers so far
    position, size = 0, len(text)
    plainly, skipping = _PLAIN.match, _PLAIN_PAIRS.match
    while True:
        plain = plainly(text, position)
        if plain is not None and (top := plain[1]) is None:
            start = plain.start(3)
            value, position = plain.span(4)
            yield Entry(KEY, (*table, plain[3]), start, start, value, position)
            continue
        if plain is not None and not tables:
            first, last = plain.span(2)
            table, position = (top, plain[2]), last + 2
            yield Entry(HEADER, table, plain.start(1) - 1, first - 1, last + 1, position)
            if of is not None and table not in of:
                position = skipping(text, position).end()  # type: ignore[union-attr]
            continue
        position = _BLANK.match(text, position).end()  # type: ignore[union-attr]
        if position == size:
            return
        if text[position] == "[":
            doubled = text.startswith("[[", position)
            parts, name, stop = _key(text, position + 1 + doubled)
            end = text.index("]", stop) + 1 + doubled
            path = _under_last(parts, tables)
            if doubled:
                tables[path] = tables.get(path, -1) + 1
                path = (*path, tables[path])
            table = path
            yield Entry(HEADER, table, position, name, stop, end)
            position = end
        else:
            entry, inner = _pair(text, position, table, KEY, of)
            yield entry
            yield from inner
            position = entry.end


def find(text: str, paths: Iterable[KeyPath]) -> dict[KeyPath, Entry]:
    """For each path the entry that writes it, or else the first one that writes its nearest written ancestor.

    A path of which not even the first part is written is left out.
    """
    asked = set(paths)
    wanted = {path[:length] for path in asked for length in range(1, len(path) + 1)}
    first: dict[KeyPath, Entry] = {}
    for entry in entries(text, {path[:-1] for path in wanted}) if wanted else ():
        path = entry.path
        while path and path not in first:  # what is found has its ancestors found
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


def places(text: str, offsets: Iterable[int]) -> list[tuple[int, int]]:
    """Line and column of each offset, both from 1, columns in characters."""
    offsets = list(offsets)
    found: dict[int, tuple[int, int]] = {}
    line, start, position = 1, 0, 0
    for offset in sorted(set(offsets)):  # so that each part of the text is looked at once
        if newlines := text.count("\n", position, offset):
            line += newlines
            start = text.rindex("\n", position, offset) + 1
        position = offset
        found[offset] = (line, offset - start + 1)
    return [found[offset] for offset in offsets]


def header_parts(text: str, position: int) -> tuple[str, ...] | None:
    """The key of the table header whose bracket stands at `position`; None for an array of tables or what is no header."""
    return tuple(_key(text, position + 1)[0]) if _TABLE_HEADER.match(text, position) else None


def _under_last(parts: list[str], tables: dict[KeyPath, int]) -> KeyPath:
    """The path of a header, where every array of tables on the way stands for its last element."""
    path: KeyPath = ()
    for index, part in enumerate(parts):
        path = (*path, part)
        if path in tables and index < len(parts) - 1:
            path = (*path, tables[path])
    return path


def _key(text: str, position: int) -> tuple[list[str], int, int]:
    """The parts of a dotted key, where its last part begins, and where the key ends."""
    parts: list[str] = []
    while True:
        match = _PART.match(text, _SPACE.match(text, position).end())  # type: ignore[union-attr]
        assert match is not None, "the parser accepted this text"
        if match[1] is not None:
            parts.append(_ESCAPE.sub(_unescaped, match[1]))
        else:
            parts.append(match[2] if match[2] is not None else match[0])
        position = _SPACE.match(text, match.end()).end()  # type: ignore[union-attr]
        if not text.startswith(".", position):
            return parts, match.start(), match.end()
        position += 1


def part_of_header(text: str, header: Entry, index: int) -> tuple[int, int]:
    """Where one part of a header's key stands, with its quotes; `index` counts from 0."""
    return _part_of(text, text.index("[", header.start) + 1 + text.startswith("[[", header.start), index)


def key_above(text: str, entry: Entry, path: KeyPath) -> str:
    """The dotted key of a statement or an inline pair, cut off where it names `path`, which lies above its own."""
    parts, _, _ = _key(text, entry.start)
    above = len(entry.path) - len(parts)  # parts that the header or the value around it says
    return text[entry.start : _part_of(text, entry.start, len(path) - above - 1)[1]]


def _part_of(text: str, position: int, index: int) -> tuple[int, int]:
    while True:
        match = _PART.match(text, _SPACE.match(text, position).end())  # type: ignore[union-attr]
        assert match is not None, "the parser accepted this text"
        if index == 0:
            return match.span()
        index -= 1
        position = _SPACE.match(text, match.end()).end() + 1  # type: ignore[union-attr]


def _unescaped(match: re.Match[str]) -> str:
    return _SHORT[match[1]] if match[1] else chr(int(match[2] or match[3] or match[4], 16))


def _pair(
    text: str, position: int, table: KeyPath, kind: str, of: Container[KeyPath] | None
) -> tuple[Entry, list[Entry]]:
    parts, name, stop = _key(text, position)
    path = (*table, *parts)
    value = _SPACE.match(text, text.index("=", stop) + 1).end()  # type: ignore[union-attr]
    end, inner = _value(text, value, path, of)
    return Entry(kind, path, position, name, value, end), inner


def _value(text: str, position: int, path: KeyPath, of: Container[KeyPath] | None) -> tuple[int, list[Entry]]:
    """Where the value at `position` ends, and what is written inside it; nothing where `of` does not ask for it."""
    opening = text[position]
    if opening not in "[{":
        match = (_STRING if opening in "\"'" else _SCALAR).match(text, position)
        assert match is not None, "the parser accepted this text"
        return match.end(), []
    inner: list[Entry] = []
    position += 1
    count = 0
    while text[position := _BLANK.match(text, position).end()] not in "]}":  # type: ignore[union-attr]
        if text[position] == ",":
            position += 1
            continue
        if opening == "{":
            entry, deeper = _pair(text, position, path, INLINE, of)
        else:
            end, deeper = _value(text, position, (*path, count), of)
            entry = Entry(ELEMENT, (*path, count), position, position, position, end)
            count += 1
        if of is None or path in of:
            inner.append(entry)
            inner += deeper
        position = entry.end
    return position + 1, inner


def comments(text: str) -> Iterator[tuple[int, str]]:
    """Every comment: its offset, and its text from the # to the end of the line.

    Outside comments a quote always opens a string, so that strings and comments are the only tokens to tell apart.
    """
    for match in _STRING_OR_COMMENT.finditer(text):
        if match[0].startswith("#"):
            yield match.start(), match[0].rstrip("\r")
