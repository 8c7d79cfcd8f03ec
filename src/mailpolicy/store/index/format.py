"""The format of an index: its header, its blocks and their checksums, and the version it belongs to."""

from __future__ import annotations

import functools
import os
from contextlib import suppress
from typing import NamedTuple
from zlib import crc32

import mailpolicy
from mailpolicy.store.index.cache import Stamp
from mailpolicy.store.outline import Piece
from mailpolicy.system.digests import quick_sha256

ACCOUNTS_PER_BLOCK = 64

_FORMAT = "mailpolicy index 2"
# An index records that these modules found no error in the store; another version of any of them may find one.
_VALIDATOR_MODULES = (
    *("policy/lan", "policy/model", "policy/names", "policy/networks", "policy/service"),
    *("store/document", "store/locate", "store/outline", "store/schema", "store/tables"),
)


class IndexUnusable(Exception):
    """An index cannot be used; the text is the reason."""


class IndexHeader(NamedTuple):
    """The facts that an index records about the whole store."""

    stamp: Stamp
    created: int  # ns since 1970, by the clock that stamps files
    digest: str  # SHA-256 of the whole store
    head_digest: str
    accounts: int
    head: tuple[Piece, ...]
    growth: dict[int, tuple[int, int]]  # of edited pieces, by their start when indexed: bytes and lines

    def to_bytes(self) -> bytes:
        """Return the header as it is stored."""
        lines = (
            f"{_FORMAT} {validator_fingerprint()}",
            " ".join(map(str, self.stamp)),
            f"{self.created} {self.accounts} {self.digest} {self.head_digest}",
            " ".join(f"{piece.start},{piece.end},{piece.line}" for piece in self.head),
            " ".join(f"{start},{size},{lines}" for start, (size, lines) in self.growth.items()),
        )
        return "\n".join(lines).encode("ascii")


def parse_header(content: bytes) -> IndexHeader:
    """Parse a stored header. Raises IndexUnusable if another version wrote it, ValueError if it is malformed."""
    version, stamp, facts, head, growth = content.decode("ascii").split("\n")
    if version != f"{_FORMAT} {validator_fingerprint()}":
        raise IndexUnusable("it was written by another version")
    created, count, digest, head_digest = facts.split(" ")
    edited = [tuple(map(int, piece.split(","))) for piece in growth.split(" ") if piece]
    return IndexHeader(
        Stamp(*map(int, stamp.split(" "))),
        int(created),
        digest,
        head_digest,
        int(count),
        tuple(Piece(None, *map(int, piece.split(","))) for piece in head.split(" ") if piece),
        {start: (size, lines) for start, size, lines in edited},
    )


@functools.cache
def validator_fingerprint() -> str:
    """Return a hash over the sizes and times of the modules that validate a store, and of the TOML parser."""
    import tomli

    package = os.path.dirname(mailpolicy.__file__)
    facts = [mailpolicy.__version__]
    for path in (*(os.path.join(package, f"{name}.py") for name in _VALIDATOR_MODULES), tomli.__file__):
        with suppress(OSError):
            found = os.stat(path)
            facts.append(f"{found.st_size} {found.st_mtime_ns}")
    return quick_sha256("\n".join(facts).encode())[:16]


def checksum(first: str, next_first: str, content: bytes) -> int:
    """Return the checksum of a block and of the addresses that bound it."""
    return crc32(content, crc32(f"{first} {next_first} ".encode()))
