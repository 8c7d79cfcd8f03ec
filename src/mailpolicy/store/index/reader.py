"""An index that is read: where some accounts of a store stand, checked against the store's own bytes.

Promises: a wrong index gives no answer. Not promised: that there is one.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from zlib import crc32

import mailpolicy
from mailpolicy.policy import nearest
from mailpolicy.policy.names import NameRejected, account_address
from mailpolicy.store.index.cache import Cache, Stamp, is_own_file
from mailpolicy.store.outline import LONGEST_HEADER, Cut, Piece, key_of

if TYPE_CHECKING:
    from sqlite3 import Connection

_FORMAT = "mailpolicy index 2"
# Whose judgement an index keeps: another version of any of these may find an error where this one found none.
_JUDGES = (
    *("policy/lan", "policy/model", "policy/names", "policy/networks", "policy/service"),
    *("store/document", "store/locate", "store/outline", "store/schema", "store/tables"),
)
BLOCK = 64  # accounts that are sealed together

Read = Callable[[int, int], bytes]  # the bytes of the store from one offset to another


Answer = TypeVar("Answer")


class Unusable(Exception):
    """Why an index is not used."""


class About(NamedTuple):
    """What an index says of the whole store. `moves`: for the start of an edited piece its growth in bytes and lines."""

    stamp: Stamp
    made: int  # by the clock that stamps files
    digest: str  # SHA-256 of the whole store
    head_digest: str
    accounts: int
    head: tuple[Piece, ...]
    moves: dict[int, tuple[int, int]]

    def written(self) -> bytes:
        """As it is kept."""
        lines = (
            f"{_FORMAT} {_judges()}",
            " ".join(map(str, self.stamp)),
            f"{self.made} {self.accounts} {self.digest} {self.head_digest}",
            " ".join(f"{piece.start},{piece.end},{piece.line}" for piece in self.head),
            " ".join(f"{start},{size},{lines}" for start, (size, lines) in self.moves.items()),
        )
        return "\n".join(lines).encode("ascii")


@functools.cache
def _judges() -> str:
    """A name for the code that judges a store, made of its files' sizes and times, as Python does for compiled modules."""
    import tomli

    here = os.path.dirname(mailpolicy.__file__)
    files = [os.path.join(here, f"{name}.py") for name in _JUDGES]
    facts = [mailpolicy.__version__]
    for path in (*files, tomli.__file__):
        with suppress(OSError):
            found = os.stat(path)
            facts.append(f"{found.st_size} {found.st_mtime_ns}")
    return short_digest("\n".join(facts).encode())[:16]


def _read_about(content: bytes) -> About:
    name, stamp, facts, head, moves = content.decode("ascii").split("\n")
    if name != f"{_FORMAT} {_judges()}":
        raise Unusable("it is of another version")
    made, count, digest, head_digest = facts.split(" ")
    pieces = [Piece(None, *map(int, piece.split(","))) for piece in head.split(" ") if piece]
    moved = [tuple(map(int, move.split(","))) for move in moves.split(" ") if move]
    return About(
        Stamp(*map(int, stamp.split(" "))),
        int(made),
        digest,
        head_digest,
        int(count),
        tuple(pieces),
        {start: (size, lines) for start, size, lines in moved},
    )


