"""Storage for the secrets of one service: the sealed file, used directly, or a backend of keyring with a timeout.

Both verify a write: the sealed file before it replaces the old one, a backend by reading back. Only the sealed file
writes many secrets atomically.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from mailpolicy.errors import KeyringError
from mailpolicy.sealed.file import SecretsFile
from mailpolicy.system.keyrings import choice, secret_service
from mailpolicy.system.keyrings.choice import SEALED_BACKEND, SECRET_SERVICE, ChosenBackend
from mailpolicy.system.keyrings.deadline import TimedCalls

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend


Result = TypeVar("Result")


class SecretStorage(Protocol):
    """The secrets of one service in a keyring. Each method raises KeyringError."""

    def chosen(self) -> ChosenBackend:
        """Return the backend in use and how it was chosen."""

    def names(self) -> list[str] | None:
        """Return the user names of all secrets, None if the keyring cannot list them."""

    def get_many(self, users: Collection[str]) -> dict[str, str]:
        """Return the secrets by user name; users without one are left out."""

    def set_many(self, secrets: Mapping[str, str]) -> None:
        """Store secrets and verify them. Raises NotConfirmed if they are stored but not synced."""

    def delete_many(self, users: Collection[str]) -> None:
        """Delete those secrets that exist. Raises NotConfirmed if the deletion is not synced."""


class SealedStorage:
    """The sealed file. It needs no timeout of its own: its lock has one, and so has a desktop keyring with its key."""

    def __init__(self, file: SecretsFile, service: str) -> None:
        self._file = file
        self._service = service

    def chosen(self) -> ChosenBackend:
        """Return the name of the sealed backend."""
        return ChosenBackend(SEALED_BACKEND, True, None)

    def names(self) -> list[str]:
        """Return the user names in the file."""
        return sorted(self._file.get_all().get(self._service, ()))

    def get_many(self, users: Collection[str]) -> dict[str, str]:
        """Return secrets, reading the file once."""
        return self._file.get_many(self._service, users)

    def set_many(self, secrets: Mapping[str, str]) -> None:
        """Store all of the secrets or none."""
        self._file.change(self._service, secrets)

    def delete_many(self, users: Collection[str]) -> None:
        """Delete all of the secrets or none."""
        self._file.change(self._service, dict.fromkeys(users))


class KeyringStorage:
    """A backend of keyring, chosen on first use; `timeout` is the timeout of one answer in seconds."""

    def __init__(
        self, name: str | None, service: str, timeout: float, warn: Callable[[str], None], *, is_root: bool
    ) -> None:
        self._name = name
        self._service = service
        self._is_root = is_root
        self._warn = warn
        self._calls = TimedCalls(timeout)
        self._backend: tuple[KeyringBackend, ChosenBackend] | None = None

    def chosen(self) -> ChosenBackend:
        """Return the backend in use, choosing it if needed."""
        return self._calls.run(lambda: self._choose()[1])

    def names(self) -> list[str] | None:
        """Return the user names, None unless the backend is the Secret Service."""

        def listed(backend: KeyringBackend) -> list[str] | None:
            if choice.class_name(backend) != SECRET_SERVICE:
                return None
            names = secret_service.list_users(backend, self._service)
            return [user for user in names if "/" in user]  # others are our own master keys

        return self._ask(listed)

    def get_many(self, users: Collection[str]) -> dict[str, str]:
        """Return secrets, from the Secret Service in one search, from other backends one by one."""

        def found(backend: KeyringBackend) -> dict[str, str]:
            if choice.class_name(backend) == SECRET_SERVICE and len(users) > 1:
                return secret_service.get_many(backend, self._service, users, self._calls.restart_timeout)
            secrets = {}
            for user in users:
                if (secret := backend.get_password(self._service, user)) is not None:
                    secrets[user] = _text(secret, user)
                self._calls.restart_timeout()
            return secrets

        return self._ask(found)

    def set_many(self, secrets: Mapping[str, str]) -> None:
        """Store secrets one by one and read them back."""

        def keep(backend: KeyringBackend) -> None:
            for user, secret in secrets.items():
                backend.set_password(self._service, user, secret)
                self._calls.restart_timeout()

        self._ask(keep)
        there = self.get_many(secrets)
        if lost := [user for user, secret in secrets.items() if there.get(user) != secret]:
            raise KeyringError(
                f"the keyring did not keep the secret {lost[0]}: it returned a different value", code="keyring-lost"
            )

    def delete_many(self, users: Collection[str]) -> None:
        """Delete secrets one by one and verify that they are gone."""
        there = self.get_many(users)

        def remove(backend: KeyringBackend) -> None:
            for user in there:
                backend.delete_password(self._service, user)
                self._calls.restart_timeout()

        if there:
            self._ask(remove)
            for left in self.get_many(there):
                raise KeyringError(f"the keyring still has the secret {left} after deleting it", code="keyring-kept")

    def _ask(self, call: Callable[[KeyringBackend], Result]) -> Result:
        return self._calls.run(lambda: call(self._choose()[0]))

    def _choose(self) -> tuple[KeyringBackend, ChosenBackend]:
        if self._backend is None:
            import keyring

            backend, chosen = self._backend = choice.choose(self._name, is_root=self._is_root)
            if chosen.insecure is not None:
                self._warn(f"warning: the keyring backend {chosen.insecure} does not protect secrets")
            keyring.set_keyring(backend)
        return self._backend


def _text(secret: object, user: str) -> str:
    """Return the answer of a backend, which is other people's code, as text. Raises KeyringError."""
    try:
        if isinstance(secret, str):
            secret.encode("utf-8")
            return str(secret)
    except UnicodeEncodeError:
        pass
    raise KeyringError(f"the keyring returned no text for the secret {user}", code="keyring-refused")
