"""The sealed file as a backend of keyring for other programs, `mailpolicy.sealed.Keyring`.

It uses `secrets_file` and `key_file` of host.toml (or the file in `$MAILPOLICY_HOST_CONFIG`), the properties of the same
names (`KEYRING_PROPERTY_KEY_FILE`), and `$CREDENTIALS_DIRECTORY`, which systemd sets. keyring never selects it by itself,
and it never prompts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, PasswordDeleteError, PasswordSetError

from mailpolicy.errors import MailpolicyError
from mailpolicy.sealed.file import SecretsFile
from mailpolicy.sealed.key_source import KeyLocations
from mailpolicy.store import host


class Keyring(KeyringBackend):
    """The sealed file as a backend of keyring; errors are the cause of keyring's own exceptions."""

    __module__ = "mailpolicy.sealed"  # the path by which users name it

    priority = -1  # below the `fail` backend, which is always there, so that keyring never selects this one
    secrets_file: str | None = None
    key_file: str | None = None

    def set_properties_from_env(self) -> None:
        """Set properties from the environment as keyring does, without overwriting methods."""
        for variable, value in os.environ.items():
            name = variable.removeprefix("KEYRING_PROPERTY_").lower()
            if variable.startswith("KEYRING_PROPERTY_") and not callable(getattr(type(self), name, None)):
                setattr(self, name, value)

    def get_password(self, service: str, username: str) -> str | None:
        """Return the secret, None if there is none."""
        with _keyring_errors(KeyringError):
            return self._file().get_many(service, [username]).get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store a secret."""
        with _keyring_errors(PasswordSetError):
            self._file().change(service, {username: password})

    def delete_password(self, service: str, username: str) -> None:
        """Remove a secret."""
        with _keyring_errors(PasswordDeleteError):
            if username not in self._file().change(service, {username: None}):
                raise PasswordDeleteError("there is no such secret")

    def _file(self) -> SecretsFile:
        """Return the file named by host.toml or the environment. Raises MailpolicyError."""
        is_root = os.geteuid() == 0
        under_sudo = is_root and "SUDO_UID" in os.environ  # the caller's variable must not steer root
        machine = host.read(None if under_sudo else os.environ.get("MAILPOLICY_HOST_CONFIG") or None)
        locations = KeyLocations(os.environ.get("CREDENTIALS_DIRECTORY"), self.key_file or machine.key_file, is_root)
        return SecretsFile.at(self.secrets_file or machine.secrets_file, locations)


@contextmanager
def _keyring_errors(kind: type[KeyringError]) -> Iterator[None]:
    try:
        yield
    except MailpolicyError as error:
        raise kind(str(error)) from error