class Index:
    """An open index."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        row = connection.execute("SELECT content, seal FROM about").fetchone()
        if row is None or row[1] != crc32(row[0]):
            raise Unusable("it is damaged")
        self.about = _read_about(row[0])

    def row(self, address: str) -> tuple[int, int, int] | None:
        """Where the account stood when the index was made: start, end and line; None where there is none."""
        lines = self._block("first <= ? ORDER BY first DESC", address)
        assert lines is not None, "the first block begins before every address"
        first, beyond, content = lines
        if address < first or (beyond and address >= beyond):
            raise Unusable("it is damaged")
        begin = content.find(f"\n{address} ")
        if begin == -1:
            return None
        start, end, line = content[begin + 1 : content.index("\n", begin + 1)].split(" ")[1:]
        return int(start), int(end), int(line)

    def find(self, address: str) -> Piece | None:
        """Where the account stands now; None where the store has none of that address."""
        row = self.row(address)
        return self.moved(Piece(address, *row)) if row is not None else None

    def moved(self, piece: Piece) -> Piece:
        """Where a piece stands after the edits since the index was made."""
        begin = end = lines = 0
        for start, (grown, more) in self.about.moves.items():
            if start < piece.start:
                begin += grown
                lines += more
            if start <= piece.start:
                end += grown
        return Piece(piece.key, piece.start + begin, piece.end + end, piece.line + lines)

    def near(self, name: str) -> set[str]:
        """Those addresses among which the one most like `name` is looked for."""
        if self.about.accounts <= nearest.FEW:
            return set(self._upwards(""))
        first, beyond = nearest.namesakes(name)
        found = set(_at_most(nearest.AROUND, self._upwards(name)))
        found.update(_at_most(nearest.AROUND, self._downwards(name)))
        found.update(_at_most(nearest.ELSEWHERE, (other for other in self._upwards(first, beyond))))
        return found

    def beginning_with(self, prefix: str) -> Iterator[str]:
        """Yield the addresses that begin with `prefix`, in their order."""
        return takewhile(lambda address: address.startswith(prefix), self._upwards(prefix))

    def last_beginning_with(self, prefix: str) -> str:
        """Return the last address that begins with `prefix`, of which there is one."""
        return next(self._downwards(f"{prefix}\x7f"))  # no address has a character beyond ~

    def _upwards(self, name: str, beyond: str | None = None) -> Iterator[str]:
        lines = self._block("first <= ? ORDER BY first DESC", name)
        while lines is not None:
            for address in _addresses(lines[2]):
                if beyond is not None and address >= beyond:
                    return
                if address >= name:
                    yield address
            lines = self._block("first >= ? ORDER BY first", lines[1]) if lines[1] else None

    def _downwards(self, name: str) -> Iterator[str]:
        lines = self._block("first <= ? ORDER BY first DESC", name)
        while lines is not None:
            yield from (address for address in reversed(_addresses(lines[2])) if address < name)
            lines = self._block("first < ? ORDER BY first DESC", lines[0]) if lines[0] else None

    def _block(self, where: str, name: str) -> tuple[str, str, str] | None:
        """The first address of a block (of the first block: nothing), that of the next one, and its lines."""
        query = f"SELECT first, beyond, content, seal FROM block WHERE {where} LIMIT 1"
        row = self._connection.execute(query, (name,)).fetchone()
        if row is None or row[3] != seal(*row[:3]):
            raise Unusable("it is damaged")
        return row[0], row[1], row[2].decode("ascii")


def _at_most(count: int, names: Iterator[str]) -> list[str]:
    return [name for name, _ in zip(names, range(count), strict=False)]


def _addresses(content: str) -> list[str]:
    return [line.partition(" ")[0] for line in content.split("\n")[1:-1]]


def seal(first: str, beyond: str, content: bytes) -> int:
    """What a block and the addresses between which it stands must add up to."""
    return crc32(content, crc32(f"{first} {beyond} ".encode()))


def place_of(cache: Cache, path: str) -> str:
    """The file of a store's index, by where the store lies."""
    return os.path.join(cache.folder, f"{short_digest(os.fsencode(os.path.realpath(path)))[:32]}.index")


def short_digest(content: bytes) -> str:
    """For short texts: hashlib loads all of OpenSSL, which takes more time and memory than the rest of a look-up."""
    sha256: Callable[[bytes], object]
    try:
        from _sha2 import sha256  # type: ignore[import-not-found, no-redef]
    except ImportError:
        try:
            from _sha256 import sha256  # type: ignore[import-not-found, no-redef]
        except ImportError:
            from hashlib import sha256
    return str(sha256(content).hexdigest())  # type: ignore[attr-defined]


