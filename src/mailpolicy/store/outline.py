"""Find each account's own lines in a store's text: from its header, over its sub-tables, to the next other header.

There is an outline only if every account stands in one piece under a header of its own. For a text written in any other
style there is none, and the whole text must be parsed. The text must be that of a valid store.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from mailpolicy.store.locate import header_key

# Every line that begins with a bracket is a header: a valid store has no array in an array, and a text with multi-line
# strings gets no outline. The first group is the key of an account's header in its usual form.
_HEADER = re.compile(r'\n[ \t]*+\[(?>accounts\."([^"\\\n]*+)"\]|)')
LONGEST_HEADER = 4096  # bytes; an address has at most 318 characters, each at most ten bytes as an escape


class Piece(NamedTuple):
    """The lines of one account, or lines of the head, whose key is None. `start` and `end` are offsets."""

    key: str | None
    start: int
    end: int
    line: int  # from 1


class Outline(NamedTuple):
    """A text divided into the accounts and the head: all that is no account's, wherever it stands."""

    head: tuple[Piece, ...]
    accounts: list[Piece]


def outline(text: str) -> Outline | None:
    """Return the outline of a valid store's text, with offsets in characters; None if it is not written so."""
    if has_multiline_string(text) or text.count("\r\n") not in (0, text.count("\n")):
        return None
    head: list[Piece] = []
    accounts: list[Piece] = []
    key: str | None = None
    start, line = 0, 1
    count = text.count
    make = tuple.__new__  # several times faster than calling the class, and there may be a million pieces
    for match in _HEADER.finditer(text):
        next_key = match[1]
        begin = match.start() + 1
        if next_key is None:
            parts = header_key(text, match.end() - 1)
            if parts is None:
                return None
            if parts[0] == "accounts" and len(parts) > 1:
                if len(parts) > 2:
                    if parts[1] != key:
                        return None  # a sub-table away from its account
                    continue
                next_key = parts[1]
            elif key is None:
                continue
        piece = make(Piece, (key, start, begin, line))
        (accounts if key is not None else head).append(piece)
        line += count("\n", start, begin)
        key, start = next_key, begin
    (accounts if key is not None else head).append(Piece(key, start, len(text), line))
    return Outline(tuple(head), accounts)


def has_multiline_string(text: str) -> bool:
    """Return whether the text may contain a multi-line string, inside which any line can look like a header."""
    return '"""' in text or "'''" in text


def in_bytes(found: Outline, text: str, first: int) -> Outline:
    """Return the outline with offsets in bytes of the file, in which the text begins at the byte `first`."""
    if text.isascii() and first == 0:
        return found
    pieces = sorted((*found.head, *found.accounts), key=lambda piece: piece.start)
    sizes = [len(text[piece.start : piece.end].encode("utf-8")) for piece in pieces]
    ends = list(accumulate(sizes, initial=first))
    starts = [0, *ends[1:-1]]  # a byte order mark belongs to the first piece
    counted = [
        Piece(piece.key, start, end, piece.line) for piece, start, end in zip(pieces, starts, ends[1:], strict=True)
    ]
    return Outline(
        tuple(piece for piece in counted if piece.key is None), [piece for piece in counted if piece.key is not None]
    )


def account_key(before: str, text: str, after: str | None) -> str | None:
    """Return the key of the account whose piece is exactly `text`, or None if it is anything else.

    `before` is the character before the text, `after` the line that follows it (None at the end of the file).
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
    # The line that follows must have begun another piece: a sub-table's header would belong to this account.
    return first.key if after is None or len(found.head) + len(found.accounts) > 2 else None


class Subset(NamedTuple):
    """The head and some accounts of a file, joined in their order. Offsets of the pieces are bytes of the file."""

    pieces: tuple[Piece, ...]
    data: bytes

    @property
    def _starts(self) -> list[int]:
        return list(accumulate((piece.end - piece.start for piece in self.pieces), initial=0))

    def line(self, number: int) -> int:
        """Return the line in the file of a line of `data`, both from 1."""
        starts = self._starts
        counted = 0
        for piece, start, end in zip(self.pieces, starts, starts[1:], strict=False):
            lines = self.data.count(b"\n", start, end)
            if number <= counted + lines or end == len(self.data):
                return piece.line + number - counted - 1
            counted += lines
        return number

    def piece_at(self, start: int, end: int) -> Piece | None:
        """Return the account's piece that holds the bytes `start` to `end` of `data`, or None.

        An edit at the very start of a piece counts as outside: its text could become part of the piece before.
        """
        starts = self._starts
        index = bisect_right(starts, start) - 1
        if index == len(self.pieces):
            index -= 1  # the end of the data belongs to the last piece
        piece = self.pieces[index]
        inside = piece.key is not None and start > starts[index] and end <= starts[index + 1]
        return piece if inside else None

    def start_of(self, piece: Piece) -> int:
        """Return the offset in `data` at which a piece begins."""
        return self._starts[self.pieces.index(piece)]


def subset(data: bytes, pieces: Sequence[Piece]) -> Subset:
    """Return the subset of a file's content that has these pieces."""
    ordered = tuple(sorted(pieces, key=lambda piece: piece.start))
    return Subset(ordered, b"".join([data[piece.start : piece.end] for piece in ordered]))
