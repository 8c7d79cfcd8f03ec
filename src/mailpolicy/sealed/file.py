"""The sealed file on disk: read and replaced as a whole, under a lock, verified before it replaces the old file.

A rotation replaces two files, which no system call does in one step. So the new key is first stored beside the old one,
then the file is replaced, and then the new key replaces the old one: after a crash at any point one of the two keys opens
the file. An older copy of the file with its key is as good as the newest here; `deploy/sealed_writes.py` tells them apart.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import BinaryIO

from mailpolicy.errors import KeyringError, MailpolicyError, NotConfirmed, Refused, StoreError, WriteFailed
from mailpolicy.sealed.format import (
    KEY_SIZE,
    Header,
    Key,
    Secrets,
    parse_header,
    seal,
    unseal,
)
from mailpolicy.sealed.key_files import read_or_create_key, require_new_key
from mailpolicy.sealed.key_source import KeyLocations, KeySource, find_key_source
from mailpolicy.sealed.reader import Reader
from mailpolicy.system.attributes import Attributes
from mailpolicy.system.files import exists
from mailpolicy.system.held import Held, locked, without_lock

DEFAULT_PATH = "/var/lib/mailpolicy/secrets"


class SecretsFile:
    """A sealed file and the source of its key; `lock_timeout` is in seconds."""

    def __init__(self, path: str, source: KeySource, *, lock_timeout: float = 10.0) -> None:
        self.path = path
        self.source = source
        self._lock_timeout = lock_timeout
        self._reader = Reader(path, source)

    @classmethod
    def at(cls, path: str | None, locations: KeyLocations, lock_timeout: float = 10.0) -> SecretsFile:
        """Return the file at `path`, by default DEFAULT_PATH, with the first configured key."""
        return cls(path or DEFAULT_PATH, find_key_source(locations), lock_timeout=lock_timeout)

    def get_many(self, service: str, users: Collection[str]) -> dict[str, str]:
        """Return the secrets of a service by user name; users without one are left out. Raises KeyringError."""
        stored = self.get_all().get(service, {})
        return {user: stored[user] for user in users if user in stored}

    def get_all(self) -> Secrets:
        """Return all secrets. Raises KeyringError."""
        return self._reader.read().secrets

    def header(self) -> Header:
        """Return the header, after verifying the whole file. Raises KeyringError."""
        return self._reader.read().header

    def change(self, service: str, changes: Mapping[str, str | None]) -> dict[str, str]:
        """Set secrets of a service by user name, and delete those that are None; return the old secrets.

        Writes nothing if nothing would change. Raises KeyringError, StillLocked, WriteFailed and NotConfirmed.
        """
        with self._changing():
            old = self._reader.read()
            stored = old.secrets.get(service, {})
            before = {user: stored[user] for user in changes if user in stored}
            if any(before.get(user) != secret for user, secret in changes.items()):
                new = {user: secret for user, secret in {**stored, **changes}.items() if secret is not None}
                self._replace(old.key, old.header.writes + 1, {**old.secrets, service: new})
        return before

    def create(self) -> tuple[bool, bool]:
        """Create a key and an empty file if they do not exist; return whether each of the two was created.

        Raises KeyringError, also if the file exists and its key does not, and WriteFailed.
        """
        self._refuse_unsafe()
        # A locked desktop keyring asks its user for a password: do that before taking the lock.
        next(self.source.master_keys(), None)
        with self._locked(make_folders=0o700) as held:
            if held.lstat() is not None:
                self.header()
                return False, False
            # An existing key is used and never replaced: copies of a file that it sealed could not be read any more.
            key_created = next(self.source.master_keys(), None) is None
            if key_created:
                self.source.write(os.urandom(KEY_SIZE))
            if (key := next(self._reader.keys(), None)) is None:
                raise KeyringError(
                    "the master key was removed meanwhile; run this again", file=self.source.name, code="no-key"
                )
            try:
                self._replace(key, 0, {})
            except (KeyringError, WriteFailed) as error:
                if not key_created:
                    raise
                # The key is not removed: nothing but the file that it opens tells a key that is needed from one that is not.
                raise error.ending("the master key was written, and the next try will use it") from None
        return key_created, True

    def would_create(self) -> tuple[bool, bool]:
        """Return the result that `create` would have, and raise its errors as far as they show without writing."""
        self._refuse_unsafe()
        if exists(self.path):
            self.header()
            return False, False
        if key_created := next(self.source.master_keys(), None) is None:
            self.source.require_writable()
        return key_created, True

    def rotate(self, new_key_file: str | None = None) -> tuple[str, str, int]:
        """Encrypt everything under a new key; return the ids of the old and the new key and the number of secrets.

        The new key replaces the old one; with `new_key_file` it is the key in that file, which is created if needed.
        Raises Refused, KeyringError, StillLocked, WriteFailed (nothing was changed) and NotConfirmed.
        """
        with self._changing():
            old = self._reader.read()
            self._require_new_key(new_key_file, old.key)
            try:
                try:
                    new = Key(read_or_create_key(new_key_file)) if new_key_file is not None else self._next_key(old.key)
                except NotConfirmed as error:  # nothing may be sealed with a key that a crash could still lose
                    raise WriteFailed(f"{error.message}; the secrets were not changed", file=error.file) from None
                self._replace(new, old.header.writes + 1, old.secrets)
            except NotConfirmed:
                raise
            except BaseException:
                if new_key_file is None:
                    self._delete_unused_next(old.key)
                raise
            self._reader.key = new
            if new_key_file is None:
                self._promote()
        return old.key.id, new.id, _count(old.secrets)

    def would_rotate(self, new_key_file: str | None = None) -> int:
        """Return the number of secrets that `rotate` would encrypt, and raise its errors as far as they show."""
        self._refuse_unsafe()
        old = self._reader.read()
        self._require_new_key(new_key_file, old.key)
        return _count(old.secrets)

    def rotation_interrupted(self) -> bool:
        """Return whether a rotation was interrupted after it replaced the file and before it replaced the key."""
        return self._is_next(self._reader.read().key)

    def _require_new_key(self, new_key_file: str | None, old: Key) -> None:
        """Raise Refused if the new key is the old one or cannot be stored, and KeyringError if that is unsafe."""
        if new_key_file is None:
            if not self.source.writable:
                raise Refused(
                    f"the key is a systemd credential ({self.source.name}), which mailpolicy cannot replace: "
                    "give a new key file with --new-key-file PATH",
                    file=self.path,
                    code="key-not-writable",
                )
        else:
            require_new_key(new_key_file, old)

    def _next_key(self, old: Key) -> Key:
        if self._is_next(old):
            self.source.promote()  # complete an interrupted rotation before its key is overwritten
        master = os.urandom(KEY_SIZE)
        self.source.write_next(master)
        return Key(master)

    def _delete_unused_next(self, old: Key) -> None:
        """Remove the next key, unless the file is sealed with it: a signal may arrive at any time."""
        with suppress(MailpolicyError):  # it is not needed, and the first error is the one to report
            if self.header().key_id == old.id and not self._is_next(old):
                self.source.delete_next()

    def _is_next(self, key: Key) -> bool:
        following = self.source.next_master_key()
        return following is not None and Key(following).id == key.id

    def _promote(self) -> None:
        try:
            self.source.promote()
        except NotConfirmed:
            raise
        except MailpolicyError as error:
            raise NotConfirmed(
                f"the secrets are sealed with the new key, but it could not replace the old one: {error}",
                file=self.path,
            ) from None

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock of an existing file."""
        self._refuse_unsafe()
        self._reader.unlock()  # before taking the lock, because a desktop keyring may ask its user for a password
        with self._locked():
            yield

    @contextmanager
    def _locked(self, *, make_folders: int | None = None) -> Iterator[Held]:
        """Hold the lock; meanwhile the file is read and replaced through the folder in which it was found."""
        with _keyring_errors(locked(self.path, self._lock_timeout, make_folders=make_folders)) as held:
            self._reader.held = held
            try:
                yield held
            finally:
                self._reader.held = None

    def _refuse_unsafe(self) -> None:
        with _keyring_errors(without_lock(self.path)):
            pass

    def _replace(self, key: Key, writes: int, secrets: Secrets) -> None:
        """Replace the file by one with these secrets, after reading the new one back."""
        assert self._reader.held is not None

        def verify(file: BinaryIO) -> None:
            try:
                content = file.read()
                if (parse_header(self.path, content), unseal(self.path, key, content)) == ((key.id, writes), secrets):
                    return
            except KeyringError:
                pass
            raise WriteFailed(
                "the new file read back differs from what was written; the old file is intact", file=self.path
            )

        content = seal(self.path, key, writes, secrets)
        self._reader.held.replace(content, Attributes(0o600), verify)


def _count(secrets: Secrets) -> int:
    return sum(map(len, secrets.values()))


@contextmanager
def _keyring_errors(place: AbstractContextManager[Held]) -> Iterator[Held]:
    """Convert Refused and StoreError, raised on entry, to KeyringError: to its callers the sealed file is a keyring."""
    with ExitStack() as stack:
        try:
            held = stack.enter_context(place)
        except (Refused, StoreError) as error:
            raise KeyringError(error.message, file=error.file, code=error.code, fix=error.fix) from None
        yield held
