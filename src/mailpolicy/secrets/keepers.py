"""What keeps the secrets of one service: the sealed file, used directly, or a backend of keyring, asked with a deadline.

Both keep what they were given or say that they did not: the sealed file proves it before it is in place, a backend is
asked again. Only the sealed file takes all of many secrets or none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from mailpolicy.errors import KeyringError
from mailpolicy.sealed.file import SecretsFile
from mailpolicy.system.keyrings import choice, secret_service
from mailpolicy.system.keyrings.choice import SEALED, SECRET_SERVICE, Chosen
from mailpolicy.system.keyrings.deadline import Calls

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend


Result = TypeVar("Result")


class Keeper(Protocol):
    """A keyring as far as it is asked about one service. Each method raises KeyringError."""

    def chosen(self) -> Chosen:
        """Return what the keyring is and why it is used."""

    def names(self) -> list[str] | None:
        """Return the user names of all secrets, None if the keyring cannot list them."""

    def several(self, users: Collection[str]) -> dict[str, str]:
        """Return the secrets by user name; users without one are left out."""

    def set_several(self, secrets: Mapping[str, str]) -> None:
        """Keep secrets and read them back. Raises NotConfirmed if they are in place."""

    def delete_several(self, users: Collection[str]) -> None:
        """Remove those of the secrets that are there. Raises NotConfirmed if they are gone."""


class SealedKeeper:
    """The sealed file. It needs no thread: its lock has a deadline of its own, as has a desktop keyring with its key."""

    def __init__(self, file: SecretsFile, service: str) -> None:
        self._file = file
        self._service = service

    def chosen(self) -> Chosen:
        """Return its name."""
        return Chosen(SEALED, True, None)

    def names(self) -> list[str]:
        """Return the user names in the file."""
        return sorted(self._file.everything().get(self._service, ()))

    def several(self, users: Collection[str]) -> dict[str, str]:
        """Return secrets, for which the file is opened once."""
        return self._file.several(self._service, users)

    def set_several(self, secrets: Mapping[str, str]) -> None:
        """Keep all of the secrets or none."""
        self._file.change(self._service, secrets)

    def delete_several(self, users: Collection[str]) -> None:
        """Remove all of the secrets or none."""
        self._file.change(self._service, dict.fromkeys(users))


class BackendKeeper:
    """A backend of keyring, which is looked for with the first question; `deadline` is in seconds, for one answer."""

    def __init__(
        self, name: str | None, service: str, deadline: float, warn: Callable[[str], None], *, is_root: bool
    ) -> None:
        self._name = name
        self._service = service
        self._is_root = is_root
        self._warn = warn
        self._calls = Calls(deadline)
        self._found: tuple[KeyringBackend, Chosen] | None = None

    def chosen(self) -> Chosen:
        """Return the backend that is used, after looking for it."""
        return self._calls.make(lambda: self._choose()[1])

    def names(self) -> list[str] | None:
        """Return the user names, which only the Secret Service lists."""

        def listed(backend: KeyringBackend) -> list[str] | None:
            if choice.class_name(backend) != SECRET_SERVICE:
                return None
            names = secret_service.names(backend, self._service)
            return [user for user in names if "/" in user]  # not a master key of our own

        return self._ask(listed)

    def several(self, users: Collection[str]) -> dict[str, str]:
        """Return secrets: the Secret Service is asked once, by attribute, any other backend once for each."""

        def found(backend: KeyringBackend) -> dict[str, str]:
            if choice.class_name(backend) == SECRET_SERVICE and len(users) > 1:
                return secret_service.several(backend, self._service, users, self._calls.answered)
            secrets = {}
            for user in users:
                if (secret := backend.get_password(self._service, user)) is not None:
                    secrets[user] = secret
                self._calls.answered()
            return secrets

        return self._ask(found)

    def set_several(self, secrets: Mapping[str, str]) -> None:
        """Keep secrets one by one and read them back."""

        def keep(backend: KeyringBackend) -> None:
            for user, secret in secrets.items():
                backend.set_password(self._service, user, secret)
                self._calls.answered()

        self._ask(keep)
        there = self.several(secrets)
        if lost := [user for user, secret in secrets.items() if there.get(user) != secret]:
            raise KeyringError(
                f"the keyring did not keep the secret {lost[0]}: what was read back differs", code="keyring-lost"
            )

    def delete_several(self, users: Collection[str]) -> None:
        """Remove secrets one by one and look whether they are gone."""
        there = self.several(users)

        def remove(backend: KeyringBackend) -> None:
            for user in there:
                backend.delete_password(self._service, user)
                self._calls.answered()

        if there:
            self._ask(remove)
            for left in self.several(there):
                raise KeyringError(f"the keyring still has the secret {left} after it was removed", code="keyring-kept")

    def _ask(self, call: Callable[[KeyringBackend], Result]) -> Result:
        return self._calls.make(lambda: call(self._choose()[0]))

    def _choose(self) -> tuple[KeyringBackend, Chosen]:
        if self._found is None:
            import keyring

            backend, chosen = self._found = choice.choose(self._name, is_root=self._is_root)
            if chosen.exposed is not None:
                self._warn(f"warning: the keyring backend {chosen.exposed} does not protect secrets")
            keyring.set_keyring(backend)
        return self._found
