"""What a file of sealed secrets holds, in pieces of whole lines: opened, searched, changed and sealed again; no file is touched here.

    mailpolicy-secrets 1 KEYID COUNT NONCE
    SERVICE USER <tab> BASE64 of nonce, ciphertext and tag
    ...
    %seal TAG

An entry is encrypted with AES-256-GCM under a fresh random nonce; its associated data are its two names, and the version
goes into the making of the key, so it opens under no other name and in no file of another version or key. The seal
authenticates every byte before it (AES-256-GCM of nothing, with the file as associated data, and NONCE), so that no
entry can be removed, moved or brought back from an older file; COUNT says how often the file was written. Names are
percent-encoded, so a blank, a tab or a newline stands only where the format has one; the lines are sorted by their names,
so a piece is taken apart only where it can hold what is looked for. The keys for the entries and for the seal, and
KEYID, are made from the master key by HKDF-Expand (RFC 5869, SHA-256).

Promises: any changed bit is noticed, and the line that holds it is named; no secret in an exception; one entry is found
or changed in little memory, however large the file. Not promised: that a whole older file is recognised, or that names
are hidden. A key is good for 2^32 changes (random nonces of 96 bits).
"""

from __future__ import annotations

import os
import re
from binascii import Error as NotBase64
from binascii import a2b_base64, b2a_base64
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mailpolicy.errors import KeyringError
from mailpolicy.names import printable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Asked = TypeVar("Asked")

KEY_SIZE = 32  # bytes of a master key
_VERSION = b"1"
_HEADER = re.compile(rb"mailpolicy-secrets ([0-9]+) ([0-9a-f]{16}) ([0-9]+) ([0-9a-f]{24})\n")
_SEAL = re.compile(rb"%seal ([0-9a-f]{32})\n")  # no name begins like this: after % stand two digits
_SAFE = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")  # all else is percent-encoded
_NONCE = 12  # bytes


class Name(NamedTuple):
    """Whose secret it is, as keyring names it."""

    service: str
    user: str


