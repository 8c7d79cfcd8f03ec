"""Read an index: find the lines of some accounts, and check them against the store's own bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice, takewhile
from typing import TYPE_CHECKING, TypeVar
from zlib import crc32

from mailpolicy.policy import nearest
from mailpolicy.policy.names import NameRejected, account_address
from mailpolicy.store.index.cache import Cache, Stamp, is_own_file
from mailpolicy.store.index.format import IndexUnusable, checksum, parse_header
from mailpolicy.store.outline import LONGEST_HEADER, Piece, Subset, account_key
from mailpolicy.system.digests import quick_sha256
from mailpolicy.system.resolve import real_path

if TYPE_CHECKING:
    from sqlite3 import Connection

Read = Callable[[int, int], bytes]  # the bytes of the store from one offset to another
T = TypeVar("T")


class Index:
    """An open index. Its methods raise IndexUnusable if a checksum is wrong."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        row = connection.execute("SELECT content, seal FROM about").fetchone()
        if row is None or row[1] != crc32(row[0]):
            raise IndexUnusable("it is damaged")
        self.header = parse_header(row[0])

    def indexed_position(self, address: str) -> tuple[int, int, int] | None:
        """Return an account's start, end and line when the index was made, or None if it was not in the store."""
        block = self._block("first <= ? ORDER BY first DESC", address)
        if block is None:  # the first block begins before every address
            raise IndexUnusable("it is damaged")
        first, next_first, content = block
        if address < first or (next_first and address >= next_first):
            raise IndexUnusable("it is damaged")
        begin = content.find(f"\n{address} ")
        if begin == -1:
            return None
        start, end, line = content[begin + 1 : content.index("\n", begin + 1)].split(" ")[1:]
        return int(start), int(end), int(line)

    def find(self, address: str) -> Piece | None:
        """Return an account's piece in the store as it is now, or None if the account is not in it."""
        position = self.indexed_position(address)
        return self.moved(Piece(address, *position)) if position is not None else None

    def moved(self, piece: Piece) -> Piece:
        """Return a piece at its present position, after all edits since the index was made."""
        begin = end = lines = 0
        for start, (size, more) in self.header.growth.items():
            if start < piece.start:
                begin += size
                lines += more
            if start <= piece.start:
                end += size
        return Piece(piece.key, piece.start + begin, piece.end + end, piece.line + lines)

    def candidates(self, name: str) -> set[str]:
        """Return the addresses among which the one most like `name` is to be looked for."""
        if self.header.accounts <= nearest.COMPARE_ALL_UP_TO:
            return set(self._ascending(""))
        first, end = nearest.same_local_part_range(name)
        found = set(islice(self._ascending(name), nearest.NEIGHBOURS))
        found.update(islice(self._descending(name), nearest.NEIGHBOURS))
        found.update(islice(self._ascending(first, end), nearest.SAME_LOCAL_PART))
        return found

    def beginning_with(self, prefix: str) -> Iterator[str]:
        """Yield the addresses that begin with `prefix`, in their order."""
        return takewhile(lambda address: address.startswith(prefix), self._ascending(prefix))

    def last_beginning_with(self, prefix: str) -> str:
        """Return the last address that begins with `prefix`, of which there must be one."""
        return next(self._descending(f"{prefix}\x7f"))  # no character of an address is greater than ~

    def domains(self) -> set[str]:
        """Return the domains of all addresses."""
        found: set[str] = set()
        block = self._block("first <= ? ORDER BY first DESC", "")
        while block is not None:
            # Each line begins with an address; with a hundred thousand of them a split of the whole block is quickest.
            found.update([part.partition(" ")[0] for part in block[2].split("@")[1:]])
            block = self._block("first >= ? ORDER BY first", block[1]) if block[1] else None
        return found

    def _ascending(self, name: str, end: str | None = None) -> Iterator[str]:
        block = self._block("first <= ? ORDER BY first DESC", name)
        while block is not None:
            for address in _addresses(block[2]):
                if end is not None and address >= end:
                    return
                if address >= name:
                    yield address
            block = self._block("first >= ? ORDER BY first", block[1]) if block[1] else None

    def _descending(self, name: str) -> Iterator[str]:
        block = self._block("first <= ? ORDER BY first DESC", name)
        while block is not None:
            yield from (address for address in reversed(_addresses(block[2])) if address < name)
            block = self._block("first < ? ORDER BY first DESC", block[0]) if block[0] else None

    def _block(self, condition: str, name: str) -> tuple[str, str, str] | None:
        """Return a block's first address ("" for the first block), the next block's first address, and its lines."""
        query = f"SELECT first, beyond, content, seal FROM block WHERE {condition} LIMIT 1"
        row = self._connection.execute(query, (name,)).fetchone()
        if row is None or row[3] != checksum(*row[:3]):
            raise IndexUnusable("it is damaged")
        return row[0], row[1], row[2].decode("ascii")


