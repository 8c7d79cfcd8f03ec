"""The format of the sealed file: all names and secrets as one message under one AEAD.

    mailpolicy-secrets 1 KEYID WRITES
    nonce, then AES-256-GCM of all names and secrets with line 1 as associated data

Line 1 names the key and counts the writes. The AES key and the key's id are derived from the master key by HKDF-Expand
(RFC 5869, SHA-256), with the version in the derivation. Nonces are random, so one key may seal at most 2^32 files.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from mailpolicy.errors import KeyringError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_SIZE = 32  # bytes of a master key
_MAX_PLAINTEXT = 1 << 28  # bytes of names and secrets
MAX_FILE_SIZE = _MAX_PLAINTEXT + 1024  # bytes of a file, which is read into memory
_NONCE_SIZE = 12  # bytes
_VERSION = b"1"
_KEY_DIGITS = re.compile(rb"[0-9A-Fa-f]{64}\n?")
_HEADER = re.compile(rb"mailpolicy-secrets ([0-9]+) ([0-9a-f]{16}) ([0-9]{1,18})\n")

Secrets = dict[str, dict[str, str]]  # by service and user name


class Header(NamedTuple):
    """The first line: the id of the key, in hexadecimal, and the number of writes."""

    key_id: str
    writes: int

    def __bytes__(self) -> bytes:
        return b"mailpolicy-secrets %b %b %d\n" % (_VERSION, self.key_id.encode(), self.writes)


class Key:
    """The cipher and the public `id` derived from a master key."""

    def __init__(self, master: bytes) -> None:
        # Imported here because they take longer than a whole command that needs no sealed secret.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

        def derived(purpose: bytes, size: int) -> bytes:
            return HKDFExpand(SHA256(), size, b"mailpolicy-secrets %b %b" % (_VERSION, purpose)).derive(master)

        self.id: str = derived(b"id", 8).hex()
        self.cipher: AESGCM = AESGCM(derived(b"secrets", 32))


def seal(name: str, key: Key, writes: int, secrets: Secrets) -> bytes:
    """Return the content of a sealed file; `name` is the file in messages. Raises KeyringError."""
    parse_header, nonce = bytes(Header(key.id, writes)), os.urandom(_NONCE_SIZE)
    try:
        plain = json.dumps(secrets, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # replaced, as its text would show a secret
        raise KeyringError(
            "a name or a secret is not Unicode text; nothing was written", file=name, code="not-unicode"
        ) from None
    if len(plain) > _MAX_PLAINTEXT:
        raise KeyringError(
            f"the secrets would exceed {_MAX_PLAINTEXT >> 20} MiB; nothing was written", file=name, code="too-large"
        )
    return parse_header + nonce + key.cipher.encrypt(nonce, plain, parse_header)


def parse_header(name: str, content: bytes) -> Header:
    """Return the parsed first line, which only `unseal` authenticates. Raises KeyringError."""
    match = _HEADER.match(content)
    if match is None:
        raise damaged_error(name, "not a sealed file, or its first line is damaged" if content else "the file is empty")
    if match[1] != _VERSION:
        raise KeyringError(
            "written by a newer mailpolicy, or its first line is damaged", file=name, code="newer-secrets"
        )
    return Header(match[2].decode(), int(match[3]))


def unseal(name: str, key: Key, content: bytes) -> Secrets:
    """Return the secrets of a file whose header was parsed. Raises KeyringError if any bit was changed.

    What was sealed is checked too: other programs may write this format, and make mistakes.
    """
    from cryptography.exceptions import InvalidTag

    start = content.index(b"\n") + 1
    nonce, sealed = content[start : start + _NONCE_SIZE], content[start + _NONCE_SIZE :]
    try:
        plain = key.cipher.decrypt(nonce, sealed, content[:start]).decode()
        secrets = json.loads(plain)
        if "\\u" in plain:  # which can write half a surrogate pair, and that is no text
            json.dumps(secrets, ensure_ascii=False).encode()
    except (InvalidTag, ValueError, RecursionError):  # ValueError: too short for a nonce
        raise damaged_error(name, "the file is damaged, truncated or modified") from None
    if not _are_secrets(secrets):  # whoever has the key can seal anything
        raise damaged_error(name, "sealed with this key, but the content is not that of mailpolicy")
    return secrets


def _are_secrets(content: Any) -> TypeGuard[Secrets]:
    return isinstance(content, dict) and all(
        isinstance(stored, dict) and all([type(secret) is str for secret in stored.values()])
        for stored in content.values()
    )


def damaged_error(name: str, problem: str) -> KeyringError:
    """Return the error for a file that is not as it was sealed."""
    return KeyringError(f"{problem}: restore it from a backup", file=name, code="damaged-secrets")


def parse_master_key(name: str, content: bytes) -> bytes:
    """Return the master key in `content`, raw or in hexadecimal; `name` is its source in messages. Raises KeyringError."""
    if len(content) == KEY_SIZE:
        return content
    if _KEY_DIGITS.fullmatch(content):
        return bytes.fromhex(content.decode())
    size = f"{len(content)} bytes" if len(content) < 4 * KEY_SIZE else "more bytes"
    raise KeyringError(
        f"not a master key: a key is {KEY_SIZE} bytes or {2 * KEY_SIZE} hexadecimal digits, this is {size}",
        file=name,
        code="no-key",
    )
