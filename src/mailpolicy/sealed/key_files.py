"""Master keys in files: one of root's or of this user, and what systemd or a container's runtime gives as a credential.

A key is 32 bytes; a file may also hold them as 64 hexadecimal digits and a newline.

Promises: a key file that others may read or put in place is refused; a key is in no message. Not promised: that a
credential is safe where its directory was chosen by somebody else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from mailpolicy.errors import Command, FileMissing, KeyringError, MailpolicyError, Refused, StoreError
from mailpolicy.sealed.format import KEY_SIZE, Key, master_key
from mailpolicy.system.files import is_there, opened, opened_trusted, told
from mailpolicy.system.held import Held, without_lock
from mailpolicy.system.replacing import Attributes
from mailpolicy.system.resolve import target_of

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
        content, facts = _credential(self.name)
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

    def __init__(self, path: str) -> None:
        self.name = path
        self.cure = f"bring {path} back from a backup"

    @property
    def _next(self) -> str:
        with told(self.name):
            return f"{target_of(self.name)}.next"

    def masters(self) -> Iterator[bytes]:
        """The key and the next one."""
        for path in (self.name, self._next):
            if (master := self._read(path)) is not None:
                yield master

    def next_master(self) -> bytes | None:
        """What is in `KEY.next`."""
        return self._read(self._next)

    def _read(self, path: str) -> bytes | None:
        """Return the key in a file, None if the file does not exist. Raises KeyringError."""
        try:
            content, facts = _read(path)
        except FileMissing:
            return None
        if facts.st_mode & 0o077:
            raise _readable(path)
        if facts.st_uid not in (0, os.geteuid()):
            raise _unsafe(path, "this master key belongs to somebody else", ("chown", str(os.geteuid()), path))
        return master_key(path, content)

    def require_safe(self) -> None:
        """Nobody but root may be able to replace a key of root's."""
        with _safe(self.name):
            pass

    def keep(self, master: bytes) -> None:
        """A new file, 0400, and its directory where there is none."""
        with _safe(self.name, make_folders=0o755) as file:
            file.clear_leftovers()
            file.create(master, Attributes(0o400))

    def keep_next(self, master: bytes) -> None:
        """`KEY.next`, 0400. What is there already is lost only when the new one is there."""
        with _safe(self.name) as file:
            file.clear_leftovers()
        with _safe(self._next) as file:
            file.replace(master, Attributes(0o400, exact=True))

    def promote(self) -> None:
        """`KEY.next` becomes `KEY`."""
        with _safe(self._next) as following:
            if following.facts() is None:
                return
        with _safe(self.name) as file:
            file.take(f"{os.path.basename(file.target)}.next")

    def forget_next(self) -> None:
        """Remove `KEY.next`."""
        with suppress(MailpolicyError), _safe(self._next) as file:
            file.remove()


@contextmanager
def _safe(path: str, *, make_folders: int | None = None) -> Iterator[Held]:
    """Hold the folder of a key file, which the lock of the secrets guards. Raises KeyringError and WriteFailed."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(without_lock(path, make_folders=make_folders))
        except Refused as error:
            raise _unsafe_key(error) from None
        yield file


def kept_in_file(path: str) -> bytes:
    """The master key in a file, which is made with a new key where there is none. Raises KeyringError and WriteFailed."""
    file = KeyFile(path)
    if not is_there(path):
        file.keep(os.urandom(KEY_SIZE))
    return next(file.masters())


def require_new(path: str, old: Key) -> None:
    """Raise Refused if a key file has the old key, or has no folder, and KeyringError if no key is safe there."""
    new = KeyFile(path)
    if is_there(path):
        if Key(next(new.masters())).id == old.id:
            raise Refused(
                "this is the key that is in use: name a file that is not there, or has another key",
                file=path,
                code="same-key",
            )
        return
    new.require_safe()
    try:
        folder = os.path.dirname(target_of(path))
    except OSError:
        folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise Refused(
            "there is no directory for the new key",
            file=path,
            code="no-directory",
            fix=("mkdir", "-p", "-m", "0700", folder),
        )


def _credential(path: str) -> tuple[bytes, os.stat_result]:
    """As `_read`, of a folder that whoever started this process chose and made."""
    try:
        with opened(path) as descriptor:
            return os.read(descriptor, 4 * KEY_SIZE), os.fstat(descriptor)
    except StoreError as error:
        raise KeyringError(f"the master key cannot be read: {error.message}", file=error.file, code="no-key") from None


def _read(path: str) -> tuple[bytes, os.stat_result]:
    """Return what a key file holds and what it is like. Raises FileMissing and KeyringError."""
    try:
        with opened_trusted(path) as descriptor:
            return os.read(descriptor, 4 * KEY_SIZE), os.fstat(descriptor)
    except FileMissing:
        raise
    except StoreError as error:
        raise KeyringError(f"the master key cannot be read: {error.message}", file=error.file, code="no-key") from None
    except Refused as error:
        raise _unsafe_key(error) from None


def _unsafe_key(error: Refused) -> KeyringError:
    return KeyringError(f"the master key: {error.message}", file=error.file, code="unsafe-key", fix=error.fix)


def _readable(path: str) -> KeyringError:
    return _unsafe(path, "this master key can be read by others", ("chmod", "0400", path))


def _unsafe(path: str, what: str, fix: Command) -> KeyringError:
    return KeyringError(what, file=path, code="unsafe-key", fix=fix)
