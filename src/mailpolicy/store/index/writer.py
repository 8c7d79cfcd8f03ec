"""An index that is made: of a store that was just validated, or out of the one before an edit.

Promises: it is put in its place whole; whoever cannot write one does without. Not promised: that it stays; what nobody
made again for a month is cleared away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING
from zlib import crc32

from mailpolicy.errors import StoreError
from mailpolicy.policy.names import account_address
from mailpolicy.store.index.cache import Cache, Stamp
from mailpolicy.store.index.reader import BLOCK, About, Index, Unusable, asked, digest, place_of, seal, short_digest
from mailpolicy.store.outline import Outline
from mailpolicy.system.files import open_regular, read_all

if TYPE_CHECKING:
    from sqlite3 import Connection

_MOST_HEAD = 4096  # pieces of the head; with more, a store is not of the kind that an index helps
_MOST_MOVES = 1024  # edited accounts, before the index is made anew
_ABANDONED = 3600  # seconds after which nobody is still writing a temporary file
_OLD = 30 * 24 * 3600  # seconds after which an index that nobody made again is cleared away


def write(cache: Cache, path: str, stamp: Stamp, content: bytes, found: Outline) -> None:
    """Index a valid store: its stamp, its content, and its outline in bytes."""
    if len(found.head) > _MOST_HEAD:
        return
    head = b"".join([content[piece.start : piece.end] for piece in found.head])
    about = About(stamp, cache.clock(), digest(content), short_digest(head), len(found.accounts), found.head, {})
    rows = sorted([(account_address(key or ""), start, end, line) for key, start, end, line in found.accounts])
    blocks = [rows[begin : begin + BLOCK] for begin in range(0, len(rows), BLOCK)] or [[]]
    firsts = ["", *(block[0][0] for block in blocks[1:]), ""]

    def sealed() -> Iterator[tuple[str, str, bytes, int]]:
        for number, block in enumerate(blocks):
            lines = ["%s %d %d %d\n" % row for row in block]  # noqa: UP031 - the quickest for a million rows
            text = f"\n{''.join(lines)}".encode("ascii")
            first, beyond = firsts[number], firsts[number + 1]
            yield first, beyond, text, seal(first, beyond, text)

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

    def ask(index: Index) -> About | None:
        if index.about.digest != old:
            raise Unusable("the store has changed since")
        moves = dict(index.about.moves)
        for address, (size, lines) in grown.items():
            row = index.row(address)
            if row is None:
                raise Unusable("it is damaged")
            before = moves.get(row[0], (0, 0))
            moves[row[0]] = (before[0] + size, before[1] + lines)
        moves = {start: move for start, move in moves.items() if move != (0, 0)}
        if len(moves) > _MOST_MOVES:
            return None
        return index.about._replace(stamp=stamp, made=cache.clock(), digest=digest(content), moves=moves)

    about = asked(cache, path, ask)
    if about is None:
        return False
    try:
        with open(place_of(cache, path), "rb") as file:
            copy = file.read()
    except OSError:
        return False

    def fill(connection: Connection) -> None:
        connection.execute("UPDATE about SET content = ?, seal = ?", (about.written(), crc32(about.written())))

    return _made(cache, path, copy, fill)


def _made(cache: Cache, path: str, begin: bytes, fill: Callable[[Connection], None]) -> bool:
    """Put an index in its place whole, where it can be."""
    place = place_of(cache, path)
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
    with suppress(StoreError), open_regular(path) as descriptor:
        stamp = cache.stamp(descriptor)
        if stamp.size != len(content) or not cache.settle(stamp) or not cache.at_rest(descriptor, stamp):
            return None
        if read_all(descriptor) == content and cache.stamp(descriptor) == stamp:
            return stamp
    return None
