"""A compiled index of a large store, kept in the user's cache as Python keeps its compiled modules.

Promises: it says where an account's lines stand, never what they say; what it says is sealed and checked against the
store, so that a wrong one costs time and gives no answer; it is made only of a store that was wholly validated. No
policy, no secret, no error: whoever cannot use or write one does without. Not promised: that there is one.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from zlib import crc32

from mailpolicy import __version__, nearest
from mailpolicy.cache import Cache, Stamp, is_own_file
from mailpolicy.errors import StoreError
from mailpolicy.files import opened, read_whole
from mailpolicy.names import NameRejected, account_address
from mailpolicy.slices import LONGEST_HEADER, Cut, Outline, Piece, key_of

if TYPE_CHECKING:
    from sqlite3 import Connection

_FORMAT = "mailpolicy index 2"
# Whose judgement an index keeps: another version of any of these may find an error where this one found none.
_JUDGES = ("schema", "keys", "policy", "names", "networks", "lan", "slices", "locate", "document")
_BLOCK = 64  # accounts that are sealed together
_MOST_HEAD = 4096  # pieces of the head; with more, a store is not of the kind that an index helps
_MOST_MOVES = 1024  # edited accounts, before the index is made anew
_ABANDONED = 3600  # seconds after which nobody is still writing a temporary file
_OLD = 30 * 24 * 3600  # seconds after which an index that nobody made again is cleared away

Read = Callable[[int, int], bytes]  # the bytes of the store from one offset to another


Answer = TypeVar("Answer")


class _Unusable(Exception):
    """Why an index is not used."""


class _About(NamedTuple):
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

    here = os.path.dirname(__file__)
    files = [os.path.join(here, f"{name}.py") for name in _JUDGES]
    facts = [__version__]
    for path in (*files, tomli.__file__):
        with suppress(OSError):
            found = os.stat(path)
            facts.append(f"{found.st_size} {found.st_mtime_ns}")
    return _sha256("\n".join(facts).encode())[:16]


def _read_about(content: bytes) -> _About:
    name, stamp, facts, head, moves = content.decode("ascii").split("\n")
    if name != f"{_FORMAT} {_judges()}":
        raise _Unusable("it is of another version")
    made, count, digest, head_digest = facts.split(" ")
    pieces = [Piece(None, *map(int, piece.split(","))) for piece in head.split(" ") if piece]
    moved = [tuple(map(int, move.split(","))) for move in moves.split(" ") if move]
    return _About(
        Stamp(*map(int, stamp.split(" "))),
        int(made),
        digest,
        head_digest,
        int(count),
        tuple(pieces),
        {start: (size, lines) for start, size, lines in moved},
    )


class _Index:
    """An open index."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        row = connection.execute("SELECT content, seal FROM about").fetchone()
        if row is None or row[1] != crc32(row[0]):
            raise _Unusable("it is damaged")
        self.about = _read_about(row[0])

    def row(self, address: str) -> tuple[int, int, int] | None:
        """Where the account stood when the index was made: start, end and line; None where there is none."""
        lines = self._block("first <= ? ORDER BY first DESC", address)
        assert lines is not None, "the first block begins before every address"
        first, beyond, content = lines
        if address < first or (beyond and address >= beyond):
            raise _Unusable("it is damaged")
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
        if row is None or row[3] != _seal(*row[:3]):
            raise _Unusable("it is damaged")
        return row[0], row[1], row[2].decode("ascii")


def _at_most(count: int, names: Iterator[str]) -> list[str]:
    return [name for name, _ in zip(names, range(count), strict=False)]


def _addresses(content: str) -> list[str]:
    return [line.partition(" ")[0] for line in content.split("\n")[1:-1]]


def _seal(first: str, beyond: str, content: bytes) -> int:
    return crc32(content, crc32(f"{first} {beyond} ".encode()))


def _place(cache: Cache, path: str) -> str:
    """The file of a store's index, by where the store lies."""
    return os.path.join(cache.folder, f"{_sha256(os.fsencode(os.path.realpath(path)))[:32]}.index")


