"""A master key and what is made of it: AES-256-GCM for the entries, and for seals over bytes that lie in the clear.

Promises: the three keys and the id are made from the master key by HKDF-Expand (RFC 5869, SHA-256), and none tells another.
Not promised: more than 2^32 seals or entries under one key (random nonces of 96 bits).
"""

from __future__ import annotations

import os
from binascii import Error as NotHexadecimal
from contextlib import suppress
from typing import TYPE_CHECKING

from mailpolicy.errors import KeyringError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_SIZE = 32  # bytes of a master key
NONCE = 12  # bytes
VERSION = b"1"  # of the file; it goes into the making of the keys, so nothing opens in a file of another version


class Unsound(Exception):
    """The content is not what was sealed; `fault` says why."""


class Key:
    """A master key, made ready: its `id` in hexadecimal, a cipher for entries, and one for each kind of seal.

    The id says which key it is and nothing about the key.
    """

    def __init__(self, master: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

        def derived(purpose: bytes, size: int) -> bytes:
            return HKDFExpand(SHA256(), size, b"mailpolicy-secrets %b %b" % (VERSION, purpose)).derive(master)

        self.id: str = derived(b"id", 8).hex()
        self.entries: AESGCM = AESGCM(derived(b"entries", 32))
        self.blocks: AESGCM = AESGCM(derived(b"blocks", 32))
        self.index: AESGCM = AESGCM(derived(b"index", 32))


def seal(cipher: AESGCM, content: bytes) -> bytes:
    """A nonce and a tag in hexadecimal, which hold for these bytes alone."""
    nonce = os.urandom(NONCE)
    return (nonce + cipher.encrypt(nonce, b"", content)).hex().encode()


def check(cipher: AESGCM, sealed: bytes, content: bytes) -> None:
    """Raises Unsound where the seal is not that of these bytes."""
    from cryptography.exceptions import InvalidTag

    raw = bytes.fromhex(sealed.decode())
    try:
        cipher.decrypt(raw[:NONCE], raw[NONCE:], content)
    except InvalidTag:
        raise Unsound from None


def master_key(name: str, content: bytes) -> bytes:
    """The master key in what a place of that name holds. Raises KeyringError."""
    if len(content) == KEY_SIZE:
        return content
    with suppress(ValueError, NotHexadecimal):
        if (
            len(content) in (2 * KEY_SIZE, 2 * KEY_SIZE + 1)
            and len(key := bytes.fromhex(content.decode("ascii"))) == KEY_SIZE
        ):
            return key
    size = f"{len(content)} bytes" if len(content) < 4 * KEY_SIZE else "so many bytes"
    raise KeyringError(
        f"this is no master key: {KEY_SIZE} bytes or {2 * KEY_SIZE} hexadecimal digits are one, not {size}",
        file=name,
        code="no-key",
    )


def damaged(what: str) -> KeyringError:
    """A file of secrets that is not as it was written."""
    return KeyringError(what, code="damaged-secrets")
