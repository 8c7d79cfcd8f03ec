"""Which lines of a store's text are each account's own: from its header, over its sub-tables, to the next header of something else.

Promises: an outline only of a text whose every account stands under one header of its own, in one piece; every other
style gives none, and then the whole text must be read. Not promised: anything about a text that is not a valid store.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from mailpolicy.store.locate import header_parts

# A line that begins with a bracket is a header: a valid store has no array in an array, and texts with multi-line
# strings are left alone. The usual `[accounts."a@b"]` gives its key at once.
_HEADER = re.compile(r'\n[ \t]*+\[(?:accounts\."([^"\\\n]*+)"\])?+')
LONGEST_HEADER = 4096  # an address has 318 characters at most, each of which may be written as an escape of ten


class Piece(NamedTuple):
    """A part of a text: where it begins and ends, on which line (from 1), and whose account it is; `key` is None for the rest."""

    key: str | None
    start: int
    end: int
    line: int


class Outline(NamedTuple):
    """A text cut into accounts and the rest, which is called the head wherever it stands; both in their order."""

    head: tuple[Piece, ...]
    accounts: list[Piece]


def outline(text: str) -> Outline | None:
    """Where each account of a valid store's text stands; None where one has no lines of its own."""
    if has_multiline_string(text) or text.count("\r\n") not in (0, text.count("\n")):
        return None
    head: list[Piece] = []
    accounts: list[Piece] = []
    key: str | None = None
    start, line = 0, 1
    lines = text.count
    make = tuple.__new__  # several times faster than the class itself, and there may be a million
    for match in _HEADER.finditer(text):
        following = match[1]
        begin = match.start() + 1
        if following is None:
            parts = _parts(text, match)
            if parts is None:
                return None
            if parts[0] == "accounts" and len(parts) > 1:
                if len(parts) > 2:
                    if parts[1] != key:
                        return None
                    continue
                following = parts[1]
            elif key is None:
                continue
        piece = make(Piece, (key, start, begin, line))
        (accounts if key is not None else head).append(piece)
        line += lines("\n", start, begin)
        key, start = following, begin
    (accounts if key is not None else head).append(Piece(key, start, len(text), line))
    return Outline(tuple(head), accounts)


def has_multiline_string(text: str) -> bool:
    """Whether the text may have a string over several lines, in which a line means nothing."""
    return '"""' in text or "'''" in text


def in_bytes(found: Outline, text: str, first: int) -> Outline:
    """The same outline counted in bytes of the file, whose text begins at the byte `first`."""
    if text.isascii():
        if first == 0:
            return found
        shift = first

        def moved(piece: Piece) -> Piece:
            return piece._replace(start=piece.start + shift if piece.start else 0, end=piece.end + shift)

        return Outline(tuple(map(moved, found.head)), list(map(moved, found.accounts)))
    pieces = sorted((*found.head, *found.accounts), key=lambda piece: piece.start)
    sizes = [len(text[piece.start : piece.end].encode("utf-8")) for piece in pieces]
    ends = list(accumulate(sizes, initial=first))
    starts = [0, *ends[1:-1]]
    counted = [
        Piece(piece.key, start, end, piece.line) for piece, start, end in zip(pieces, starts, ends[1:], strict=True)
    ]
    return Outline(
        tuple(piece for piece in counted if piece.key is None), [piece for piece in counted if piece.key is not None]
    )


def key_of(before: str, text: str, after: str | None) -> str | None:
    """Return the key of the account whose own lines are `text`, all of them and nothing else; None if they are not that.

    `before` is the character before it, `after` the line that follows it, None if nothing does.
    """
    if before != "\n" or not (text.endswith("\n") or after is None):
        return None
    newline = "\r\n" if "\r\n" in text else "\n"
    found = outline(f"{newline}{text}{after or ''}")
    if found is None or not found.accounts:
        return None
    first = found.accounts[0]
    if (first.start, first.end) != (len(newline), len(newline) + len(text)):
        return None
    return first.key if after is None or len(found.head) + len(found.accounts) > 2 else None


def _parts(text: str, header: re.Match[str]) -> tuple[str, ...] | None:
    """The key of a header that was found."""
    return ("accounts", header[1]) if header[1] is not None else header_parts(text, header.end() - 1)


class Cut(NamedTuple):
    """Some pieces of a file put together in their order, counted in bytes: the head, and those accounts that are asked about."""

    pieces: tuple[Piece, ...]
    data: bytes

    @property
    def _starts(self) -> list[int]:
        """Where each piece begins in `data`."""
        return list(accumulate((piece.end - piece.start for piece in self.pieces), initial=0))

    def line(self, number: int) -> int:
        """The line in the file of a line of `data`, both from 1."""
        starts = self._starts
        counted = 0
        for piece, start, end in zip(self.pieces, starts, starts[1:], strict=False):
            lines = self.data.count(b"\n", start, end)
            if number <= counted + lines or end == len(self.data):
                return piece.line + number - counted - 1
            counted += lines
        return number

    def whose(self, start: int, end: int) -> Piece | None:
        """The account's piece in which a span of `data` lies, behind its first character; None where there is none."""
        starts = self._starts
        index = bisect_right(starts, start) - 1
        if index == len(self.pieces):
            index -= 1  # the very end belongs to the last piece
        piece = self.pieces[index]
        inside = piece.key is not None and start > starts[index] and end <= starts[index + 1]
        return piece if inside else None

    def place(self, piece: Piece) -> int:
        """Where the piece begins in `data`."""
        return self._starts[self.pieces.index(piece)]


def cut(data: bytes, pieces: Sequence[Piece]) -> Cut:
    """The pieces of a file's whole content."""
    ordered = tuple(sorted(pieces, key=lambda piece: piece.start))
    return Cut(ordered, b"".join([data[piece.start : piece.end] for piece in ordered]))
