"""A keyring backend for machines without a desktop: a file of sealed secrets, `mailpolicy.sealed.Keyring`.

Any program that uses keyring may name it; it then obeys `secrets_file` and `key_file` in host.toml, which
`$MAILPOLICY_HOST_CONFIG` may name, or the properties of the same names (`KEYRING_PROPERTY_KEY_FILE`), and
`$CREDENTIALS_DIRECTORY`, which systemd sets.

Promises: it is never chosen by itself; it asks nobody anything; a refusal says why in one sentence and holds no secret.
Not promised: to hide the names of the secrets.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, PasswordDeleteError, PasswordSetError

from mailpolicy.errors import MailpolicyError
from mailpolicy.sealed import keys
from mailpolicy.sealed.file import DEFAULT_PATH, SecretsFile


class Keyring(KeyringBackend):
    """The sealed file as keyring sees it; what goes wrong is the cause of keyring's own exception."""

    priority = -1  # below keyring's `fail` backend, which is always there: named, or not used at all
    secrets_file: str | None = None
    key_file: str | None = None

    def __init__(self, file: SecretsFile | None = None) -> None:
        self._file = file
        super().__init__()  # type: ignore[no-untyped-call]
        self._file_of = self.secrets_file, self.key_file

    def sealed_file(self) -> SecretsFile:
        """The file and its key, found when they are needed first. Raises MailpolicyError for a bad host.toml."""
        named = self.secrets_file, self.key_file
        if self._file is None or self._file_of != named:  # keyring's with_properties() copies what it then changes
            self._file, self._file_of = self._found(), named
        return self._file

    def set_properties_from_env(self) -> None:
        """As keyring does it, but for names of methods, before which a property would stand."""
        for variable, value in os.environ.items():
            name = variable.removeprefix("KEYRING_PROPERTY_").lower()
            if variable.startswith("KEYRING_PROPERTY_") and not callable(getattr(type(self), name, None)):
                setattr(self, name, value)

    def _found(self) -> SecretsFile:
        """As another program finds it, which has none of mailpolicy's options."""
        from mailpolicy import host

        is_root = os.geteuid() == 0
        under_sudo = is_root and "SUDO_UID" in os.environ  # then the variable is the caller's
        machine = host.read(None if under_sudo else os.environ.get("MAILPOLICY_HOST_CONFIG") or None)
        return located(
            self.secrets_file or machine.secrets_file,
            keys.Sources(os.environ.get("CREDENTIALS_DIRECTORY"), self.key_file or machine.key_file, is_root),
        )

    def get_password(self, service: str, username: str) -> str | None:
        """One secret, None where there is none."""
        return self.get_passwords(service, [username]).get(username)

    def get_passwords(self, service: str, usernames: Collection[str]) -> dict[str, str]:
        """Many secrets by user name, those that are there; the file is opened once."""
        with _refused(KeyringError):
            return self.sealed_file().several(service, usernames)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret."""
        self.set_passwords(service, {username: password})

    def set_passwords(self, service: str, passwords: Mapping[str, str]) -> None:
        """Keep many secrets, all or none."""
        with _refused(PasswordSetError):
            self.sealed_file().change(service, passwords)

    def delete_password(self, service: str, username: str) -> None:
        """Remove a secret."""
        if username not in self.delete_passwords(service, [username]):
            raise PasswordDeleteError("there is no such secret")

    def delete_passwords(self, service: str, usernames: Collection[str]) -> set[str]:
        """Remove many secrets, all or none; the user names of those that were there."""
        with _refused(PasswordDeleteError):
            return set(self.sealed_file().change(service, dict.fromkeys(usernames)))


def located(path: str | None, sources: keys.Sources, lock_timeout: float = 10.0) -> SecretsFile:
    """The file at `path`, with None in the usual place, and the first key that is configured."""
    return SecretsFile(path or DEFAULT_PATH, keys.place(sources), lock_timeout=lock_timeout)


@contextmanager
def _refused(kind: type[KeyringError]) -> Iterator[None]:
    try:
        yield
    except MailpolicyError as error:
        raise kind(str(error)) from error
