"""The source of the master key: the first that is configured of systemd credential, key file and desktop keyring.

If the first one has no key, the others are not tried. During a rotation a source holds the next key as well, so that one
of the two always opens the secrets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from mailpolicy.errors import Command
from mailpolicy.sealed.desktop_key import DesktopKey
from mailpolicy.sealed.key_files import CREDENTIAL, Credential, KeyFile
from mailpolicy.system.files import exists


class Sources(NamedTuple):
    """The configured places of a master key: the credentials directory and the key file, each None if not configured.

    `deadline` is the timeout of the desktop keyring in seconds.
    """

    credentials_folder: str | None = None
    key_file: str | None = None
    is_root: bool = False
    deadline: float = 15.0


class KeySource(Protocol):
    """A place that holds the master key and, during a rotation, the next key."""

    @property
    def name(self) -> str:
        """Return the name of the source for messages."""

    @property
    def writable(self) -> bool:
        """Return whether mailpolicy can write a key."""

    @property
    def cure(self) -> str:
        """Return advice for a missing key."""

    @property
    def fix(self) -> Command | None:
        """Return the command that helps if the key is missing, if there is one."""

    def masters(self) -> Iterator[bytes]:
        """Yield the key and the next key, if they exist. Raises KeyringError."""

    def next_master(self) -> bytes | None:
        """Return the next key, None if there is none. Raises KeyringError."""

    def require_safe(self) -> None:
        """Raise KeyringError if no key could be written, or not safely."""

    def keep(self, master: bytes) -> None:
        """Write the first key. Raises KeyringError and WriteFailed."""

    def keep_next(self, master: bytes) -> None:
        """Write the next key beside the key. Raises KeyringError and WriteFailed."""

    def promote(self) -> None:
        """Replace the key by the next key. Raises KeyringError, WriteFailed and NotConfirmed."""

    def forget_next(self) -> None:
        """Remove the next key if possible."""


def configured(sources: Sources) -> KeySource:
    """Return the first configured source."""
    if sources.credentials_folder:
        credential = os.path.join(sources.credentials_folder, CREDENTIAL)
        if exists(credential):
            return Credential(credential)
    if sources.key_file:
        return KeyFile(sources.key_file)
    return DesktopKey(is_root=sources.is_root, deadline=sources.deadline)
