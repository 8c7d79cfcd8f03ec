"""The sealed file as other programs see it: a backend of keyring, which they name `mailpolicy.sealed.Keyring`.

It obeys `secrets_file` and `key_file` in host.toml, which `$MAILPOLICY_HOST_CONFIG` may name, or the properties of the same
names (`KEYRING_PROPERTY_KEY_FILE`), and `$CREDENTIALS_DIRECTORY`, which systemd sets. It is never chosen by itself and asks
nobody anything; a refusal says why in one sentence and holds no secret.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, PasswordDeleteError, PasswordSetError

from mailpolicy.errors import MailpolicyError
from mailpolicy.sealed.file import SecretsFile
from mailpolicy.sealed.key_source import Sources
from mailpolicy.store import host


class Keyring(KeyringBackend):
    """The sealed file as keyring sees it; what goes wrong is the cause of keyring's own exception."""

    __module__ = "mailpolicy.sealed"  # the path under which it is named

    priority = -1  # below keyring's `fail` backend, which is always there: named, or not used at all
    secrets_file: str | None = None
    key_file: str | None = None

    def set_properties_from_env(self) -> None:
        """Set properties as keyring does, but none in the place of a method."""
        for variable, value in os.environ.items():
            name = variable.removeprefix("KEYRING_PROPERTY_").lower()
            if variable.startswith("KEYRING_PROPERTY_") and not callable(getattr(type(self), name, None)):
                setattr(self, name, value)

    def get_password(self, service: str, username: str) -> str | None:
        """Return one secret, None if there is none."""
        with _refused(KeyringError):
            return self._file().several(service, [username]).get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret."""
        with _refused(PasswordSetError):
            self._file().change(service, {username: password})

    def delete_password(self, service: str, username: str) -> None:
        """Remove a secret."""
        with _refused(PasswordDeleteError):
            if username not in self._file().change(service, {username: None}):
                raise PasswordDeleteError("there is no such secret")

    def _file(self) -> SecretsFile:
        """Return the file as a program finds it that has none of mailpolicy's options. Raises MailpolicyError."""
        is_root = os.geteuid() == 0
        under_sudo = is_root and "SUDO_UID" in os.environ  # then the variable is the caller's
        machine = host.read(None if under_sudo else os.environ.get("MAILPOLICY_HOST_CONFIG") or None)
        sources = Sources(os.environ.get("CREDENTIALS_DIRECTORY"), self.key_file or machine.key_file, is_root)
        return SecretsFile.located(self.secrets_file or machine.secrets_file, sources)


@contextmanager
def _refused(kind: type[KeyringError]) -> Iterator[None]:
    try:
        yield
    except MailpolicyError as error:
        raise kind(str(error)) from error
