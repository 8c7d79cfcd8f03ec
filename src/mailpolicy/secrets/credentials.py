"""Read and write the secrets of mailpolicy, many at once, with a timeout and read back after each write.

No secret appears in a message, an exception or a log.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.errors import MailpolicyError, NotConfirmed
from mailpolicy.secrets.storage import KeyringStorage, SealedStorage, SecretStorage
from mailpolicy.system.keyrings.choice import SEALED_BACKEND, ChosenBackend

if TYPE_CHECKING:
    from mailpolicy.sealed.file import SecretsFile

SERVICE = "mailpolicy"


class KeyringConfig(NamedTuple):
    """The configuration of the keyring; `timeout` is the timeout of one answer in seconds.

    The rest is for the sealed file: its path, None for the default, the places of its key, and the lock timeout in
    seconds.
    """

    backend: str | None = None
    service: str = SERVICE
    is_root: bool = False
    timeout: float = 15.0
    secrets_file: str | None = None
    key_file: str | None = None
    credentials_folder: str | None = None
    lock_timeout: float = 10.0


class Credentials:
    """The secrets of one service in one keyring, which is opened on first use."""

    def __init__(self, config: KeyringConfig, warn: Callable[[str], None]) -> None:
        self._config = config
        self._warn = warn
        self._storage: SecretStorage = (
            SealedStorage(sealed_file(config), config.service)
            if config.backend == SEALED_BACKEND
            else KeyringStorage(config.backend, config.service, config.timeout, warn, is_root=config.is_root)
        )
        self.uncertain: set[str] = set()  # user names whose secret may be either the old or the new one

    @property
    def is_configured(self) -> bool:
        """Return whether the keyring is configured; an unavailable one is then an error, as it may hold secrets."""
        return self._config.backend is not None

    def backend(self) -> ChosenBackend:
        """Return the backend in use, choosing it if needed. Raises KeyringError."""
        return self._storage.chosen()

    def names(self) -> list[str] | None:
        """Return the user names of all secrets, None if the keyring cannot list them. Raises KeyringError."""
        return self._storage.names()

    def get(self, user: str) -> str | None:
        """Return the secret of a user name, None if there is none. Raises KeyringError."""
        return self.get_many([user]).get(user)

    def get_many(self, users: Collection[str]) -> dict[str, str]:
        """Return the secrets by user name; users without one are left out. Raises KeyringError."""
        return self._storage.get_many(users) if users else {}

    def set(self, user: str, secret: str) -> None:
        """Store a secret and read it back. Raises KeyringError, and NotConfirmed if it is stored but not synced."""
        self.set_many({user: secret})

    def set_many(self, secrets: Mapping[str, str]) -> None:
        """Store secrets and read them back. Raises KeyringError, and NotConfirmed if they are stored but not synced."""
        if secrets:
            self._storage.set_many(secrets)

    def delete(self, user: str) -> None:
        """Delete a secret if it exists. Raises KeyringError, and NotConfirmed if the deletion is not synced."""
        self.delete_many([user])

    def delete_many(self, users: Collection[str]) -> None:
        """Delete those secrets that exist. Raises KeyringError, and NotConfirmed if the deletion is not synced."""
        if users:
            self._storage.delete_many(users)

    @contextmanager
    def set_with_rollback(
        self, secrets: Mapping[str, str], needed: Callable[[], bool] = lambda: False
    ) -> Iterator[None]:
        """Set secrets, and restore the old ones if the block raises before the new ones are `needed`.

        If the disk does not confirm the new secrets, the block still runs and NotConfirmed is raised after it.
        """
        old = self.get_many(secrets)
        # From the first write until the outcome is known; a signal may interrupt anywhere in between.
        self.uncertain.update(secrets)
        unsure: NotConfirmed | None = None
        kept = False
        try:
            try:
                self.set_many(secrets)
            except NotConfirmed as error:
                unsure = error
            kept = True
            yield
        except BaseException:
            if not needed():
                self._restore(secrets, old)
            elif kept:
                self.uncertain.difference_update(secrets)
            raise
        self.uncertain.difference_update(secrets)
        if unsure is not None:
            raise unsure

    def _restore(self, users: Collection[str], old: Mapping[str, str]) -> None:
        """Restore the old secrets and delete those that did not exist before. Warns instead of raising."""
        named = f"{next(iter(users))}{f' and {len(users) - 1} more' if len(users) > 1 else ''}"
        try:
            # Only those that differ: a keyring that failed once may fail again, so as few writes as possible.
            current = self.get_many(users)
            lost = {user: secret for user, secret in old.items() if current.get(user) != secret}
            try:
                if lost:
                    self.set_many(lost)
            finally:
                self.delete_many([user for user in current if user not in old])
        except NotConfirmed as error:
            self._warn(f"warning: the old secret {named} was restored: {error}")
        except MailpolicyError as error:
            failed = f"restore the old secret {named}" if old else f"delete the new secret {named}"
            self._warn(f"warning: cannot {failed}: {error}")
        else:
            self.uncertain.difference_update(users)


def sealed_file(config: KeyringConfig) -> SecretsFile:
    """Return the configured sealed file, without opening it or its key."""
    from mailpolicy.sealed.file import SecretsFile  # 5 ms, and cryptography, only if secrets are sealed
    from mailpolicy.sealed.key_source import KeyLocations

    locations = KeyLocations(config.credentials_folder, config.key_file, config.is_root, config.timeout)
    return SecretsFile.at(config.secrets_file, locations, config.lock_timeout)
