"""Master keys in files: one of root's or of this user, and what systemd or a container's runtime gives as a credential.

A key is 32 bytes; a file may also hold them as 64 hexadecimal digits and a newline.

Promises: a key file that others may read or put in place is refused; a key is in no message. Not promised: that a
credential is safe where its directory was chosen by somebody else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from mailpolicy import files, trust
from mailpolicy.errors import Command, KeyringError, StoreError
from mailpolicy.sealed.cipher import KEY_SIZE, master_key

CREDENTIAL = "mailpolicy.key"  # its name for systemd, and its file in $CREDENTIALS_DIRECTORY
WITH_CREDENTIAL = ("systemd-run", "--pty", "--wait", "-p", f"LoadCredentialEncrypted={CREDENTIAL}", "mailpolicy")


class Credential:
    """A credential that systemd, or a container's runtime, gave to this process."""

    writable = False
    fix = None

    def __init__(self, path: str) -> None:
        self.name = path
        self.cure = f"ask who gives {path}"

    def masters(self) -> Iterator[bytes]:
        """The key."""
        content, facts = _read(self.name)
        # The owner may be root or this user, and where systemd gave access by an ACL the group's bits are its mask.
        if facts.st_mode & 0o007 and os.stat(os.path.dirname(os.path.realpath(self.name))).st_mode & 0o001:
            raise _readable(self.name)
        yield master_key(self.name, content)

    def next_master(self) -> None:
        """There is none."""

    def require_safe(self) -> None:
        """Never: it is not ours to write."""
        raise KeyringError(
            "this is a credential, which only its giver can make", file=self.name, code="key-not-writable"
        )

    def keep(self, _master: bytes) -> None:
        """Never."""
        self.require_safe()

    keep_next = keep

    def promote(self) -> None:
        """Never: there is no next one."""

    forget_next = promote


class KeyFile:
    """A file that only its owner can read: this user, or as root nobody but root."""

    writable = True
    fix = None

    def __init__(self, path: str, *, is_root: bool) -> None:
        self.name = path
        self.cure = f"bring {path} back from a backup"
        self._is_root = is_root

    @property
    def _next(self) -> str:
        return f"{os.path.realpath(self.name)}.next"

    def masters(self) -> Iterator[bytes]:
        """The key and the next one."""
        for path in (self.name, self._next):
            if os.path.lexists(path):
                try:
                    master = self._read(path)
                except KeyringError:
                    if os.path.lexists(path):
                        raise
                    continue  # a rotation has just ended
                yield master

    def next_master(self) -> bytes | None:
        """What is in `KEY.next`."""
        return self._read(self._next) if os.path.lexists(self._next) else None

    def _read(self, path: str) -> bytes:
        content, facts = _read(path)
        if facts.st_mode & 0o077:
            raise _readable(path)
        if facts.st_uid not in (0, os.geteuid()):
            raise _unsafe(path, "this master key belongs to somebody else", ("chown", str(os.geteuid()), path))
        if self._is_root and (fix := trust.unsafe_for_root(path, group=True)) is not None:
            raise _unsafe(path, "others than root can put another key here", fix)
        return master_key(path, content)

    def require_safe(self) -> None:
        """Nobody but root may be able to replace a key of root's."""
        if self._is_root and (fix := trust.unsafe_for_root(self.name, group=True)) is not None:
            raise _unsafe(self.name, "others than root could put another key here", fix)

    def keep(self, master: bytes) -> None:
        """A new file, 0400, and its directory where there is none."""
        files.make_folders(os.path.dirname(os.path.realpath(self.name)), 0o755)
        self.require_safe()
        files.clear_leftovers(os.path.realpath(self.name))
        files.replace(self.name, master, attributes=files.Attributes(0o400))

    def keep_next(self, master: bytes) -> None:
        """`KEY.next`, 0400. What is there already is lost only when the new one is there."""
        for path in (os.path.realpath(self.name), self._next):
            files.clear_leftovers(path)
        files.replace(self._next, master, attributes=files.Attributes(0o400, exact=True))

    def promote(self) -> None:
        """`KEY.next` becomes `KEY`."""
        if os.path.lexists(self._next):
            files.move(self._next, os.path.realpath(self.name))

    def forget_next(self) -> None:
        """Remove `KEY.next`."""
        with suppress(OSError):
            os.unlink(self._next)


def kept_in_file(path: str, *, is_root: bool) -> bytes:
    """The master key in a file, which is made with a new key where there is none. Raises KeyringError and WriteFailed."""
    file = KeyFile(path, is_root=is_root)
    if not os.path.lexists(path):
        file.keep(os.urandom(KEY_SIZE))
    return next(file.masters())


def _read(path: str) -> tuple[bytes, os.stat_result]:
    try:
        with files.opened(path) as descriptor:
            return os.read(descriptor, 4 * KEY_SIZE), os.fstat(descriptor)
    except StoreError as error:
        raise KeyringError(f"the master key cannot be read: {error.message}", file=error.file, code="no-key") from None


def _readable(path: str) -> KeyringError:
    return _unsafe(path, "this master key can be read by others", ("chmod", "0400", path))


def _unsafe(path: str, what: str, fix: Command) -> KeyringError:
    return KeyringError(what, file=path, code="unsafe-key", fix=fix)
