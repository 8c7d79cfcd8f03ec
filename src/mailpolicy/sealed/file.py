"""The sealed file on the disk: read and replaced whole, under a lock, proved by reading back before it is in place.

A rotation replaces two files, which no system call does in one step. So the new key lies beside the old one first, the
file is replaced, and then the new key takes the old one's place: killed anywhere, one of the two keys opens the file. An
older copy of the whole file, put back with its key, is not recognised.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import BinaryIO, NamedTuple

from mailpolicy.errors import FileMissing, KeyringError, MailpolicyError, NotConfirmed, Refused, StoreError, WriteFailed
from mailpolicy.sealed.format import KEY_SIZE, LARGEST, Header, Key, Secrets, damaged, header, seal, unseal
from mailpolicy.sealed.key_files import kept_in_file, require_new
from mailpolicy.sealed.key_source import KeySource, Sources, configured
from mailpolicy.system.files import is_there, opened, read_whole
from mailpolicy.system.held import Held, locked, without_lock
from mailpolicy.system.replacing import Attributes

DEFAULT_PATH = "/var/lib/mailpolicy/secrets"
_TRIES = 4  # to read the file and then its key, while a rotation replaces one after the other


class WrongKey(KeyringError):
    """The file is sealed with another key than the ones that are here."""

    code = "wrong-key"


class Opened(NamedTuple):
    """What a file of sealed secrets holds, and the key that opened it."""

    header: Header
    key: Key
    secrets: Secrets


class SecretsFile:
    """One file of sealed secrets and the source of its key; `lock_timeout` is in seconds."""

    def __init__(self, path: str, source: KeySource, *, lock_timeout: float = 10.0) -> None:
        self.path = path
        self.source = source
        self._lock_timeout = lock_timeout
        self._key: Key | None = None  # the last one that was used
        self._held: Held | None = None  # while the file is being changed

    @classmethod
    def located(cls, path: str | None, sources: Sources, lock_timeout: float = 10.0) -> SecretsFile:
        """Return the file at `path`, or with None in the usual place, and the first key that is configured."""
        return cls(path or DEFAULT_PATH, configured(sources), lock_timeout=lock_timeout)

    def several(self, service: str, users: Collection[str]) -> dict[str, str]:
        """Return the secrets of a service by user name; users without one are left out. Raises KeyringError."""
        kept = self.everything().get(service, {})
        return {user: kept[user] for user in users if user in kept}

    def everything(self) -> Secrets:
        """Return all secrets. Raises KeyringError."""
        return self._read().secrets

    def facts(self) -> Header:
        """Return what the first line of the file says, which is sound to its last bit. Raises KeyringError."""
        return self._read().header

    def change(self, service: str, changes: Mapping[str, str | None]) -> dict[str, str]:
        """Set secrets of a service by user name, or remove those that are None; return what they were before.

        Raises KeyringError, StillLocked, WriteFailed and NotConfirmed. If nothing would change nothing is written.
        """
        with self._changing():
            old = self._read()
            kept = old.secrets.get(service, {})
            before = {user: kept[user] for user in changes if user in kept}
            if any(before.get(user) != secret for user, secret in changes.items()):
                new = {user: secret for user, secret in {**kept, **changes}.items() if secret is not None}
                self._replace(old.key, old.header.writes + 1, {**old.secrets, service: new})
        return before

    def make(self) -> tuple[bool, bool]:
        """Make a key if there is none and an empty file if there is none; return which of the two were made.

        Raises KeyringError, also if a file has lost its key, and WriteFailed.
        """
        self._refuse_unsafe()
        next(self.source.masters(), None)  # a keyring that must be unlocked is, before others wait for us
        with self._locked(make_folders=0o700) as held:
            if held.facts() is not None:
                self.facts()
                return False, False
            made = next(self.source.masters(), None) is None
            if made:
                self.source.keep(os.urandom(KEY_SIZE))
            self._replace(next(self._keys()), 0, {})
        return made, True

    def would_make(self) -> tuple[bool, bool]:
        """Return what `make` would. Raises what it would raise, so far as that can be seen without writing."""
        self._refuse_unsafe()
        if is_there(self.path):
            self.facts()
            return False, False
        if made := next(self.source.masters(), None) is None:
            self.source.require_safe()
        return made, True

    def rotate(self, new_key_file: str | None = None) -> tuple[str, str, int]:
        """Encrypt everything under a new key; return the ids of the old and the new key, and how many secrets there are.

        The new key takes the old one's place; with `new_key_file` it is the one in that file, which is made if it is not
        there. Raises Refused, KeyringError, StillLocked, WriteFailed with all as it was, and NotConfirmed.
        """
        with self._changing():
            old = self._read()
            self._require_new(new_key_file, old.key)
            try:
                new = Key(kept_in_file(new_key_file)) if new_key_file is not None else self._next_key(old.key)
            except NotConfirmed as error:  # which nothing may depend on
                raise WriteFailed(f"{error.message}; the secrets are as they were", file=error.file) from None
            try:
                self._replace(new, old.header.writes + 1, old.secrets)
            except (KeyringError, WriteFailed):
                if new_key_file is None:
                    self.source.forget_next()
                raise
            self._key = new
            if new_key_file is None:
                self._promote()
        return old.key.id, new.id, _count(old.secrets)

    def would_rotate(self, new_key_file: str | None = None) -> int:
        """Return how many secrets `rotate` would encrypt. Raises what it would raise, so far as that can be seen."""
        self._refuse_unsafe()
        old = self._read()
        self._require_new(new_key_file, old.key)
        return _count(old.secrets)

    def half_rotated(self) -> bool:
        """Return whether only the next key opens the file: a rotation stopped after the file and before the key."""
        return self._is_next(self._read().key)

    def _require_new(self, new_key_file: str | None, old: Key) -> None:
        """Raise Refused if the new key is not a new one, or has no place, and KeyringError if that is not safe."""
        if new_key_file is None:
            if not self.source.writable:
                raise Refused(
                    f"its key is {self.source.name}, which only its giver can replace: "
                    "name a file for the new one with --new-key-file PATH",
                    file=self.path,
                    code="key-not-writable",
                )
        else:
            require_new(new_key_file, old)

    def _next_key(self, old: Key) -> Key:
        if self._is_next(old):
            self.source.promote()  # of a rotation that stopped half-way
        master = os.urandom(KEY_SIZE)
        self.source.keep_next(master)
        return Key(master)

    def _is_next(self, key: Key) -> bool:
        following = self.source.next_master()
        return following is not None and Key(following).id == key.id

    def _promote(self) -> None:
        try:
            self.source.promote()
        except NotConfirmed:
            raise
        except MailpolicyError as error:
            raise NotConfirmed(
                f"sealed with the new key, which opens it but still lies beside the old one: {error}",
                file=self.path,
            ) from None

    def _read(self) -> Opened:
        """Read the file with the key that it names. Raises KeyringError."""
        first, key, content = self._keyed()
        return Opened(first, key, unseal(self.path, key, content))

    def _keyed(self) -> tuple[Header, Key, bytes]:
        """Read the file and find the key that its first line names. Raises KeyringError."""
        tries = 0
        while True:
            content = self._content()
            first = header(self.path, content)
            try:
                return first, self._key_of(first.key_id), content
            except WrongKey:  # or a rotation has replaced the file after it was read here, and then its key
                tries += 1
                if tries == _TRIES:
                    raise

    def _key_of(self, key_id: str) -> Key:
        """Return the key of that id. Raises KeyringError."""
        if self._key is not None and self._key.id == key_id:
            return self._key
        there = []
        for key in self._keys():
            if key.id == key_id:
                self._key = key
                return key
            there.append(key.id)
        raise WrongKey(f"it is sealed with the key {key_id}, and the key here is {' or '.join(there)}", file=self.path)

    def _keys(self) -> Iterator[Key]:
        """Return the key and, during a rotation, the next one. Raises KeyringError, also if there is none."""
        found = False
        for master in self.source.masters():
            found = True
            yield Key(master)
        if not found:
            raise KeyringError(
                f"this file of sealed secrets is there, and its master key is not: {self.source.cure}",
                file=self.path,
                code="no-key",
                fix=self.source.fix,
            )

    def _content(self) -> bytes:
        try:
            with opened(self.path) if self._held is None else self._held.opened() as descriptor:
                if descriptor is None:
                    raise self._missing()
                if os.fstat(descriptor).st_size > LARGEST:
                    raise damaged(self.path, "this is not a file of sealed secrets, it is too large")
                return read_whole(descriptor)
        except FileMissing:
            raise self._missing() from None
        except StoreError as error:
            raise KeyringError(error.message, file=error.file, code="no-secrets-file") from None

    def _missing(self) -> KeyringError:
        return KeyringError(
            "there is no file of sealed secrets: bring it back from a backup, or make a new one",
            file=self.path,
            code="no-secrets-file",
            fix=("mailpolicy", "secrets", "init"),
        )

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock of a file that is there."""
        self._refuse_unsafe()
        if self._key is None:
            self._keyed()  # a desktop keyring may ask somebody to unlock it, and other writers would wait for us
        with self._locked():
            yield

    @contextmanager
    def _locked(self, *, make_folders: int | None = None) -> Iterator[Held]:
        """Hold the lock of the file, which from now on is read and replaced where it was found."""
        with _safe(locked(self.path, self._lock_timeout, make_folders=make_folders)) as held:
            self._held = held
            try:
                yield held
            finally:
                self._held = None

    def _refuse_unsafe(self) -> None:
        with _safe(without_lock(self.path)):
            pass

    def _replace(self, key: Key, writes: int, secrets: Secrets) -> None:
        """Put a file with these secrets in place, after it was read back and found to hold them."""
        assert self._held is not None

        def proof(file: BinaryIO) -> None:
            try:
                content = file.read()
                if (header(self.path, content), unseal(self.path, key, content)) == ((key.id, writes), secrets):
                    return
            except KeyringError:
                pass
            raise WriteFailed(
                "what was read back differs from what was written, the old file is intact", file=self.path
            )

        content = seal(self.path, key, writes, secrets)
        self._held.replace(content, Attributes(0o600), proof)


def _count(secrets: Secrets) -> int:
    return sum(map(len, secrets.values()))


@contextmanager
def _safe(place: AbstractContextManager[Held]) -> Iterator[Held]:
    """Turn the refusal of a place into an error of the keyring, which is what the file is."""
    with ExitStack() as stack:
        try:
            held = stack.enter_context(place)
        except Refused as error:
            raise KeyringError(error.message, file=error.file, code=error.code, fix=error.fix) from None
        yield held
