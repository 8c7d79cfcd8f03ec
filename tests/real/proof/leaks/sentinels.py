"""Secrets that can be recognised wherever they turn up, whatever they were encoded or cut to."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# What is in the middle of every secret of a set: nothing special, what has to be escaped somewhere, and letters.
MIDDLES = {
    "ASCII": "-",
    "quotes": """'"\\`$(x)%41&<b>]]>;\\x41|{}=+@-""",
    "letters": "ßé€𝄞\u202eשλ\u0301",
}
# The two ends of each secret are ASCII, so that its parts too are found, escaped in whatever way.
_ENDS = {
    "kept": ("Wq7xKept0mZ", "0Tv3kePt8Rj"),  # in the keyring
    "given": ("Jf5xGivn1pK", "1Hs9giVn4Lc"),  # as the new password of an account or a source
    "listed": ("Dn2xList6bV", "6Yg8liSt3Qw"),  # in a line of a list, a plan or a log
    "token": ("Bz4xTokn3hM", "3Xd6toKn9Fp"),  # made by a command
    "dovecot": ("Ru8xDvct7cN", "7Kj1dvCt5Sb"),  # in the token file of a Dovecot
}


class Secret(NamedTuple):
    """A secret and all forms of it that are looked for."""

    name: str
    text: str
    forms: tuple[bytes, ...]


def secrets(middle: str) -> dict[str, Secret]:
    """Return the secrets of a set, by what they are; both tokens are letters and digits."""
    found = {}
    for name, ends in _ENDS.items():
        text = ends[0] + ("" if name in ("token", "dovecot") else MIDDLES[middle]) + ends[1]
        found[name] = Secret(name, text, _forms(text.encode(), ends))
    return found


def raw(name: str, content: bytes) -> Secret:
    """Return a secret of bytes, such as a key, as the file that keeps it has it."""
    text = content.strip()
    binary = bytes.fromhex(text.decode()) if len(text) == 64 else text
    forms = {text, binary, repr(binary)[2:-1].encode(), *_as_digits(binary), *_base64(binary), *_base64(text)}
    return Secret(name, "", tuple(forms))


def found(parts: Mapping[str, bytes], looked_for: Iterable[Secret]) -> list[str]:
    """Return where one of the secrets is."""
    return [
        f"{secret.name} in {where}"
        for secret in looked_for
        for where, content in parts.items()
        if any(form in content for form in secret.forms)
    ]


def _forms(secret: bytes, ends: tuple[str, str]) -> tuple[bytes, ...]:
    forms = {*_base64(secret), *_as_digits(secret)}
    for end in ends:
        plain = end.encode()
        forms |= {plain, plain[::-1], end.swapcase().encode(), end.lower().encode(), *_as_digits(plain)}
        forms |= {end.encode("utf-16-le"), end.encode("utf-16-be"), base64.b32encode(plain).rstrip(b"=")[:-1]}
    return tuple(forms)


def _as_digits(content: bytes) -> set[bytes]:
    digits = content.hex()
    spaced, percent = content.hex(" "), "".join(f"%{byte:02x}" for byte in content)
    escaped, octal = "".join(f"\\x{byte:02x}" for byte in content), "".join(f"\\{byte:o}" for byte in content)
    forms = (digits, spaced, percent, escaped, octal)
    return {form.encode() for form in (*forms, *map(str.upper, forms))}


def _base64(content: bytes) -> set[bytes]:
    """Return what is the same in base64, whatever stands before and behind it."""
    forms = set()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * before + content + b"\0" * (-(before + len(content)) % 3))
            forms.add(whole[4:-4])
    return forms
