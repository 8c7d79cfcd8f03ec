"""Write an index: of a store that was just validated, or from the index before an edit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING
from zlib import crc32

from mailpolicy.errors import StoreError
from mailpolicy.policy.names import account_address
from mailpolicy.store import outline
from mailpolicy.store.document import without_gc
from mailpolicy.store.index.cache import Cache, Stamp
from mailpolicy.store.index.format import ACCOUNTS_PER_BLOCK, IndexHeader, IndexUnusable, checksum
from mailpolicy.store.index.reader import Index, index_path, query
from mailpolicy.store.outline import Outline
from mailpolicy.system.digests import digest, quick_sha256
from mailpolicy.system.files import open_regular, read_all

if TYPE_CHECKING:
    from sqlite3 import Connection

_MAX_HEAD_PIECES = 4096  # every lookup reads the whole head; with a longer one an index does not help
_MAX_EDITED_ACCOUNTS = 1024  # every lookup adds up their growth; with more the index is made anew
_ABANDONED_AFTER = 3600  # seconds; nobody is still writing a temporary file then
_STALE_AFTER = 30 * 24 * 3600  # seconds


def write(cache: Cache, path: str, stamp: Stamp, content: bytes, text: str) -> None:
    """Index a store that is known to be valid; `text` is its content without the byte order mark."""
    import tomli

    with without_gc():
        found = outline.outline(text)
        if found is None:
            cache.note(f"{path} gets no index: its accounts are not written as one table each")
            return
        head = "".join([text[piece.start : piece.end] for piece in found.head])
        # An account in the head, such as a dotted key, has no piece and would be taken for missing.
        if not tomli.loads(head).get("accounts"):
            _write(cache, path, stamp, content, outline.in_bytes(found, text, len(content) - len(text.encode())))


def _write(cache: Cache, path: str, stamp: Stamp, content: bytes, found: Outline) -> None:
    if len(found.head) > _MAX_HEAD_PIECES:
        return
    head = b"".join([content[piece.start : piece.end] for piece in found.head])
    header = IndexHeader(stamp, cache.clock(), digest(content), quick_sha256(head), len(found.accounts), found.head, {})
    rows = sorted([(account_address(key or ""), start, end, line) for key, start, end, line in found.accounts])
    blocks = [rows[begin : begin + ACCOUNTS_PER_BLOCK] for begin in range(0, len(rows), ACCOUNTS_PER_BLOCK)] or [[]]
    # Each block also names the first address of the next one, so that "not in the store" can be read from one block.
    firsts = ["", *(block[0][0] for block in blocks[1:]), ""]

    def encoded() -> Iterator[tuple[str, str, bytes, int]]:
        for number, block in enumerate(blocks):
            lines = ["%s %d %d %d\n" % row for row in block]  # noqa: UP031 - the quickest for a million rows
            text = f"\n{''.join(lines)}".encode("ascii")
            first, next_first = firsts[number], firsts[number + 1]
            yield first, next_first, text, checksum(first, next_first, text)

    def fill(connection: Connection) -> None:
        connection.execute(
            "CREATE TABLE block (first TEXT PRIMARY KEY, beyond TEXT, content BLOB, seal INTEGER) WITHOUT ROWID"
        )
        connection.execute("CREATE TABLE about (content BLOB, seal INTEGER)")
        connection.executemany("INSERT INTO block VALUES (?, ?, ?, ?)", encoded())
        connection.execute("INSERT INTO about VALUES (?, ?)", (header.to_bytes(), crc32(header.to_bytes())))

    _install(cache, path, b"", fill)


def carry_forward(
    cache: Cache, path: str, old: str, stamp: Stamp, content: bytes, growth: Mapping[str, tuple[int, int]]
) -> bool:
    """Update the index of the store with the digest `old` for its new content, without reading all accounts.

    `growth` maps each edited address to the bytes and lines that its piece has grown by. Returns False if this is not
    possible and the index must be made anew.
    """

    def ask(index: Index) -> IndexHeader | None:
        if index.header.digest != old:
            raise IndexUnusable("the store has changed since")
        total = dict(index.header.growth)
        for address, (size, lines) in growth.items():
            position = index.indexed_position(address)
            if position is None:
                raise IndexUnusable("it is damaged")
            before = total.get(position[0], (0, 0))
            total[position[0]] = (before[0] + size, before[1] + lines)
        total = {start: grown for start, grown in total.items() if grown != (0, 0)}
        if len(total) > _MAX_EDITED_ACCOUNTS:
            return None
        return index.header._replace(stamp=stamp, created=cache.clock(), digest=digest(content), growth=total)

    header = query(cache, path, ask)
    if header is None:
        return False
    try:
        with open(index_path(cache, path), "rb") as file:
            copy = file.read()
    except OSError:
        return False

    def fill(connection: Connection) -> None:
        connection.execute("UPDATE about SET content = ?, seal = ?", (header.to_bytes(), crc32(header.to_bytes())))

    return _install(cache, path, copy, fill)


def _install(cache: Cache, path: str, begin: bytes, fill: Callable[[Connection], None]) -> bool:
    """Write an index to a temporary file, which starts as `begin`, and rename it into place. Returns False on failure."""
    place = index_path(cache, path)
    try:
        import sqlite3
    except ImportError:  # Python can be built without it
        return False
    if not cache.ensure_folder():
        cache.note(f"no index is written: cannot create {cache.folder}, or users other than you can write it")
        return False
    temporary = os.path.join(cache.folder, f".new-{os.urandom(8).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(begin)
            with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
                # No journal and no fsync: the checksums show a reader an index that a crash left incomplete.
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
        cache.note(f"cannot write an index in {cache.folder}: {error}")
        return False
    _remove_stale(cache)
    return True


def _remove_stale(cache: Cache) -> None:
    """Delete indexes that nobody has made again for a month, and temporary files of writers that were killed."""
    with suppress(OSError):
        now = cache.clock() // 1_000_000_000
        for entry in os.scandir(cache.folder):
            age = now - entry.stat(follow_symlinks=False).st_mtime
            stale = entry.name.endswith(".index") and age > _STALE_AFTER
            if stale or (entry.name.startswith(".new-") and age > _ABANDONED_AFTER):
                with suppress(OSError):
                    os.unlink(entry.path)


def confirmed_stamp(cache: Cache, path: str, content: bytes) -> Stamp | None:
    """Return the stamp of a store that was just written, after waiting until it is reliable.

    Returns None if the file no longer has this content, or if the wait would be long.
    """
    with suppress(StoreError), open_regular(path) as descriptor:
        stamp = cache.stamp(descriptor)
        if stamp.size != len(content) or not cache.wait_until_reliable(stamp) or not cache.is_stable(descriptor, stamp):
            return None
        if read_all(descriptor) == content and cache.stamp(descriptor) == stamp:
            return stamp
    return None
