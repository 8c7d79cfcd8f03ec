"""Where the master key is: a credential of systemd, a key file, or an entry in the keyring of a desktop; the first that is configured.

A key is 32 bytes; a file may also hold them as 64 hexadecimal digits and a newline. While a rotation is under way the
new key lies beside the old one (`KEY.next`), so that one of the two always opens the secrets.

Promises: a key file that others may read or put in place is refused; a key is in no message. Not promised: that a
credential is safe where its directory was chosen by somebody else.
"""

from __future__ import annotations

import os
import shlex
from binascii import Error as NotHexadecimal
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple, Protocol

from mailpolicy import backends, files, trust
from mailpolicy.calls import Calls
from mailpolicy.errors import KeyringError, StoreError
from mailpolicy.sealed.cipher import KEY_SIZE

CREDENTIAL = "mailpolicy.key"  # its name for systemd, and its file in $CREDENTIALS_DIRECTORY
WITH_CREDENTIAL = f"systemd-run --pty --wait -p LoadCredentialEncrypted={CREDENTIAL} mailpolicy"
_SERVICE, _ENTRY, _NEXT = "mailpolicy", "master-key", "master-key.next"


class Sources(NamedTuple):
    """Where a master key may be: the directory of credentials, the key file; None where there is none.

    `deadline` is how many seconds a desktop keyring may take to answer.
    """

    credentials_folder: str | None = None
    key_file: str | None = None
    is_root: bool = False
    deadline: float = 15.0


class Place(Protocol):
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
    def fix(self) -> str | None:
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


def place(sources: Sources) -> Place:
    """The first place that is configured."""
    if sources.credentials_folder:
        credential = os.path.join(sources.credentials_folder, CREDENTIAL)
        if os.path.lexists(credential):
            return Credential(credential)
    if sources.key_file:
        return KeyFile(sources.key_file, is_root=sources.is_root)
    return Wallet(is_root=sources.is_root, deadline=sources.deadline)


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
        yield _master(self.name, content)

    def next_master(self) -> None:
        """There is none."""

    def require_safe(self) -> None:
        """Never: it is not ours to write."""
        raise KeyringError(f"{self.name} is a credential, which only its giver can make", code="key-not-writable")

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
            raise _unsafe(f"{path} belongs to somebody else", f"chown {os.geteuid()} {shlex.quote(path)}")
        if self._is_root and (fix := trust.unsafe_for_root(path, group=True)) is not None:
            raise _unsafe(f"{path}: others than root can put another key here", fix)
        return _master(path, content)

    def require_safe(self) -> None:
        """Nobody but root may be able to replace a key of root's."""
        if self._is_root and (fix := trust.unsafe_for_root(self.name, group=True)) is not None:
            raise _unsafe(f"{self.name}: others than root could put another key here", fix)

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


class Wallet:
    """An entry in the keyring of the operating system, as hexadecimal digits."""

    name = f"the entry {_ENTRY} of {_SERVICE} in the desktop keyring"
    writable = True
    cure = (
        "as no key_file is named it is a credential of systemd, which only its services are given, or the entry "
        f"{_ENTRY} of {_SERVICE} in a desktop keyring: run this where the key is, or name the key's file as key_file in host.toml"
    )
    fix = f"{WITH_CREDENTIAL} secrets verify"

    def __init__(self, *, is_root: bool, deadline: float = 15.0) -> None:
        self._is_root = is_root
        self._calls = Calls(deadline)

    def masters(self) -> Iterator[bytes]:
        """The key and the next one; none where there is no desktop keyring."""
        for entry in (_ENTRY, _NEXT):
            if (master := self._get(entry)) is not None:
                yield master

    def next_master(self) -> bytes | None:
        """The next one."""
        return self._get(_NEXT)

    def _get(self, entry: str) -> bytes | None:
        try:
            text = self._call("get_password", entry)
        except KeyringError as error:
            if error.code != "no-keyring":
                raise
            text = None
        return _master(self.name, text.encode("ascii", "replace")) if text is not None else None

    def require_safe(self) -> None:
        """There must be a desktop keyring."""
        self._call("get_password", _ENTRY)

    def keep(self, master: bytes) -> None:
        """Set the entry and read it back."""
        self._keep(_ENTRY, master)

    def keep_next(self, master: bytes) -> None:
        """Set the entry of the next key and read it back."""
        self._keep(_NEXT, master)

    def promote(self) -> None:
        """The next key's entry becomes the key's."""
        text = self._call("get_password", _NEXT)
        if text is not None:
            self._keep(_ENTRY, bytes.fromhex(text))
            self.forget_next()

    def forget_next(self) -> None:
        """Remove the entry of the next key."""
        with suppress(KeyringError):
            if self._call("get_password", _NEXT) is not None:
                self._call("delete_password", _NEXT)

    def _keep(self, entry: str, master: bytes) -> None:
        self._call("set_password", entry, master.hex())
        if self._call("get_password", entry) != master.hex():
            raise KeyringError(
                "the desktop keyring did not keep the master key: what was read back differs", code="keyring-lost"
            )

    def _call(self, method: str, entry: str, *more: str) -> str | None:
        def ask() -> str | None:
            answer: str | None = getattr(backends.wallet(is_root=self._is_root), method)(_SERVICE, entry, *more)
            return answer

        return self._calls.make(ask)


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
        raise KeyringError(f"the master key cannot be read: {error.message}", code="no-key") from None


def _master(name: str, content: bytes) -> bytes:
    if len(content) == KEY_SIZE:
        return content
    with suppress(ValueError, NotHexadecimal):
        if (
            len(content) in (2 * KEY_SIZE, 2 * KEY_SIZE + 1)
            and len(key := bytes.fromhex(content.decode("ascii"))) == KEY_SIZE
        ):
            return key
    size = f"{len(content)} bytes" if len(content) < 4 * KEY_SIZE else "so many bytes"
    raise KeyringError(
        f"{name}: this is no master key: {KEY_SIZE} bytes or {2 * KEY_SIZE} hexadecimal digits are one, not {size}",
        code="no-key",
    )


def _readable(path: str) -> KeyringError:
    return _unsafe(f"the master key {path} can be read by others", f"chmod 0400 {shlex.quote(path)}")


def _unsafe(what: str, fix: str) -> KeyringError:
    return KeyringError(f"{what}: {fix}", code="unsafe-key", fix=fix)
