"""What says where everything in a file of sealed secrets is: its first line, and the lines of its index.

Promises: a first line always has the same length; no digit in it or in the index makes the reader allocate without bound.
Not promised: that what they say is so; that is asked of their seal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailpolicy.sealed.cipher import VERSION, Key, Unsound, seal

HEADER = re.compile(rb"mailpolicy-secrets ([0-9]) ([0-9a-f]{16}) ([0-9]{12}) ([0-9]{15}) ([0-9]{12}) ([0-9a-f]{56})\n")
LINE = re.compile(rb"([!-~]* [!-~]*|)\t([0-9]{1,18})\t([0-9]{1,18})\t([0-9a-f]{56})\n")
HEADER_SIZE = 137  # bytes
LONGEST_INDEX = 1 << 28  # bytes; more than any real file's, and what a line 1 that was changed may make us read


class Header(NamedTuple):
    """The first line: which key the file is sealed with, how often it was written, where the index is, the seal."""

    key_id: str
    writes: int
    at: int
    size: int
    seal: bytes = b""

    def sealed_part(self) -> bytes:
        """The line without its seal."""
        key_id = self.key_id.encode()
        return b"mailpolicy-secrets %b %b %012d %015d %012d " % (VERSION, key_id, self.writes, self.at, self.size)

    def __bytes__(self) -> bytes:
        return self.sealed_part() + self.seal + b"\n"

    @property
    def end(self) -> int:
        """Where the file ends, or what a killed writer left begins."""
        return self.at + self.size


class Block(NamedTuple):
    """A line of the index; without a first entry it is that of a dead block."""

    first: bytes
    names: int
    size: int
    seal: bytes

    def __bytes__(self) -> bytes:
        return b"%b\t%d\t%d\t%b\n" % self


def header(line: bytes) -> Header:
    """What a first line says. Raises Unsound."""
    match = HEADER.fullmatch(line)
    if match is None or match[1] != VERSION:
        raise Unsound
    return Header(match[2].decode(), int(match[3]), int(match[4]), int(match[5]), match[6])


def lines(index: bytes) -> Iterator[Block]:
    """What an index says that is known to be sound."""
    cells = index.replace(b"\n", b"\t").split(b"\t")
    for first, names, size, sealed in zip(cells[0:-1:4], cells[1::4], cells[2::4], cells[3::4], strict=True):
        yield Block(first, int(names), int(size), sealed)


def front(key: Key, writes: int, at: int, blocks: Iterable[Block]) -> tuple[Header, bytes]:
    """The first line and the index of a file whose blocks end at `at`."""
    index = b"".join(map(bytes, blocks))
    first = Header(key.id, writes, at, len(index))
    return first._replace(seal=seal(key.index, first.sealed_part() + index)), index
