"""One block of sealed entries: their names and sizes, compressed, and behind them each nonce, ciphertext and tag.

An entry is a field, which is its two names as they are written (`SERVICE USER`, percent-encoded, so that a blank, a tab
or a newline stands only where the format has one), and a blob, which opens under its field alone.

Promises: no secret in an exception; the entries of a block keep their order. Not promised: that a block is the one which
was sealed; that is asked before it is taken apart.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

from mailpolicy.errors import KeyringError
from mailpolicy.names import printable
from mailpolicy.sealed.cipher import NONCE, Key, damaged

_SAFE = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")  # all else is percent-encoded
# The names are most of a file, and mostly alike; at level 1 this costs no more than writing them would.
_LEVEL = 1
_FEW = 8  # entries, up to which it is quicker to look for each
_PARTED = b"\n\n"  # between the fields and the sizes, 32 bits each, little-endian


class Name(NamedTuple):
    """Whose secret it is, as keyring names it."""

    service: str
    user: str


class Entries:
    """Entries sorted by their fields, their blobs one after the other in `body`."""

    def __init__(self, fields: list[bytes], sizes: list[int], body: bytes) -> None:
        self.fields = fields
        self.sizes = sizes
        self.body = body

    def get(self, field: bytes) -> bytes | None:
        """The blob of an entry; None where there is none."""
        number = bisect_left(self.fields, field)
        if number == len(self.fields) or self.fields[number] != field:
            return None
        start = sum(self.sizes[:number])
        return self.body[start : start + self.sizes[number]]

    def changed(self, changes: Mapping[bytes, bytes | None]) -> Entries:
        """These entries with some replaced, added or (None) removed."""
        if len(changes) > _FEW:
            blobs = {**dict(self.items()), **changes}
            fields = sorted(field for field, blob in blobs.items() if blob is not None)
            kept = [blob for blob in map(blobs.__getitem__, fields) if blob is not None]
            return Entries(fields, list(map(len, kept)), b"".join(kept))
        fields, sizes, body = self.fields[:], self.sizes[:], self.body
        for field, blob in changes.items():
            number = bisect_left(fields, field)
            there = number < len(fields) and fields[number] == field
            start = sum(sizes[:number])
            stop = start + (sizes[number] if there else 0)
            fields[number : number + there] = [] if blob is None else [field]
            sizes[number : number + there] = [] if blob is None else [len(blob)]
            body = b"".join((body[:start], blob or b"", body[stop:]))
        return Entries(fields, sizes, body)

    def without(self, fields: Iterable[bytes]) -> tuple[list[bytes], bytes]:
        """What is there besides some fields, to be compared."""
        rest = self.changed(dict.fromkeys(fields))
        return rest.fields, rest.body

    @classmethod
    def joined(cls, parts: Sequence[Entries]) -> Entries:
        """The entries of several parts, one after the other."""
        fields = [field for part in parts for field in part.fields]
        return cls(fields, [size for part in parts for size in part.sizes], b"".join(part.body for part in parts))

    def some(self, fields: list[bytes]) -> list[bytes | None]:
        """The blobs of some sorted fields, None for one that is not there."""
        if fields == self.fields:
            return [*self.blobs()]
        blobs = dict(self.items()).get if len(fields) > _FEW else self.get
        return list(map(blobs, fields))

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Fields and blobs."""
        return zip(self.fields, self.blobs(), strict=True)

    def blobs(self) -> list[bytes]:
        """All blobs."""
        ends = list(accumulate(self.sizes, initial=0))
        return list(map(self.body.__getitem__, map(slice, ends, ends[1:])))

    def cut(self, entries: int, size: int) -> Iterator[Entries]:
        """All of them in parts of at most so many entries, and of about `size` bytes."""
        start = first = stop = 0
        for number, length in enumerate(self.sizes):
            if number - first == entries or (stop + length - start > size and number > first):
                yield Entries(self.fields[first:number], self.sizes[first:number], self.body[start:stop])
                start, first = stop, number
            stop += length
        if first < len(self.sizes):
            yield Entries(self.fields[first:], self.sizes[first:], self.body[start:])


