"""A master key in a file of root or of this user: 32 bytes, raw or as 64 hexadecimal digits with an optional newline.

A key file that others can read or replace is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from mailpolicy.errors import Command, FileMissing, KeyringError, MailpolicyError, Refused, StoreError
from mailpolicy.sealed.format import KEY_SIZE, Key, parse_master_key
from mailpolicy.system.attributes import Attributes
from mailpolicy.system.files import exists, open_trusted, store_errors
from mailpolicy.system.held import Held, without_lock
from mailpolicy.system.resolve import target_of


class KeyFile:
    """A key file that only its owner can read: this user or root."""

    writable = True
    fix = None

    def __init__(self, path: str) -> None:
        self.name = path
        self.advice = f"restore {path} from a backup"

    @property
    def _next(self) -> str:
        try:
            with store_errors(self.name):
                return f"{target_of(self.name)}.next"
        except StoreError as error:
            raise unreadable_error(error) from None

    def master_keys(self) -> Iterator[bytes]:
        """Yield the key and the next key, if they exist."""
        for path in (self.name, self._next):
            if (master := self._read(path)) is not None:
                yield master

    def next_master_key(self) -> bytes | None:
        """Return the key in `KEY.next`, None if there is none."""
        return self._read(self._next)

    def _read(self, path: str) -> bytes | None:
        """Return the key in a file, None if the file does not exist. Raises KeyringError."""
        try:
            content, st = _read(path)
        except FileMissing:
            return None
        if st.st_mode & 0o077:
            raise readable_error(path)
        if st.st_uid not in (0, os.geteuid()):
            raise _unsafe_error(path, "this master key belongs to another user", ("chown", str(os.geteuid()), path))
        return parse_master_key(path, content)

    def require_writable(self) -> None:
        """Raise KeyringError if others could replace the key file of root."""
        with _opened_folder(self.name):
            pass

    def write(self, master: bytes) -> None:
        """Create the file, mode 0400, and its directory if needed."""
        with _opened_folder(self.name, make_folders=0o755) as file:
            file.remove_leftovers()
            file.create(master, Attributes(0o400))

    def write_next(self, master: bytes) -> None:
        """Write `KEY.next`, mode 0400, replacing an older one atomically."""
        with _opened_folder(self.name) as file:
            file.remove_leftovers()
        with _opened_folder(self._next) as file:
            file.remove_leftovers()
            file.replace(master, Attributes(0o400, exact=True))

    def promote(self) -> None:
        """Rename `KEY.next` to `KEY`."""
        with _opened_folder(self._next) as following:
            if following.lstat() is None:
                return
        with _opened_folder(self.name) as file:
            file.replace_with(f"{os.path.basename(file.target)}.next")

    def delete_next(self) -> None:
        """Remove `KEY.next`."""
        with suppress(MailpolicyError), _opened_folder(self._next) as file:
            file.remove()


@contextmanager
def _opened_folder(path: str, *, make_folders: int | None = None) -> Iterator[Held]:
    """Open the folder of a key file; the lock of the sealed file guards it. Raises KeyringError and WriteFailed."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(without_lock(path, make_folders=make_folders))
        except Refused as error:
            raise _unsafe_key(error) from None
        yield file


def read_or_create_key(path: str) -> bytes:
    """Return the master key in a file, creating it with a new key if needed. Raises KeyringError and WriteFailed."""
    file = KeyFile(path)
    if not exists(path):
        file.write(os.urandom(KEY_SIZE))
    return _master_key(file)


def _master_key(file: KeyFile) -> bytes:
    """Return the key in a file that was there a moment ago. Raises KeyringError."""
    for master in file.master_keys():
        return master
    raise KeyringError("cannot read the master key: it was removed meanwhile", file=file.name, code="no-key")


def require_new_key(path: str, old: Key) -> None:
    """Raise Refused if a key file holds the old key or has no folder, and KeyringError if the path is unsafe."""
    new = KeyFile(path)
    if exists(path):
        if Key(_master_key(new)).id == old.id:
            raise Refused(
                "this key is in use already: name a new file, or one with another key",
                file=path,
                code="same-key",
            )
        return
    new.require_writable()
    try:
        folder = os.path.dirname(target_of(path))
    except OSError:
        folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise Refused(
            "the directory for the new key does not exist",
            file=path,
            code="no-directory",
            fix=("mkdir", "-p", "-m", "0700", folder),
        )


def _read(path: str) -> tuple[bytes, os.stat_result]:
    """Return the content and stat result of a key file. Raises FileMissing and KeyringError."""
    try:
        with open_trusted(path) as descriptor:
            return os.read(descriptor, 4 * KEY_SIZE), os.fstat(descriptor)
    except FileMissing:
        raise
    except StoreError as error:
        raise unreadable_error(error) from None
    except Refused as error:
        raise _unsafe_key(error) from None


def unreadable_error(error: StoreError) -> KeyringError:
    """Return the error for a master key that cannot be read."""
    return KeyringError(f"cannot read the master key: {error.message}", file=error.file, code="no-key")


def _unsafe_key(error: Refused) -> KeyringError:
    return KeyringError(
        f"the master key is not safe: {error.message}", file=error.file, code="unsafe-key", fix=error.fix
    )


def readable_error(path: str) -> KeyringError:
    """Return the error for a master key that other users can read."""
    return _unsafe_error(path, "this master key can be read by others", ("chmod", "0400", path))


def _unsafe_error(path: str, message: str, fix: Command) -> KeyringError:
    return KeyringError(message, file=path, code="unsafe-key", fix=fix)
