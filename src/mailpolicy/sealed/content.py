"""What a file of sealed secrets holds, in blocks: opened, searched, changed and sealed again; no path is known here.

    mailpolicy-secrets 1 KEYID WRITES AT SIZE SEAL
    blocks
    FIRST <tab> NAMES <tab> BYTES <tab> SEAL
    ...

Line 1, of a fixed length, says which key the file is sealed with, how often it was written, and where its index is. The
index has a line for each block, in the order in which they lie: its first entry, how many of its bytes are names, how
many bytes it has, and its seal. A seal is a nonce and the tag of AES-256-GCM of nothing, with the sealed bytes as
associated data: each block has one, and that of line 1 covers line 1 and the index with all other seals, so no entry and
no block can be removed, moved or brought back from an older file.

A change reads and checks everything and makes anew only the blocks that hold what changes. In a large file they are put
behind the index with a new index after them, and a new line 1 makes them count; what they replace stays as a dead block,
which is an index line without names, until the file is made anew. What stands behind the last index is what a killed
writer left, and is nothing.

Promises: any changed bit is noticed; one entry is found or changed in little memory, however large the file. Not
promised: that a whole older file is recognised, that names are hidden, or that a replaced secret leaves the file at once.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, compress
from typing import BinaryIO

from mailpolicy.sealed.block import Entries, Name, encrypted, fields_of, name_of, opened, packed, taken_apart
from mailpolicy.sealed.cipher import Key, Unsound, check, seal
from mailpolicy.sealed.front import HEADER_SIZE, LONGEST_INDEX, Block, Header, front, lines

_ENTRIES, _BYTES = 256, 1 << 16  # of a new block; one that grew to twice as many is cut
_SMALL = 1 << 16  # bytes of a file that is made anew with each change


class Unchanged(Exception):
    """There is nothing to write; `before` is what the secrets are."""

    def __init__(self, before: dict[str, str]) -> None:
        super().__init__()
        self.before = before


Made = tuple[Block, bytes]


class Opened:
    """A file whose first line and index are sound; its blocks are checked as they are taken. Raises Unsound."""

    def __init__(self, file: BinaryIO, key: Key, first: Header) -> None:
        self.key = key
        self.header = first
        self._file = file
        if first.key_id != key.id or first.size > LONGEST_INDEX or first.end > file.seek(0, os.SEEK_END):
            raise Unsound
        self.raw_index = self._read(first.at, first.size)
        check(key.index, first.seal, first.sealed_part() + self.raw_index)
        self.index = list(lines(self.raw_index))
        self._places: list[int] = []
        at = HEADER_SIZE
        for block in self.index:
            self._places.append(at)
            at += block.size
        self.live = sorted(
            (number for number, block in enumerate(self.index) if block.first), key=self.index.__getitem__
        )

    def block(self, number: int) -> bytes:
        """The block of this line of the index. Raises Unsound."""
        block = self.index[number]
        content = self._read(self._places[number], block.size)
        check(self.key.blocks, block.seal, content)
        return content

    def shares(self, order: list[bytes], *, outside: bool = False) -> dict[int, slice]:
        """Which part of some sorted fields each block would hold; with `outside` also what stands before the first one."""
        starts = [bisect_left(order, self.index[number].first) for number in self.live] or [len(order)]
        if outside:
            starts[0] = 0
        shares = zip(self.live or [-1], starts, [*starts[1:], len(order)], strict=True)
        return {number: slice(start, stop) for number, start, stop in shares if start < stop}

    def _read(self, at: int, size: int) -> bytes:
        if self._file.tell() != at:
            self._file.seek(at)
        return self._file.read(size)


def several(file: Opened, service: str, users: Collection[str], *, whole: bool = True) -> dict[str, str]:
    """Those of the secrets of one service that are there, by user name. Raises KeyringError, and Unsound.

    Blocks that hold none of them are checked with the others, or with `whole` false left out.
    """
    asked, order = fields_of(service, users)
    shares = file.shares(asked)
    fields: list[bytes] = []
    names: list[str] = []
    blobs: list[bytes | None] = []
    for number in range(len(file.index)) if whole else shares:
        content = file.block(number)
        if share := shares.get(number):
            fields.extend(asked[share])
            names.extend(order[share])
            blobs.extend(taken_apart(content, file.index[number].names).some(asked[share]))
    if None in blobs:
        there = [blob is not None for blob in blobs]
        fields, names = list(compress(fields, there)), list(compress(names, there))
    secrets = opened(file.key, fields, list(filter(None, blobs)))
    return dict(zip(names, secrets, strict=True))


def everything(file: Opened) -> dict[Name, str]:
    """All secrets, in the order of their names as they are written. Raises KeyringError, and Unsound."""
    return {name_of(field): secret for field, secret in _all(file).items()}


def _all(file: Opened) -> dict[bytes, str]:
    parts: dict[int, Entries] = {}
    for number, line in enumerate(file.index):
        block = file.block(number)
        if line.first:
            parts[number] = taken_apart(block, line.names)
    secrets: dict[bytes, str] = {}
    for part in map(parts.__getitem__, file.live):
        secrets.update(zip(part.fields, opened(file.key, part.fields, part.blobs()), strict=True))
    return secrets


def sound(file: Opened) -> Header:
    """The first line of a file that is sound to its last bit. Raises Unsound."""
    for number in range(len(file.index)):
        file.block(number)
    return file.header


@dataclass(frozen=True, slots=True)
class Change:
    """What the secrets were, and what becomes of each block that holds one: the blocks in its place.

    The number of a block is that of its line in the index; -1 stands for the first block of an empty file. `neighbours`
    says for each which fields are changed, and which fields and blobs besides are in it.
    """

    before: dict[str, str]
    made: dict[int, list[Made]]
    neighbours: dict[int, tuple[list[bytes], list[bytes], bytes]]
    removes: bool

    def left_alone(self, new: Opened) -> bool:
        """Whether the neighbours are in the new file what they were. Raises Unsound."""
        numbers = {block.seal: number for number, block in enumerate(new.index)}
        for number, (fields, *neighbours) in self.neighbours.items():
            written = [(numbers.get(block.seal, -1), block.names) for block, _ in self.made[number]]
            there = Entries.joined([taken_apart(new.block(at), names) for at, names in written])
            if list(there.without(fields)) != neighbours:
                return False
        return True


def changed(file: Opened, service: str, secrets: Mapping[str, str | None]) -> Change:
    """Secrets of a service set, or removed where they are None. Raises KeyringError, Unsound, and Unchanged."""
    asked, users = fields_of(service, secrets)
    found: dict[str, tuple[bytes, bytes]] = {}
    made: dict[int, list[Made]] = {}
    neighbours: dict[int, tuple[list[bytes], list[bytes], bytes]] = {}
    for number, share in file.shares(asked, outside=True).items():
        empty_file = number < 0
        entries = Entries([], [], b"") if empty_file else taken_apart(file.block(number), file.index[number].names)
        pairs = list(zip(asked[share], users[share], strict=True))
        for (field, user), old in zip(pairs, entries.some(asked[share]), strict=True):
            if old is not None:
                found[user] = field, old
        neighbours[number] = asked[share], *entries.without(asked[share])
        texts = {field: secrets[user] for field, user in pairs}
        new = entries.changed(
            {field: None if text is None else encrypted(file.key, field, text) for field, text in texts.items()}
        )
        made[number] = list(_cut(file.key, new))
    fields, blobs = [field for field, _ in found.values()], [blob for _, blob in found.values()]
    before = dict(zip(found, opened(file.key, fields, blobs), strict=True))
    if all(before.get(user) == secret for user, secret in secrets.items()):
        raise Unchanged(before)
    return Change(before, made, neighbours, any(secrets[user] is None for user in before))


def appended(file: Opened, change: Change) -> tuple[Header, bytes] | None:
    """A new first line and what to put at the end for it; None where the file shall be made anew. Raises Unsound.

    It is made anew where it is small, where a secret is to leave it, or where half of it would be dead.
    """
    live = sum(file.index[number].size for number in file.live)
    if change.removes or live < _SMALL:
        return None
    index = [
        Block(b"", 0, block.size, block.seal) if number in change.made else block
        for number, block in enumerate(file.index)
    ]
    index.append(Block(b"", 0, file.header.size, seal(file.key.blocks, file.raw_index)))
    new = [made for blocks in change.made.values() for made in blocks]
    index.extend(block for block, _ in new)
    if sum(block.size for block in index if not block.first) > live // 2:
        return None
    sound(file)
    content = b"".join(part for _, part in new)
    first, lines = front(file.key, file.header.writes + 1, file.header.end + len(content), index)
    return first, content + lines


def made_anew(file: Opened, change: Change) -> Iterator[bytes]:
    """The whole file with a change. Raises Unsound, also while it is taken."""
    for number, block in enumerate(file.index):
        if not block.first:
            file.block(number)
    order = file.live or [-1]
    index = [
        block
        for number in order
        for block in ([made for made, _ in change.made[number]] if number in change.made else [file.index[number]])
    ]
    at = HEADER_SIZE + sum(block.size for block in index)
    first, lines = front(file.key, file.header.writes + 1, at, index)
    yield bytes(first)
    for number in order:
        if number in change.made:
            yield from (content for _, content in change.made[number])
        else:
            yield file.block(number)
    yield lines


def _cut(key: Key, entries: Entries) -> Iterator[Made]:
    """The entries in blocks: in one, where that is not too large."""
    large = len(entries.sizes) > 2 * _ENTRIES or len(entries.body) > 2 * _BYTES
    for part in entries.cut(_ENTRIES, _BYTES) if large else [entries] if entries.sizes else []:
        names, content = packed(part)
        yield Block(part.fields[0], names, len(content), seal(key.blocks, content)), content


def rekeyed(file: Opened, key: Key) -> Iterator[bytes]:
    """The file with the same secrets, each encrypted anew under another key. Raises KeyringError, and Unsound."""
    secrets = {field: encrypted(key, field, secret) for field, secret in _all(file).items()}
    entries = Entries(list(secrets), list(map(len, secrets.values())), b"".join(secrets.values()))
    return _whole(key, file.header.writes + 1, entries)


def empty(key: Key) -> Iterator[bytes]:
    """A new file without a secret."""
    return _whole(key, 0, Entries([], [], b""))


def _whole(key: Key, writes: int, entries: Entries) -> Iterator[bytes]:
    made = list(_cut(key, entries))
    at = HEADER_SIZE + sum(block.size for block, _ in made)
    first, lines = front(key, writes, at, (block for block, _ in made))
    return chain([bytes(first)], (content for _, content in made), [lines])
