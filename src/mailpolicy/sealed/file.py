"""A file of sealed secrets on the disk: changed under a lock, replaced whole or longer at its end, proved by reading back.

Promises: those of the store's edits (`files`): a writer that is killed leaves the old or the new file, two writers lose
nothing, a full disk leaves the old one; a rotation is one replacement. Not promised: that an older copy of the whole
file, put back with its key, is recognised.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import BinaryIO, TypeVar

from mailpolicy.errors import FileMissing, KeyringError, NotConfirmed, Refused, StoreError, WriteFailed
from mailpolicy.sealed import content, front
from mailpolicy.sealed.block import Name
from mailpolicy.sealed.cipher import KEY_SIZE, Key, Unsound
from mailpolicy.sealed.content import Opened, Unchanged
from mailpolicy.sealed.fault import fault
from mailpolicy.sealed.keyfiles import KeyFile, kept_in_file
from mailpolicy.sealed.keys import Place
from mailpolicy.system.files import is_there, opened
from mailpolicy.system.held import Held, locked, without_lock
from mailpolicy.system.replacing import Attributes
from mailpolicy.system.resolve import target_of

Result = TypeVar("Result")

DEFAULT_PATH = "/var/lib/mailpolicy/secrets"
_TRIES = 4  # a rotation replaces the file and the key one after the other, and a first line is written in place
_LARGEST = 1 << 28  # bytes of a file that are looked through for what is wrong with it


class SecretsFile:
    """One file of sealed secrets and the place of its key; `lock_timeout` in seconds."""

    def __init__(self, path: str, place: Place, *, lock_timeout: float = 10.0) -> None:
        self.path = path
        self.place = place
        self._lock_timeout = lock_timeout
        self._key: Key | None = None
        self._held: Held | None = None  # while it is being changed

    def several(self, service: str, users: Collection[str]) -> dict[str, str]:
        """Those of the secrets of one service that are there, by user name. Raises KeyringError."""
        return self._with_key(lambda file: content.several(file, service, users))

    def everything(self) -> dict[Name, str]:
        """All secrets. Raises KeyringError."""
        return self._with_key(content.everything)

    def facts(self) -> front.Header:
        """What the first line of the file says, which is known to be sound. Raises KeyringError."""
        return self._with_key(content.sound)

    def change(self, service: str, changes: Mapping[str, str | None]) -> dict[str, str]:
        """Set secrets of a service by user name, or remove them where the value is None; what they were before.

        Raises KeyringError, StillLocked, WriteFailed and NotConfirmed. Where nothing would change nothing is written.
        """
        self._refuse_unsafe()
        self._unlock()
        with self._locked():
            return self._with_key(lambda file: self._write(file, service, changes))

    def _write(self, file: Opened, service: str, changes: Mapping[str, str | None]) -> dict[str, str]:
        wanted = {user: secret for user, secret in changes.items() if secret is not None}
        try:
            change = content.changed(file, service, changes)
        except Unchanged as known:
            content.sound(file)
            return known.before

        def proof(new: Opened, *, whole: bool = True) -> bool:
            return content.several(new, service, changes, whole=whole) == wanted and change.left_alone(new)

        facts = self._writing.facts()
        alone = facts is not None and facts.st_nlink == 1  # another name of the file is a copy, which stays as it is
        if alone and (more := content.appended(file, change)) is not None:
            self._extend(file, more, lambda new: proof(new, whole=False))  # the rest stays where it was just checked
        else:
            self._install(content.made_anew(file, change), file.key, proof)
        return change.before

    def make(self) -> tuple[bool, bool]:
        """A key where there is none and an empty file where there is none; which of the two were made.

        Raises KeyringError, also where a file has lost its key, and WriteFailed.
        """
        self._refuse_unsafe()
        next(self.place.masters(), None)  # a keyring that must be unlocked is, before others wait for us
        with self._locked(make_folders=0o700):
            if self._writing.facts() is not None:
                self.facts()
                return False, False
            made = next(self.place.masters(), None) is None
            if made:
                self.place.keep(os.urandom(KEY_SIZE))
            key = Key(next(self.place.masters()))
            proof = self._proof(key, lambda new: not content.sound(new).writes)
            self._writing.create(content.empty(key), Attributes(0o600), proof)
        return made, True

    def would_make(self) -> tuple[bool, bool]:
        """What `make` would make. Raises what it would raise, so far as that can be seen without writing."""
        self._refuse_unsafe()
        if is_there(self.path):
            self.facts()
            return False, False
        if made := next(self.place.masters(), None) is None:
            self.place.require_safe()
        return made, True

    def would_rotate(self, new_key_file: str | None = None) -> int:
        """How many secrets `rotate` would encrypt anew. Raises what it would raise, so far as that can be seen."""
        self._refuse_unsafe()
        secrets = self.everything()
        self._require_new(new_key_file)
        return len(secrets)

    def rotate(self, new_key_file: str | None = None) -> tuple[str, str, int]:
        """Encrypt everything under a new key; the ids of the old and the new key, and how many secrets there are.

        The new key takes the old one's place; with `new_key_file` it is the one in that file, made where it is not
        there. Raises Refused, KeyringError, StillLocked, WriteFailed where all is as it was, NotConfirmed.
        """
        self._refuse_unsafe()
        self._unlock()
        with self._locked():
            secrets = self.everything()
            old = self._known
            self._require_new(new_key_file)
            new = self._next_key() if new_key_file is None else Key(kept_in_file(new_key_file))
            try:
                self._with_key(lambda file: self._write_anew(file, new, secrets))
            except (KeyringError, WriteFailed):
                if new_key_file is None:
                    self.place.forget_next()
                raise
            self._key = new
            if new_key_file is None:
                self._promote()
        return old.id, new.id, len(secrets)

    def _require_new(self, new_key_file: str | None) -> None:
        """Raise Refused where the new key is no new one, or has no place, and KeyringError where that is not safe."""
        if new_key_file is None:
            if not self.place.writable:
                raise Refused(
                    f"its key is {self.place.name}, which only its giver can replace: "
                    "name a file for the new one with --new-key-file PATH",
                    file=self.path,
                    code="key-not-writable",
                )
            return
        new = KeyFile(new_key_file)
        if is_there(new_key_file):
            if Key(next(new.masters())).id == self._known.id:
                raise Refused(
                    "this is the key that is in use: name a file that is not there, or has another key",
                    file=new_key_file,
                    code="same-key",
                )
        else:
            new.require_safe()
            try:
                folder = os.path.dirname(target_of(new_key_file))
            except OSError:
                folder = os.path.dirname(new_key_file)
            if os.path.isdir(folder):
                return
            raise Refused(
                "there is no directory for the new key",
                file=new_key_file,
                code="no-directory",
                fix=("mkdir", "-p", "-m", "0700", folder),
            )

    def _next_key(self) -> Key:
        if self._by_next_key():
            self.place.promote()  # of a rotation that stopped half-way
        master = os.urandom(KEY_SIZE)
        self.place.keep_next(master)
        return Key(master)

    def _write_anew(self, file: Opened, new: Key, secrets: Mapping[Name, str]) -> None:
        self._install(content.rekeyed(file, new), new, lambda made: content.everything(made) == secrets)

    def half_rotated(self) -> bool:
        """Whether only the next key opens the file, as a rotation stopped between file and key. Raises KeyringError."""
        self.facts()
        return self._by_next_key()

    def _by_next_key(self) -> bool:
        following = self.place.next_master()
        return following is not None and Key(following).id == self._known.id

    def _promote(self) -> None:
        try:
            self.place.promote()
        except (KeyringError, WriteFailed) as error:
            raise NotConfirmed(
                f"sealed with the new key, which opens it but still lies beside the old one: {error}",
                file=self.path,
            ) from None

    @property
    def _known(self) -> Key:
        """The key that the file was opened with."""
        assert self._key is not None
        return self._key

    def _with_key(self, action: Callable[[Opened], Result]) -> Result:
        """Run what takes the opened file. Raises KeyringError where the file is not sound."""
        seen = b""
        for _ in range(_TRIES):
            with self._opened() as file:
                line = file.read(front.HEADER_SIZE)
                with suppress(Unsound):
                    first = front.header(line)
                    if self._find_key(first.key_id):
                        return action(Opened(file, self._known, first))
                if line == seen:  # nobody was about to write it
                    break
                seen = line
        with self._opened() as file:
            line = file.read(front.HEADER_SIZE)
            match = front.HEADER.fullmatch(line)
            self._find_key(match[2].decode() if match else "")
            error = fault(line + file.read(_LARGEST) if match else line, self._known)
        raise KeyringError(error.message, file=self.path, code=error.code)

    def _unlock(self) -> None:
        """Have a key before the lock is taken: a desktop keyring may ask somebody, and others would wait for us."""
        if self._key is None:
            self._there()
            self._find_key("")

    def _find_key(self, wanted: str) -> bool:
        """Whether there is the key of that id; where there is none, the first one is taken for it."""
        if self._key is not None and self._key.id == wanted:
            return True
        first: Key | None = None
        for master in self.place.masters():
            self._key = Key(master)
            if self._key.id == wanted:
                return True
            first = first or self._key
        if first is None:
            raise KeyringError(
                f"this file of sealed secrets is there, and its master key is not: {self.place.cure}",
                file=self.path,
                code="no-key",
                fix=self.place.fix,
            )
        self._key = first
        return False

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with opened(self.path) if self._held is None else self._held.opened() as descriptor:
                if descriptor is None:
                    raise self._not_there()
                with _reader(descriptor) as file:
                    yield file
        except FileMissing:
            raise self._not_there() from None
        except StoreError as error:
            raise KeyringError(error.message, file=error.file, code="no-secrets-file") from None

    def _there(self) -> None:
        """Raise KeyringError if the file does not exist."""
        try:
            there = is_there(self.path)
        except StoreError as error:
            raise KeyringError(error.message, file=error.file, code="no-secrets-file") from None
        if not there:
            raise self._not_there()

    def _not_there(self) -> KeyringError:
        return KeyringError(
            "there is no file of sealed secrets: bring it back from a backup, or make a new one",
            file=self.path,
            code="no-secrets-file",
            fix=("mailpolicy", "secrets", "init"),
        )

    @contextmanager
    def _locked(self, *, make_folders: int | None = None) -> Iterator[None]:
        """Hold the lock of the file, which from now on is read and replaced where it was found."""
        if make_folders is None:
            self._there()
        with self._safe(locked(self.path, self._lock_timeout, make_folders=make_folders)) as held:
            self._held = held
            try:
                yield
            finally:
                self._held = None

    @property
    def _writing(self) -> Held:
        assert self._held is not None
        return self._held

    @contextmanager
    def _safe(self, place: AbstractContextManager[Held]) -> Iterator[Held]:
        with ExitStack() as stack:
            try:
                held = stack.enter_context(place)
            except Refused as error:
                raise KeyringError(error.message, file=error.file, code=error.code, fix=error.fix) from None
            yield held

    def _install(self, pieces: Iterator[bytes], key: Key, proof: Callable[[Opened], bool]) -> None:
        """Put new content in place, read back and proved before it is there."""
        self._writing.replace(pieces, Attributes(0o600), self._proof(key, proof))

    def _proof(self, key: Key, proof: Callable[[Opened], bool]) -> Callable[[BinaryIO], None]:
        return lambda file: self._prove(file, key, file.read(front.HEADER_SIZE), proof)

    def _extend(self, file: Opened, more: tuple[front.Header, bytes], proof: Callable[[Opened], bool]) -> None:
        """Put new blocks and a new index behind the old ones, read back and proved before the first line names them."""
        first, tail = more

        def proved(new: BinaryIO) -> None:
            self._prove(new, file.key, bytes(first), proof)

        self._writing.extend(file.header.end, tail, bytes(first), proof=proved)

    def _prove(self, file: BinaryIO, key: Key, first: bytes, proof: Callable[[Opened], bool]) -> None:
        with suppress(Unsound):
            if proof(Opened(file, key, front.header(first))):
                return
        raise KeyringError(
            "what was read back differs from what was written, the old file is intact",
            file=self.path,
            code="keyring-lost",
        )

    def _refuse_unsafe(self) -> None:
        with self._safe(without_lock(self.path)):
            pass


def _reader(descriptor: int) -> BinaryIO:
    return open(descriptor, "rb", buffering=1 << 16, closefd=False)
