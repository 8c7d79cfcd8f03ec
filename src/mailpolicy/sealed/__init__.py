"""The sealed file: all secrets in one encrypted file, for machines without a desktop keyring.

`mailpolicy.sealed.Keyring` offers the same file as a backend of keyring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailpolicy.sealed.backend import Keyring

__all__ = ["Keyring"]


def __getattr__(name: str) -> type[Keyring]:
    if name != "Keyring":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mailpolicy.sealed.backend import Keyring  # imports keyring, 65 ms, which only other programs need

    return Keyring