class Key:
    """A master key, made ready: its `id` in hexadecimal, a cipher for entries, and the key of the seal.

    The id says which key it is and nothing about the key.
    """

    def __init__(self, master: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

        def derived(purpose: bytes, size: int) -> bytes:
            return HKDFExpand(SHA256(), size, b"mailpolicy-secrets 1 " + purpose).derive(master)

        self.id: str = derived(b"id", 8).hex()
        self.entries: AESGCM = AESGCM(derived(b"entries", 32))
        self.seal: bytes = derived(b"seal", 32)


class Header(NamedTuple):
    """The first line: which key the file is sealed with, how often it was written, the nonce of its seal."""

    key_id: str
    writes: int
    nonce: bytes

    def __bytes__(self) -> bytes:
        return b"mailpolicy-secrets %b %b %d %b\n" % (
            _VERSION,
            self.key_id.encode(),
            self.writes,
            self.nonce.hex().encode(),
        )


class Unsound(Exception):
    """The content is not what was sealed; `fault` says why."""


class Unchanged(Exception):
    """There is nothing to write."""


def header(piece: bytes) -> Header:
    """The first line of a file. Raises Unsound."""
    match = _HEADER.match(piece)
    if match is None or match[1] != _VERSION:
        raise Unsound
    return Header(match[2].decode(), int(match[3]), bytes.fromhex(match[4].decode()))


def entries(pieces: Iterable[bytes], key: Key) -> Iterator[bytes]:
    """The entries of a file in pieces of whole lines. Only when all were taken is it known that they are sound.

    Raises Unsound.
    """
    from cryptography.exceptions import InvalidTag

    check: Any = None
    tag = b""
    for piece in pieces:
        start, stop = 0, len(piece)
        if check is None:
            first = header(piece)
            if first.key_id != key.id:
                raise Unsound
            start = piece.index(b"\n") + 1
            check = _gcm(key, first).decryptor()
        elif tag:
            raise Unsound  # something stands after the seal
        last = max(piece.rfind(b"\n", 0, -1) + 1, start)
        if piece.startswith(b"%seal ", last):
            stop = last
            seal = _SEAL.fullmatch(piece, stop)
            if seal is None:
                raise Unsound
            tag = bytes.fromhex(seal[1].decode())
        check.authenticate_additional_data(piece[:stop])
        if start < stop:
            yield piece[start:stop]
    try:
        if not tag:
            raise Unsound
        check.finalize_with_tag(tag)
    except InvalidTag:
        raise Unsound from None


def several(pieces: Iterable[bytes], key: Key, service: str, users: Collection[str]) -> dict[str, str]:
    """Those of the secrets of one service that are there, by user name. Raises KeyringError, and Unsound."""
    home, written = _quoted(service) + b" ", str.encode if _plain("".join(users)) else _quoted
    asked = dict(zip([home + user for user in map(written, users)], users, strict=True))
    order = sorted(asked)
    found: dict[bytes, bytes] = {}
    for piece in entries(pieces, key):
        first, last = _ends(piece)
        if bisect_left(order, first) < bisect_right(order, last):
            found.update(_taken_apart(piece))
    return _opened(key, found, asked)


def _opened(key: Key, found: Mapping[bytes, bytes], asked: Mapping[bytes, Asked]) -> dict[Asked, str]:
    from cryptography.exceptions import InvalidTag

    # Stage by stage, each a loop in C: an entry is decrypted in less than a microsecond, and takes twice as long
    # where other work stands between two of them.
    there = [field for field in asked if field in found]
    sealed = list(map(a2b_base64, map(found.__getitem__, there)))
    nonces = list(map(itemgetter(slice(_NONCE)), sealed))
    texts = list(map(itemgetter(slice(_NONCE, None)), sealed))
    try:
        plain = list(map(key.entries.decrypt, nonces, texts, there))
    except (InvalidTag, ValueError):
        raise _damaged("a secret cannot be opened, though the seal holds") from None
    return dict(zip(map(asked.__getitem__, there), map(bytes.decode, plain), strict=True))


def everything(pieces: Iterable[bytes], key: Key) -> dict[Name, str]:
    """All secrets, in the order of the lines. Raises KeyringError, and Unsound."""
    found: dict[bytes, bytes] = {}
    for piece in entries(pieces, key):
        found.update(_taken_apart(piece))
    return _opened(key, found, {field: _name(field) for field in found})


class Change:
    """What becomes of some secrets of a service, by user name: set, or removed where the value is None."""

    def __init__(self, key: Key, service: str, secrets: Mapping[str, str | None]) -> None:
        self.secrets = secrets
        self.before: dict[str, str] = {}  # what they were, known when the new file was made
        self.places: list[tuple[int, int]] = []  # offset and size of each changed part of the new file
        self.size = 0  # bytes of the new file
        self._key = key
        self._users = {_field(Name(service, user)): user for user in secrets}
        self._touched = False

    def made(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The new file, from the old one. Raises KeyringError, Unsound, and at the end Unchanged where nothing is new."""
        first = next(pieces, b"")
        for piece in sealed(self._merged(chain([first], pieces)), header(first).writes + 1, self._key):
            if self._touched:
                self.places.append((self.size, len(piece)))
                self._touched = False
            self.size += len(piece)
            yield piece

    def _merged(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        order, done = sorted(self._users), 0
        found: dict[bytes, bytes] = {}
        for piece in entries(pieces, self._key):
            reached = bisect_right(order, _ends(piece)[1], done)
            if reached == done:
                yield piece
                continue
            lines = piece.splitlines(keepends=True)
            for field in order[done:reached]:
                start, stop = _spot(lines, field)
                if start < stop:
                    found[field] = _blob(lines[start])
                lines[start:stop] = self._fresh(field)
            self._touched = True
            yield b"".join(lines)
            done = reached
        self._touched = True
        yield b"".join(line for field in order[done:] for line in self._fresh(field))
        self.before = _opened(self._key, found, self._users)
        if all(self.before.get(user) == secret for user, secret in self.secrets.items()):
            raise Unchanged

    def _fresh(self, field: bytes) -> list[bytes]:
        secret = self.secrets[self._users[field]]
        return [] if secret is None else [_line(self._key, field, secret)]

    def holds(self, parts: bytes) -> bool:
        """Whether the changed parts, read back from the new file, say what they shall."""
        lines = parts.splitlines(keepends=True)
        spots = ((field, *_spot(lines, field)) for field in self._users)
        found = {field: _blob(lines[start]) for field, start, stop in spots if start < stop}
        wanted = {user: secret for user, secret in self.secrets.items() if secret is not None}
        return _opened(self._key, found, self._users) == wanted


def rekeyed(pieces: Iterator[bytes], old: Key, new: Key) -> Iterator[bytes]:
    """The file with the same secrets, each encrypted anew under another key. Raises KeyringError, and Unsound."""
    piece = next(pieces, b"")

    def lines() -> Iterator[bytes]:
        for text in entries(chain([piece], pieces), old):
            blobs = _taken_apart(text)
            secrets = _opened(old, blobs, {field: field for field in blobs})
            yield b"".join(_line(new, field, secret) for field, secret in secrets.items())

    return sealed(lines(), header(piece).writes + 1, new)


def sealed(lines: Iterable[bytes], count: int, key: Key) -> Iterator[bytes]:
    """A whole file with these entries."""
    first = Header(key.id, count, os.urandom(_NONCE))
    seal = _gcm(key, first).encryptor()
    for piece in chain([bytes(first)], lines):
        seal.authenticate_additional_data(piece)
        yield piece
    seal.finalize()
    yield b"%%seal %b\n" % seal.tag.hex().encode()


def _gcm(key: Key, first: Header) -> Any:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import GCM

    return Cipher(AES(key.seal), GCM(first.nonce))


def _ends(piece: bytes) -> tuple[bytes, bytes]:
    """The names in the first and in the last line; all others lie between them. Raises Unsound."""
    start = piece.rfind(b"\n", 0, -1) + 1
    tabs = piece.find(b"\t"), piece.find(b"\t", start)
    if -1 in tabs:
        raise Unsound
    return piece[: tabs[0]], piece[start : tabs[1]]


def _spot(lines: list[bytes], field: bytes) -> tuple[int, int]:
    """Where among sorted lines that of an entry begins and ends; where it would be, twice, if it is not there.

    Lines are sorted as their names are, as a tab comes before everything that is in a name.
    """
    start = bisect_left(lines, field + b"\t")
    return start, start + (start < len(lines) and lines[start].startswith(field + b"\t"))


def _blob(line: bytes) -> bytes:
    return line[line.index(b"\t") + 1 : -1]


def _taken_apart(piece: bytes) -> dict[bytes, bytes]:
    """The two names and what is sealed, of every entry, as they are written."""
    cells = piece.replace(b"\n", b"\t").split(b"\t")
    return dict(zip(cells[0:-1:2], cells[1::2], strict=False))


def _line(key: Key, field: bytes, secret: str) -> bytes:
    nonce = os.urandom(_NONCE)
    try:
        plain = secret.encode()
    except UnicodeEncodeError:  # its text would show the secret
        raise KeyringError(f"the secret {shown(_name(field))} is not Unicode text", code="not-unicode") from None
    blob = nonce + key.entries.encrypt(nonce, plain, field)
    return field + b"\t" + b2a_base64(blob, newline=False) + b"\n"


def fault(data: bytes, key: Key) -> KeyringError:
    """Why a content is refused: the nearest thing to the truth that its bytes can tell."""
    first, _, rest = data.partition(b"\n")
    match = _HEADER.fullmatch(first + b"\n")
    if match is None:
        return _damaged("this is no file of sealed secrets, or line 1 was changed")
    if match[1] != _VERSION:
        return KeyringError("line 1 says that a newer mailpolicy wrote it, or it was changed", code="newer-secrets")
    if match[2].decode() != key.id:
        with suppress(Unsound):
            mended = bytes(Header(key.id, int(match[3]), bytes.fromhex(match[4].decode())))
            for _ in entries([mended + rest], key):
                pass
            return _damaged("line 1 was changed: it names another key than the one that it was sealed with")
        return KeyringError(
            f"it is sealed with the key {match[2].decode()}, and the key here is {key.id}", code="wrong-key"
        )
    lines = rest.split(b"\n")
    for number, line in enumerate(lines, 2):
        if (number > len(lines) and not line) or line.startswith(b"%seal "):
            break
        field, _, blob = line.rpartition(b"\t")
        if _decrypted(key, field, blob) is None:
            if number == len(lines) + 1:
                return _damaged(f"it is cut off, or its end was changed: line {number} is not whole")
            return _damaged(f"line {number} ({shown(_name(field))}) was changed")
    else:
        number = len(lines) + 1
    if _SEAL.fullmatch(b"\n".join(lines[number - 2 :])) is None:
        return _damaged(f"it is cut off, or its end was changed: line {number} is not a whole seal")
    return _damaged(
        f"the seal, line {number}, does not fit: it or line 1 was changed, or a line was removed, moved or brought back from an older file"
    )


def _decrypted(key: Key, field: bytes, blob: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag

    try:
        text = a2b_base64(blob, strict_mode=True)
        if b2a_base64(text, newline=False) != blob:  # bits at its end that mean nothing
            return None
        return key.entries.decrypt(text[:_NONCE], text[_NONCE:], field)
    except (InvalidTag, NotBase64, ValueError):  # ValueError: too short for a nonce
        return None


def _damaged(what: str) -> KeyringError:
    return KeyringError(what, code="damaged-secrets")


def _field(name: Name) -> bytes:
    return _quoted(name.service) + b" " + _quoted(name.user)


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


def _name(field: bytes) -> Name:
    from urllib.parse import unquote

    service, _, user = field.decode("ascii", "replace").partition(" ")
    return Name(unquote(service), unquote(user))


def shown(name: Name) -> str:
    """How messages name a secret."""
    return printable(name.user) if name.user else repr(name.user)