def _sha256(content: bytes) -> str:
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


def _asked(cache: Cache, path: str, ask: Callable[[_Index], Answer]) -> Answer | None:
    """What the index of a store answers; None where there is none or it cannot be used, with a note why not."""
    place = _place(cache, path)
    if not os.path.lexists(place):
        return None
    try:
        import sqlite3
    except ImportError:
        return None
    try:
        if not cache.trusted():
            raise _Unusable(f"{cache.folder} is not this user's alone")
        if not is_own_file(place):
            raise _Unusable("it is not this user's alone")
        # Immutable: a journal beside it, which somebody may have put there, is not played back.
        name = place.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        with closing(sqlite3.connect(f"file:{name}?mode=ro&immutable=1", uri=True, isolation_level=None)) as connection:
            return ask(_Index(connection))
    except _Unusable as why:
        cache.note(f"the index {place} is not used: {why}")
    except (sqlite3.Error, OSError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        cache.note(f"the index {place} is not used: it is damaged ({type(error).__name__})")
    return None


def is_current(cache: Cache, path: str, stamp: Stamp) -> bool:
    """Whether a store with that stamp has its index already."""
    return bool(_asked(cache, path, lambda index: index.about.stamp == stamp and index.about.made <= cache.clock()))


def cut(cache: Cache, path: str, addresses: Iterable[str], stamp: Stamp, read: Read) -> Cut | None:
    """The head and the lines of the accounts that are asked about, of a store that is as it was when it was indexed.

    An address that is not in the store adds none; where it is the only one, the account with the address most like it
    is there for it. None where the whole store must be read.
    """

    def ask(index: _Index) -> Cut:
        if index.about.stamp != stamp:
            raise _Unusable("the store has changed since")
        if cache.clock() < index.about.made:
            raise _Unusable("the clock has gone back since")
        return _cut(index, addresses, stamp.size, read)

    return _asked(cache, path, ask)


def cut_content(cache: Cache, path: str, addresses: Iterable[str], content: bytes, name: str) -> Cut | None:
    """The same of a store that was read wholly; its stamp does not matter, as its digest `name` does."""

    def ask(index: _Index) -> Cut:
        if index.about.digest != name:
            raise _Unusable("the store has changed since")
        return _cut(index, addresses, len(content), lambda start, end: content[start:end])

    return _asked(cache, path, ask)


def _cut(index: _Index, addresses: Iterable[str], size: int, read: Read) -> Cut:
    pieces = [index.moved(piece) for piece in index.about.head]
    head = [read(piece.start, piece.end) for piece in pieces]
    if _sha256(b"".join(head)) != index.about.head_digest:
        raise _Unusable("the head of the store is another one")
    texts = dict(zip(pieces, head, strict=True))
    absent = []
    for address in dict.fromkeys(addresses):
        if (piece := index.find(address)) is None:
            absent.append(address)
        else:
            texts.update([_checked(piece, size, read)])
    if len(absent) == 1 and (like := nearest.most_like(absent[0], index.near(absent[0]))) is not None:
        if (piece := index.find(like)) is None:
            raise _Unusable("it is damaged")
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
        raise _Unusable(f"the lines of {piece.key} are not where it says")
    return piece._replace(key=key), content


def write(cache: Cache, path: str, stamp: Stamp, content: bytes, found: Outline) -> None:
    """Index a valid store: its stamp, its content, and its outline in bytes."""
    if len(found.head) > _MOST_HEAD:
        return
    head = b"".join([content[piece.start : piece.end] for piece in found.head])
    about = _About(stamp, cache.clock(), digest(content), _sha256(head), len(found.accounts), found.head, {})
    rows = sorted([(account_address(key or ""), start, end, line) for key, start, end, line in found.accounts])
    blocks = [rows[begin : begin + _BLOCK] for begin in range(0, len(rows), _BLOCK)] or [[]]
    firsts = ["", *(block[0][0] for block in blocks[1:]), ""]

    def sealed() -> Iterator[tuple[str, str, bytes, int]]:
        for number, block in enumerate(blocks):
            lines = ["%s %d %d %d\n" % row for row in block]  # noqa: UP031 - the quickest for a million rows
            text = f"\n{''.join(lines)}".encode("ascii")
            first, beyond = firsts[number], firsts[number + 1]
            yield first, beyond, text, _seal(first, beyond, text)

    def fill(connection: Connection) -> None:
        connection.execute(
            "CREATE TABLE block (first TEXT PRIMARY KEY, beyond TEXT, content BLOB, seal INTEGER) WITHOUT ROWID"
        )
        connection.execute("CREATE TABLE about (content BLOB, seal INTEGER)")
        connection.executemany("INSERT INTO block VALUES (?, ?, ?, ?)", sealed())
        connection.execute("INSERT INTO about VALUES (?, ?)", (about.written(), crc32(about.written())))

    _made(cache, path, b"", fill)


def carry(
    cache: Cache, path: str, old: str, stamp: Stamp, content: bytes, grown: Mapping[str, tuple[int, int]]
) -> bool:
    """Carry the index of the store with the digest `old` forward to its new content.

    `grown` says by how many bytes and lines the piece of an address has grown. False where it must be made anew.
    """

    def ask(index: _Index) -> _About | None:
        if index.about.digest != old:
            raise _Unusable("the store has changed since")
        moves = dict(index.about.moves)
        for address, (size, lines) in grown.items():
            row = index.row(address)
            if row is None:
                raise _Unusable("it is damaged")
            before = moves.get(row[0], (0, 0))
            moves[row[0]] = (before[0] + size, before[1] + lines)
        moves = {start: move for start, move in moves.items() if move != (0, 0)}
        if len(moves) > _MOST_MOVES:
            return None
        return index.about._replace(stamp=stamp, made=cache.clock(), digest=digest(content), moves=moves)

    about = _asked(cache, path, ask)
    if about is None:
        return False
    try:
        with open(_place(cache, path), "rb") as file:
            copy = file.read()
    except OSError:
        return False

    def fill(connection: Connection) -> None:
        connection.execute("UPDATE about SET content = ?, seal = ?", (about.written(), crc32(about.written())))

    return _made(cache, path, copy, fill)


def _made(cache: Cache, path: str, begin: bytes, fill: Callable[[Connection], None]) -> bool:
    """Put an index in its place whole, where it can be."""
    place = _place(cache, path)
    try:
        import sqlite3
    except ImportError:
        return False
    if not cache.prepared():
        cache.note(f"no index is written: {cache.folder} cannot be made, or is not this user's alone")
        return False
    temporary = os.path.join(cache.folder, f".new-{os.urandom(8).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(begin)
            with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
                # Whoever reads it finds out whether it is whole, so nothing need be safe before its time.
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("BEGIN")
                fill(connection)
                connection.execute("COMMIT")
            os.rename(temporary, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except (OSError, sqlite3.Error, ValueError) as error:
        cache.note(f"no index is written in {cache.folder}: {error}")
        return False
    _clear(cache)
    return True


def _clear(cache: Cache) -> None:
    """Take away the indexes of stores that are no more, and what a killed writer left."""
    with suppress(OSError):
        now = cache.clock() // 1_000_000_000
        for entry in os.scandir(cache.folder):
            age = now - entry.stat(follow_symlinks=False).st_mtime
            if (entry.name.endswith(".index") and age > _OLD) or (entry.name.startswith(".new-") and age > _ABANDONED):
                with suppress(OSError):
                    os.unlink(entry.path)


def confirmed(cache: Cache, path: str, content: bytes) -> Stamp | None:
    """The stamp of a store that was just written, once it tells of every later change; None where it is another one."""
    with suppress(StoreError), opened(path) as descriptor:
        stamp = cache.stamp(descriptor)
        if stamp.size == len(content) and cache.settle(stamp) and read_whole(descriptor) == content:
            return stamp if cache.stamp(descriptor) == stamp else None
    return None
