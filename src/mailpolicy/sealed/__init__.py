"""The sealed file: all secrets of a machine without a desktop in one file, under one key.

`mailpolicy.sealed.Keyring` is the same file as a backend of keyring. It is looked up only when somebody names it, as
keyring takes longer to import than a whole command of ours takes to run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailpolicy.sealed.door import Keyring

__all__ = ["Keyring"]


def __getattr__(name: str) -> type[Keyring]:
    if name != "Keyring":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mailpolicy.sealed.door import Keyring  # 65 ms of keyring, only for other programs

    return Keyring
