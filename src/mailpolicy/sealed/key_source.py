"""The source of the master key: the first that is configured of systemd credential, key file and desktop keyring.

If the first one has no key, the others are not tried. During a rotation a source holds the next key as well, so that one
of the two always opens the secrets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from mailpolicy.errors import Command
from mailpolicy.sealed.credential import CREDENTIAL, Credential
from mailpolicy.sealed.desktop_key import DesktopKey
from mailpolicy.sealed.key_files import KeyFile
from mailpolicy.system.files import exists


class KeyLocations(NamedTuple):
    """The configured places of a master key: the credentials directory and the key file, each None if not configured.

    `timeout` is the timeout of the desktop keyring in seconds.
    """

    credentials_folder: str | None = None
    key_file: str | None = None
    is_root: bool = False
    timeout: float = 15.0


class KeySource(Protocol):
    """A place that holds the master key and, during a rotation, the next key."""

    @property
    def name(self) -> str:
        """Return the name of the source for messages."""

    @property
    def writable(self) -> bool:
        """Return whether mailpolicy can write a key."""

    @property
    def advice(self) -> str:
        """Return advice for a missing key."""

    @property
    def fix(self) -> Command | None:
        """Return the command that helps if the key is missing, if there is one."""

    def master_keys(self) -> Iterator[bytes]:
        """Yield the key and the next key, if they exist. Raises KeyringError."""

    def next_master_key(self) -> bytes | None:
        """Return the next key, None if there is none. Raises KeyringError."""

    def require_writable(self) -> None:
        """Raise KeyringError if no key could be written, or not safely."""

    def write(self, master: bytes) -> None:
        """Write the first key. Raises KeyringError and WriteFailed."""

    def write_next(self, master: bytes) -> None:
        """Write the next key beside the key. Raises KeyringError and WriteFailed."""

    def promote(self) -> None:
        """Replace the key by the next key. Raises KeyringError, WriteFailed and NotConfirmed."""

    def delete_next(self) -> None:
        """Remove the next key if possible."""


def find_key_source(locations: KeyLocations) -> KeySource:
    """Return the first configured source."""
    if locations.credentials_folder:
        credential = os.path.join(locations.credentials_folder, CREDENTIAL)
        if exists(credential):
            return Credential(credential)
    if locations.key_file:
        return KeyFile(locations.key_file)
    return DesktopKey(is_root=locations.is_root, timeout=locations.timeout)