def digest(content: bytes) -> str:
    """The SHA-256 of a whole store."""
    from hashlib import sha256

    return sha256(content).hexdigest()


def asked(cache: Cache, path: str, ask: Callable[[Index], Answer]) -> Answer | None:
    """What the index of a store answers; None where there is none or it cannot be used, with a note why not."""
    place = place_of(cache, path)
    if not os.path.lexists(place):
        return None
    try:
        import sqlite3
    except ImportError:
        return None
    try:
        if not cache.trusted():
            raise Unusable(f"{cache.folder} is not this user's alone")
        if not is_own_file(place):
            raise Unusable("it is not this user's alone")
        # Immutable: a journal beside it, which somebody may have put there, is not played back.
        name = place.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        with closing(sqlite3.connect(f"file:{name}?mode=ro&immutable=1", uri=True, isolation_level=None)) as connection:
            return ask(Index(connection))
    except Unusable as why:
        cache.note(f"the index {place} is not used: {why}")
    except (sqlite3.Error, OSError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        cache.note(f"the index {place} is not used: it is damaged ({type(error).__name__})")
    return None


def is_current(cache: Cache, path: str, stamp: Stamp) -> bool:
    """Whether a store with that stamp has its index already."""
    return bool(asked(cache, path, lambda index: index.about.stamp == stamp and index.about.made <= cache.clock()))


def cut(cache: Cache, path: str, addresses: Iterable[str], stamp: Stamp, read: Read) -> Cut | None:
    """The head and the lines of the accounts that are asked about, of a store that is as it was when it was indexed.

    An address that is not in the store adds none; where it is the only one, the account with the address most like it
    is there for it. None where the whole store must be read.
    """

    def ask(index: Index) -> Cut:
        if index.about.stamp != stamp:
            raise Unusable("the store has changed since")
        if cache.clock() < index.about.made:
            raise Unusable("the clock has gone back since")
        return _cut(index, addresses, stamp.size, read)

    return asked(cache, path, ask)


def cut_content(cache: Cache, path: str, addresses: Iterable[str], content: bytes, name: str) -> Cut | None:
    """The same of a store that was read wholly; its stamp does not matter, as its digest `name` does."""

    def ask(index: Index) -> Cut:
        if index.about.digest != name:
            raise Unusable("the store has changed since")
        return _cut(index, addresses, len(content), lambda start, end: content[start:end])

    return asked(cache, path, ask)


def _cut(index: Index, addresses: Iterable[str], size: int, read: Read) -> Cut:
    pieces = [index.moved(piece) for piece in index.about.head]
    head = [read(piece.start, piece.end) for piece in pieces]
    if short_digest(b"".join(head)) != index.about.head_digest:
        raise Unusable("the head of the store is another one")
    texts = dict(zip(pieces, head, strict=True))
    absent = []
    for address in dict.fromkeys(addresses):
        if (piece := index.find(address)) is None:
            absent.append(address)
        else:
            texts.update([_checked(piece, size, read)])
    if len(absent) == 1 and (like := nearest.most_like(absent[0], index.near(absent[0]))) is not None:
        if (piece := index.find(like)) is None:
            raise Unusable("it is damaged")
        texts.update([_checked(piece, size, read)])
    ordered = sorted(texts, key=lambda piece: piece.start)
    return Cut(tuple(ordered), b"".join([texts[piece] for piece in ordered]))


def _checked(piece: Piece, size: int, read: Read) -> tuple[Piece, bytes]:
    """The account's own lines, and the key by which they name it."""
    content = read(piece.start, piece.end)
    following = read(piece.end, min(size, piece.end + LONGEST_HEADER)).decode("utf-8", "replace")
    after = following.partition("\n")[0] if piece.end != size else None
    key = key_of(read(piece.start - 1, piece.start).decode("ascii"), content.decode("utf-8"), after)
    try:
        known = account_address(key) if key is not None else None
    except NameRejected:
        known = None
    if known != piece.key:
        raise Unusable(f"the lines of {piece.key} are not where it says")
    return piece._replace(key=key), content
