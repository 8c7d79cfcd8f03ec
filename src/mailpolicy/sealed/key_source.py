"""Where the master key is: a credential of systemd, a key file, or an entry in the keyring of a desktop; the first that is configured.

Promises: while a rotation is under way the new key lies beside the old one, so that one of the two always opens the
secrets. Not promised: that the other places are looked into where the first one has no key.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from mailpolicy.errors import Command
from mailpolicy.sealed.desktop_key import DesktopKey
from mailpolicy.sealed.key_files import CREDENTIAL, Credential, KeyFile
from mailpolicy.system.files import is_there


class Sources(NamedTuple):
    """Where a master key may be: the directory of credentials, the key file; None where there is none.

    `deadline` is how many seconds a desktop keyring may take to answer.
    """

    credentials_folder: str | None = None
    key_file: str | None = None
    is_root: bool = False
    deadline: float = 15.0


class KeySource(Protocol):
    """Where one master key is kept, and while it is replaced the next one."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def writable(self) -> bool:
        """Whether mailpolicy may put a key there."""

    @property
    def cure(self) -> str:
        """What brings a key back that is not there."""

    @property
    def fix(self) -> Command | None:
        """The command that does, where there is one."""

    def masters(self) -> Iterator[bytes]:
        """The key, and after it the next one; those that are there. Raises KeyringError."""

    def next_master(self) -> bytes | None:
        """The next key, where there is one. Raises KeyringError."""

    def require_safe(self) -> None:
        """Raise KeyringError where no key could be put there, or not safely."""

    def keep(self, master: bytes) -> None:
        """Put the first key there. Raises KeyringError and WriteFailed."""

    def keep_next(self, master: bytes) -> None:
        """Put the next key beside the key. Raises KeyringError and WriteFailed."""

    def promote(self) -> None:
        """Put the next key in the place of the key. Raises KeyringError, WriteFailed and NotConfirmed."""

    def forget_next(self) -> None:
        """Take the next key away again, if that can be done."""


def configured(sources: Sources) -> KeySource:
    """Return the first source that is configured."""
    if sources.credentials_folder:
        credential = os.path.join(sources.credentials_folder, CREDENTIAL)
        if is_there(credential):
            return Credential(credential)
    if sources.key_file:
        return KeyFile(sources.key_file)
    return DesktopKey(is_root=sources.is_root, deadline=sources.deadline)
