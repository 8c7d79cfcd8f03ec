"""A master key from systemd or a container runtime, as a file in $CREDENTIALS_DIRECTORY.

The directory is trusted as it is given.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from mailpolicy.errors import KeyringError, StoreError
from mailpolicy.sealed.format import KEY_SIZE, parse_master_key
from mailpolicy.sealed.key_files import readable_error, unreadable_error
from mailpolicy.system.files import open_regular
from mailpolicy.system.resolve import real_path

CREDENTIAL = "mailpolicy.key"  # the credential's name in systemd, and its file in $CREDENTIALS_DIRECTORY
RUN_WITH_CREDENTIAL = ("systemd-run", "--pty", "--wait", "-p", f"LoadCredentialEncrypted={CREDENTIAL}", "mailpolicy")


class Credential:
    """A credential that systemd or a container runtime passed to this process."""

    writable = False
    fix = None

    def __init__(self, path: str) -> None:
        self.name = path
        self.advice = f"restore the credential that provides {path}"

    def master_keys(self) -> Iterator[bytes]:
        """Yield the key."""
        content, st = _read_credential(self.name)
        # The group bits are not checked: systemd may grant access by an ACL, and then they hold its mask.
        if st.st_mode & 0o007 and os.stat(os.path.dirname(real_path(self.name))).st_mode & 0o001:
            raise readable_error(self.name)
        yield parse_master_key(self.name, content)

    def next_master_key(self) -> None:
        """Return None: a credential has no next key."""

    def require_writable(self) -> None:
        """Raise KeyringError: mailpolicy cannot write a credential."""
        raise KeyringError(
            "this is a credential, which mailpolicy cannot write", file=self.name, code="key-not-writable"
        )

    def write(self, _master: bytes) -> None:
        """Raise KeyringError: mailpolicy cannot write a credential."""
        self.require_writable()

    write_next = write

    def promote(self) -> None:
        """Do nothing: a credential has no next key."""

    delete_next = promote


def _read_credential(path: str) -> tuple[bytes, os.stat_result]:
    """Return the content and stat result of a credential; its folder is trusted. Raises KeyringError."""
    try:
        with open_regular(path) as descriptor:
            return os.read(descriptor, 4 * KEY_SIZE), os.fstat(descriptor)
    except StoreError as error:
        raise unreadable_error(error) from None
