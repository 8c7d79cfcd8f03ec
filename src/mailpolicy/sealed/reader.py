"""Read the sealed file and open it with the key that its header names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from mailpolicy.errors import FileMissing, KeyringError, StoreError
from mailpolicy.sealed.format import MAX_FILE_SIZE, Header, Key, Secrets, damaged_error, parse_header, unseal
from mailpolicy.sealed.key_source import KeySource
from mailpolicy.system.files import open_regular, read_all
from mailpolicy.system.held import Held

_ATTEMPTS = 4  # attempts to read file and key while a rotation replaces one after the other


class WrongKey(KeyringError):
    """The file is sealed with a key that is not available."""

    code = "wrong-key"


class Opened(NamedTuple):
    """The content of a sealed file, and the key that opened it."""

    header: Header
    key: Key
    secrets: Secrets


class Reader:
    """Reads the sealed file at `path`; while `held` is set, through the folder whose lock is held."""

    def __init__(self, path: str, source: KeySource) -> None:
        self._path = path
        self._source = source
        self.held: Held | None = None
        self.key: Key | None = None  # the last key used, so that a desktop keyring is not asked again

    def read(self) -> Opened:
        """Read and decrypt the file. Raises KeyringError."""
        header, key, content = self._read_with_key()
        return Opened(header, key, unseal(self._path, key, content))

    def unlock(self) -> None:
        """Find the key of the file, asking a desktop keyring at most once. Raises KeyringError."""
        if self.key is None:
            self._read_with_key()

    def _read_with_key(self) -> tuple[Header, Key, bytes]:
        """Read the file and find the key named in its header. Raises KeyringError."""
        # The file first and then the key: a rotation replaces them in this order too, so that another attempt finds both.
        attempts = 0
        while True:
            content = self._content()
            header = parse_header(self._path, content)
            try:
                return header, self._key_of(header.key_id), content
            except WrongKey:  # unless a rotation replaced file and key after the file was read here
                attempts += 1
                if attempts == _ATTEMPTS:
                    raise

    def _key_of(self, key_id: str) -> Key:
        """Return the key with that id. Raises KeyringError."""
        # A rotation by another process may have changed the key since it was used here.
        if self.key is not None and self.key.id == key_id:
            return self.key
        available = []
        for key in self.keys():
            if key.id == key_id:
                self.key = key
                return key
            available.append(key.id)
        found = " or ".join(available)
        raise WrongKey(
            f"sealed with the key {key_id}, but the key found is {found}: set key_file in host.toml to the file of that key",
            file=self._path,
        )

    def keys(self) -> Iterator[Key]:
        """Yield the key and, during a rotation, the next one. Raises KeyringError, also if there is none."""
        found = False
        for master in self._source.master_keys():
            found = True
            yield Key(master)
        if not found:
            raise KeyringError(
                f"cannot open the sealed secrets, no master key found: {self._source.advice}",
                file=self._path,
                code="no-key",
                fix=self._source.fix,
            )

    def _content(self) -> bytes:
        try:
            with open_regular(self._path) if self.held is None else self.held.opened() as descriptor:
                if descriptor is None:
                    raise self._missing()
                if os.fstat(descriptor).st_size > MAX_FILE_SIZE:
                    raise damaged_error(self._path, "too large for a sealed file")
                return read_all(descriptor)
        except FileMissing:
            raise self._missing() from None
        except StoreError as error:
            raise KeyringError(error.message, file=error.file, code="no-secrets-file") from None

    def _missing(self) -> KeyringError:
        return KeyringError(
            "the sealed file does not exist: restore it from a backup, or create a new one",
            file=self._path,
            code="no-secrets-file",
            fix=("mailpolicy", "secrets", "init"),
        )
