"""The secrets of mailpolicy in a keyring: asked with a deadline, read back, many at once.

Promises: no secret in a message, an exception or a log; no wait beyond the deadline; a secret that was set has been
read back; what is not known to be safe is used only when it is named. Not promised: that a plain-text backend that
was named hides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mailpolicy import backends, bulk
from mailpolicy.backends import SEALED, Chosen
from mailpolicy.calls import Calls
from mailpolicy.errors import KeyringError, MailpolicyError, NotConfirmed

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from mailpolicy.sealed.file import SecretsFile

Result = TypeVar("Result")

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

    @property
    def patience(self) -> float:
        """How many seconds one answer may take: the sealed file also waits for other writers, who need no unlocking."""
        return self.deadline + (self.lock_timeout if self.backend == SEALED else 0.0)


class Credentials:
    """The secrets of one service in one keyring, which is looked for when the first one is asked for."""

    def __init__(self, choice: Choice, warn: Callable[[str], None]) -> None:
        self._choice = choice
        self._warn = warn
        self._chosen: Chosen | None = None
        self._calls = Calls(choice.patience)
        self.unsettled: set[str] = set()  # user names whose secret may be the old one or the new one

    @property
    def named(self) -> bool:
        """Whether somebody named the keyring, so that there are secrets in it which must not be lost sight of."""
        return self._choice.backend is not None

    def get(self, user: str) -> str | None:
        """The secret of `user`, None where there is none. Raises KeyringError."""
        return self._ask(lambda backend: backend.get_password(self._choice.service, user))

    def several(self, users: Collection[str]) -> dict[str, str]:
        """The secrets of these users, those that are there, in as few questions as the backend allows. Raises KeyringError."""
        if not users:
            return {}
        return self._ask(lambda backend: bulk.several(backend, self._choice.service, users, self._calls.answered))

    def names(self) -> list[str] | None:
        """The user names of all secrets of the service; None where the backend cannot list them. Raises KeyringError."""
        return self._ask(lambda backend: bulk.names(backend, self._choice.service))

    def set_several(self, secrets: Mapping[str, str]) -> None:
        """Keep many secrets and read them back. Raises KeyringError, and NotConfirmed where they are in place."""
        with self._written(
            lambda backend: bulk.set_several(backend, self._choice.service, secrets, self._calls.answered)
        ):
            if self.several(secrets) != dict(secrets):
                raise KeyringError(
                    "the keyring did not keep all secrets: what was read back differs", code="keyring-lost"
                )

    def delete_several(self, users: Collection[str]) -> None:
        """Remove those of the secrets that are there. Raises KeyringError, and NotConfirmed where they are gone."""
        if not (there := self.several(users)):
            return
        with self._written(
            lambda backend: bulk.delete_several(backend, self._choice.service, there, self._calls.answered)
        ):
            if left := self.several(there):
                raise KeyringError(
                    f"the keyring still has the secret {next(iter(left))} after it was removed", code="keyring-kept"
                )

    def used(self) -> Chosen:
        """The backend, which is looked for where it was not used yet. Raises KeyringError."""
        self._ask(lambda backend: None)
        assert self._chosen is not None
        return self._chosen

    def set(self, user: str, secret: str) -> None:
        """Keep a secret and read it back. Raises KeyringError, and NotConfirmed where it is in place."""
        with self._written(lambda backend: backend.set_password(self._choice.service, user, secret)):
            if self.get(user) != secret:
                raise KeyringError(
                    f"the keyring did not keep the secret {user}: what was read back differs", code="keyring-lost"
                )

    def delete(self, user: str) -> bool:
        """Remove a secret; False where there was none. Raises KeyringError, and NotConfirmed where it is gone."""
        if self.get(user) is None:
            return False
        with self._written(lambda backend: backend.delete_password(self._choice.service, user)):
            if self.get(user) is not None:
                raise KeyringError(f"the keyring still has the secret {user} after it was removed", code="keyring-kept")
        return True

    @contextmanager
    def _written(self, call: Callable[[KeyringBackend], object]) -> Iterator[None]:
        """Write; the block reads back, also where the disk did not confirm what is in place, which is raised after it."""
        unsure: NotConfirmed | None = None
        try:
            self._ask(call)
        except NotConfirmed as error:
            unsure = error
        yield
        if unsure is not None:
            raise unsure

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

    def _ask(self, call: Callable[[KeyringBackend], Result]) -> Result:
        """Run a call of the backend, which is looked for first, with the deadline."""

        def run() -> Result:
            if self._chosen is None:
                self._chosen = _choose(self._choice, self._warn)
            return call(self._chosen.backend)

        return self._calls.make(run)


def sealed_file(choice: Choice) -> SecretsFile:
    """The file of sealed secrets and its key, as the choice says; neither is opened yet."""
    from mailpolicy.sealed import keys, located

    sources = keys.Sources(choice.credentials_folder, choice.key_file, choice.is_root, choice.deadline)
    return located(choice.secrets_file, sources, choice.lock_timeout)


def _choose(choice: Choice, warn: Callable[[str], None]) -> Chosen:
    import keyring

    if choice.backend == SEALED:
        from mailpolicy import sealed

        chosen = Chosen(sealed.Keyring(sealed_file(choice)), True, None)
    else:
        chosen = backends.choose(choice.backend, is_root=choice.is_root)
    if chosen.exposed is not None:
        warn(f"warning: the keyring backend {chosen.exposed} does not protect secrets")
    keyring.set_keyring(chosen.backend)
    return chosen