def packed(entries: Entries) -> tuple[int, bytes]:
    """A block, and how many of its bytes are the names."""
    sizes = struct.pack(f"<{len(entries.sizes)}I", *entries.sizes)
    names = zlib.compress(b"\n".join(entries.fields) + _PARTED + sizes, _LEVEL)
    return len(names), names + entries.body


def taken_apart(block: bytes, names: int) -> Entries:
    """The entries of a sound block whose first `names` bytes are the names."""
    return _apart(zlib.decompress(block[:names]), block[names:])


def guessed_apart(block: bytes, names: int) -> Entries | None:
    """The entries of a block that may be anything; None where its names cannot be read."""
    try:
        unpack = zlib.decompressobj()
        text = unpack.decompress(block[:names], 1 << 24)
        return _apart(text, block[names:]) if unpack.eof and text and not unpack.unused_data else None
    except (zlib.error, struct.error):
        return None


def _apart(text: bytes, body: bytes) -> Entries:
    names, _, sizes = text.partition(_PARTED)
    fields = names.split(b"\n")
    return Entries(fields, list(struct.unpack(f"<{len(fields)}I", sizes)), body)


def encrypted(key: Key, field: bytes, secret: str) -> bytes:
    """The blob of a secret. Raises KeyringError for text that is none."""
    nonce = os.urandom(NONCE)
    try:
        plain = secret.encode()
    except UnicodeEncodeError:  # its text would show the secret
        raise KeyringError(f"the secret {shown(field)} is not Unicode text", code="not-unicode") from None
    return nonce + key.entries.encrypt(nonce, plain, field)


def opened(key: Key, fields: Sequence[bytes], blobs: Sequence[bytes]) -> list[str]:
    """The secrets in the blobs of these fields. Raises KeyringError."""
    from cryptography.exceptions import InvalidTag

    # Stage by stage, each a loop in C: an entry is decrypted in less than a microsecond, and takes twice as long
    # where other work stands between two of them.
    nonces = list(map(itemgetter(slice(NONCE)), blobs))
    texts = list(map(itemgetter(slice(NONCE, None)), blobs))
    try:
        plain = list(map(key.entries.decrypt, nonces, texts, fields))
    except (InvalidTag, ValueError):
        raise damaged("a secret cannot be opened, though the seal holds") from None
    return list(map(bytes.decode, plain))


def opens(key: Key, field: bytes, blob: bytes) -> bool:
    """Whether the blob is that field's."""
    from cryptography.exceptions import InvalidTag

    try:
        key.entries.decrypt(blob[:NONCE], blob[NONCE:], field)
    except (InvalidTag, ValueError):  # ValueError: too short for a nonce
        return False
    return True


def fields_of(service: str, users: Iterable[str]) -> tuple[list[bytes], list[str]]:
    """How the names of some users of a service are written, sorted, and the users in that order. Raises KeyringError."""
    order = sorted(users)
    if order and _plain(service + "".join(order)):
        home = f"{service} "
        return (home + f"\n{home}".join(order)).encode().split(b"\n"), order
    start = _quoted(service) + b" "
    pairs = sorted((start + _quoted(user), user) for user in order)
    return [field for field, _ in pairs], [user for _, user in pairs]


def name_of(field: bytes) -> Name:
    """The two names in a field."""
    from urllib.parse import unquote

    service, _, user = field.decode("ascii", "replace").partition(" ")
    return Name(unquote(service), unquote(user))


def shown(field: bytes) -> str:
    """How messages name a secret."""
    user = name_of(field).user
    return printable(user) if user else repr(user)


def _plain(text: str) -> bool:
    """Whether it is written as it is."""
    return text.isascii() and text.isprintable() and " " not in text and "%" not in text


def _quoted(text: str) -> bytes:
    if _plain(text):
        return text.encode()
    from urllib.parse import quote

    try:
        return quote(text, safe=_SAFE).encode()
    except UnicodeEncodeError:
        raise KeyringError(f"the name '{printable(text)}' is not Unicode text", code="not-unicode") from None
