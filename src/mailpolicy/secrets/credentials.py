"""The secrets of mailpolicy in a keyring: asked with a deadline, read back, many at once.

Promises: no secret in a message, an exception or a log; no wait beyond the deadline; a secret that was set has been
read back; what is not known to be safe is used only when it is named. Not promised: that a plain-text backend that
was named hides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.errors import MailpolicyError, NotConfirmed
from mailpolicy.secrets.keepers import BackendKeeper, Keeper, SealedKeeper
from mailpolicy.system.keyrings.choice import SEALED, Chosen

if TYPE_CHECKING:
    from mailpolicy.sealed.file import SecretsFile

SERVICE = "mailpolicy"


class Choice(NamedTuple):
    """How to find the keyring: the backend that was named, the service name, whether root asks, seconds to wait.

    The rest is for the sealed file: its path, None for the usual one, and where its key may be.
    """

    backend: str | None = None
    service: str = SERVICE
    is_root: bool = False
    deadline: float = 15.0
    secrets_file: str | None = None
    key_file: str | None = None
    credentials_folder: str | None = None
    lock_timeout: float = 10.0


class Credentials:
    """The secrets of one service in one keyring, which is looked for when the first one is asked for."""

    def __init__(self, choice: Choice, warn: Callable[[str], None]) -> None:
        self._choice = choice
        self._warn = warn
        self._keeper: Keeper = (
            SealedKeeper(sealed_file(choice), choice.service)
            if choice.backend == SEALED
            else BackendKeeper(choice.backend, choice.service, choice.deadline, warn, is_root=choice.is_root)
        )
        self.unsettled: set[str] = set()  # user names whose secret may be the old one or the new one

    @property
    def named(self) -> bool:
        """Whether somebody named the keyring, so that there are secrets in it which must not be lost sight of."""
        return self._choice.backend is not None

    def used(self) -> Chosen:
        """The keyring, which is looked for where it was not used yet. Raises KeyringError."""
        return self._keeper.chosen()

    def names(self) -> list[str] | None:
        """The user names of all secrets of the service; None where the keyring cannot list them. Raises KeyringError."""
        return self._keeper.names()

    def get(self, user: str) -> str | None:
        """The secret of `user`, None where there is none. Raises KeyringError."""
        return self.several([user]).get(user)

    def several(self, users: Collection[str]) -> dict[str, str]:
        """The secrets of these users, those that are there, in as few questions as the keyring allows. Raises KeyringError."""
        return self._keeper.several(users) if users else {}

    def set(self, user: str, secret: str) -> None:
        """Keep a secret, which was read back. Raises KeyringError, and NotConfirmed where it is in place."""
        self.set_several({user: secret})

    def set_several(self, secrets: Mapping[str, str]) -> None:
        """Keep many secrets, which were read back. Raises KeyringError, and NotConfirmed where they are in place."""
        if secrets:
            self._keeper.set_several(secrets)

    def delete(self, user: str) -> None:
        """Remove a secret, if it is there. Raises KeyringError, and NotConfirmed where it is gone."""
        self.delete_several([user])

    def delete_several(self, users: Collection[str]) -> None:
        """Remove those of the secrets that are there. Raises KeyringError, and NotConfirmed where they are gone."""
        if users:
            self._keeper.delete_several(users)

    @contextmanager
    def changed(self, secrets: Mapping[str, str], needed: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Set secrets for the time of the block, and for good unless it raises before they are `needed`.

        Where the disk did not confirm them the block runs all the same, and NotConfirmed is raised after it.
        """
        old = self.several(secrets)
        self.unsettled.update(secrets)
        unsure: NotConfirmed | None = None
        kept = False
        try:
            try:
                self.set_several(secrets)
            except NotConfirmed as error:
                unsure = error
            kept = True
            yield
        except BaseException:
            if not needed():
                self._restore(secrets, old)
            elif kept:
                self.unsettled.difference_update(secrets)
            raise
        self.unsettled.difference_update(secrets)
        if unsure is not None:
            raise unsure

    def _restore(self, users: Collection[str], old: Mapping[str, str]) -> None:
        """Put the old secrets back, and take away those that were not there."""
        named = f"{next(iter(users))}{f' and {len(users) - 1} more' if len(users) > 1 else ''}"
        try:
            there = self.several(users)
            gone = {user: secret for user, secret in old.items() if there.get(user) != secret}
            try:
                if gone:
                    self.set_several(gone)
            finally:
                self.delete_several([user for user in there if user not in old])
        except NotConfirmed as error:
            self._warn(f"warning: the old secret {named} was put back: {error}")
        except MailpolicyError as error:
            what = (
                f"the old secret {named} could not be put back"
                if old
                else f"the new secret {named} could not be removed"
            )
            self._warn(f"warning: {what}: {error}")
        else:
            self.unsettled.difference_update(users)


def sealed_file(choice: Choice) -> SecretsFile:
    """The file of sealed secrets and its key, as the choice says; neither is opened yet."""
    from mailpolicy.sealed.file import SecretsFile  # 5 ms, and cryptography, only if secrets are sealed
    from mailpolicy.sealed.key_source import Sources

    sources = Sources(choice.credentials_folder, choice.key_file, choice.is_root, choice.deadline)
    return SecretsFile.located(choice.secrets_file, sources, choice.lock_timeout)