def _addresses(content: str) -> list[str]:
    return [line.partition(" ")[0] for line in content.split("\n")[1:-1]]


def index_path(cache: Cache, path: str) -> str:
    """Return the path of a store's index; it depends only on the resolved path of the store."""
    return os.path.join(cache.folder, f"{quick_sha256(os.fsencode(real_path(path)))[:32]}.index")


def query(cache: Cache, path: str, ask: Callable[[Index], T]) -> T | None:
    """Open the index of the store at `path` and return what `ask` returns for it.

    Returns None, with a note to the user, if the index cannot be used; None without a note if there is none.
    """
    place = index_path(cache, path)
    if not os.path.lexists(place):
        return None
    try:
        import sqlite3
    except ImportError:  # Python can be built without it
        return None
    try:
        if not cache.folder_is_trusted():
            raise IndexUnusable(f"users other than you can write {cache.folder}")
        if not is_own_file(place):
            raise IndexUnusable("other users own it or can write it")
        # Immutable, so that SQLite does not play back a journal that somebody may have put beside it.
        name = place.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        with closing(sqlite3.connect(f"file:{name}?mode=ro&immutable=1", uri=True, isolation_level=None)) as connection:
            return ask(Index(connection))
    except IndexUnusable as why:
        cache.note(f"the index {place} is not used: {why}")
    except (sqlite3.Error, OSError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        # Whatever random bytes in the file can raise. A bug of ours would show as a note here, and not as a crash.
        cache.note(f"the index {place} is not used: it is damaged ({type(error).__name__})")
    return None


def is_current(cache: Cache, path: str, stamp: Stamp) -> bool:
    """Return whether the store with that stamp already has an index."""
    return bool(query(cache, path, lambda index: index.header.stamp == stamp and index.header.created <= cache.clock()))


def subset(cache: Cache, path: str, addresses: Iterable[str], stamp: Stamp, read: Read) -> Subset | None:
    """Return the head and the lines of some accounts of a store that is unchanged since it was indexed.

    An address that is not in the store adds nothing; if it is the only such one, the account with the most similar
    address is included, for the suggestion in the error. Returns None if the whole store must be read.
    """

    def ask(index: Index) -> Subset:
        if index.header.stamp != stamp:
            raise IndexUnusable("the store has changed since")
        if cache.clock() < index.header.created:
            raise IndexUnusable("the clock has been set back since")
        return _subset(index, addresses, stamp.size, read)

    return query(cache, path, ask)


def subset_of_content(cache: Cache, path: str, addresses: Iterable[str], content: bytes, digest: str) -> Subset | None:
    """Return the same from a store that was read as a whole and has this digest, whatever its stamp is."""

    def ask(index: Index) -> Subset:
        if index.header.digest != digest:
            raise IndexUnusable("the store has changed since")
        return _subset(index, addresses, len(content), lambda start, end: content[start:end])

    return query(cache, path, ask)


def _subset(index: Index, addresses: Iterable[str], size: int, read: Read) -> Subset:
    pieces = [index.moved(piece) for piece in index.header.head]
    head = [_content(piece, size, read) for piece in pieces]
    if quick_sha256(b"".join(head)) != index.header.head_digest:
        raise IndexUnusable("the head of the store has changed")
    texts = dict(zip(pieces, head, strict=True))
    absent = []
    for address in dict.fromkeys(addresses):
        if (piece := index.find(address)) is None:
            absent.append(address)
        else:
            texts.update([_read_verified(piece, size, read)])
    if len(absent) == 1 and (like := nearest.nearest_among(absent[0], index.candidates(absent[0]))) is not None:
        if (piece := index.find(like)) is None:
            raise IndexUnusable("it is damaged")
        texts.update([_read_verified(piece, size, read)])
    ordered = sorted(texts, key=lambda piece: piece.start)
    return Subset(tuple(ordered), b"".join([texts[piece] for piece in ordered]))


def _content(piece: Piece, size: int, read: Read) -> bytes:
    if not 0 <= piece.start <= piece.end <= size:  # else a number in the index decides how much memory is taken
        raise IndexUnusable("it is damaged")
    return read(piece.start, piece.end)


def _read_verified(piece: Piece, size: int, read: Read) -> tuple[Piece, bytes]:
    """Read the lines of an account, and return its piece with the key that they give it. Raises IndexUnusable."""
    content = _content(piece, size, read)
    # The line behind the piece must be the next header: otherwise the account has more lines than the index knows.
    following = read(piece.end, min(size, piece.end + LONGEST_HEADER)).decode("utf-8", "replace")
    after = following.partition("\n")[0] if piece.end != size else None
    key = account_key(read(piece.start - 1, piece.start).decode("ascii"), content.decode("utf-8"), after)
    try:
        address = account_address(key) if key is not None else None
    except NameRejected:
        address = None
    if address != piece.key:
        raise IndexUnusable(f"the lines of {piece.key} are not at the indexed position")
    return piece._replace(key=key), content
