"""The secrets of mailpolicy in a keyring: asked with a deadline, read back, many at once.

Promises: no secret in a message, an exception or a log; no wait beyond the deadline; a secret that was set has been
read back; what is not known to be safe is used only when it is named. Not promised: that a plain-text backend that
was named hides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.backends import SEALED, Chosen
from mailpolicy.errors import Command, MailpolicyError, NotConfirmed
from mailpolicy.keepers import BackendKeeper, Keeper, SealedKeeper
from mailpolicy.policy import Account

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


def smart_host_user(address: str | None) -> str:
    """The keyring's user name for the smart host password of an account, or with None of the server."""
    return f"smart-host/{address or '@server'}"


def source_user(address: str, source: str) -> str:
    """The keyring's user name for the password of an account's MultiPOP source."""
    return f"multipop/{address}/{source}"


def users_of(account: Account) -> list[str]:
    """The keyring's user names of all secrets that an account may have: of its login, then of its sources."""
    login = [smart_host_user(account.address)] if account.login is not None else []
    return [*login, *(source_user(account.address, name) for name in account.sources)]


class Owner(NamedTuple):
    """Whose a secret is: an account (None: the server) and one of its sources (None: its smart host login)."""

    address: str | None
    source: str | None = None

    @classmethod
    def of(cls, user: str) -> Owner:
        """The owner that one of the keyring's user names stands for."""
        kind, _, rest = user.partition("/")
        if kind == "multipop":
            address, _, source = rest.rpartition("/")
            return cls(address, source)
        return cls(None if rest == "@server" else rest)

    @property
    def item(self) -> str:
        """The secret as a line about it names it."""
        return "smart-host password" if self.source is None else f"source {self.source} password"

    @property
    def key(self) -> str:
        """The secret as a change of an edit names it."""
        return "password" if self.source is None else f"sources.{self.source}.password"

    @property
    def prompt(self) -> str:
        """The question at which somebody types the secret."""
        if self.source is not None:
            return f"password of the source {self.source} of {self.address}"
        return f"smart host password of {self.address or 'server'}"

    def command(self, *, keep: bool) -> Command:
        """The command that sets the secret, or with `keep` false the one that takes it away."""
        if self.source is not None:
            verb = "set-password" if keep else "remove"
            return ("mailpolicy", "multipop", "source", verb, self.address or "", self.source)
        return ("mailpolicy", "smart-host", "set" if keep else "clear", self.address or "--server")


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
    def changed(self, user: str, secret: str, needed: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Set a secret for the time of the block, and for good unless it raises before the secret is `needed`.

        Where the disk did not confirm it the block runs all the same, and NotConfirmed is raised after it.
        """
        old = self.get(user)
        self.unsettled.add(user)
        unsure: NotConfirmed | None = None
        try:
            try:
                self.set(user, secret)
            except NotConfirmed as error:
                unsure = error
            yield
        except BaseException:
            if not needed():
                self._restore(user, old)
            raise
        self.unsettled.discard(user)
        if unsure is not None:
            raise unsure

    def _restore(self, user: str, old: str | None) -> None:
        try:
            if self.get(user) == old:
                pass
            elif old is None:
                self.delete(user)
            else:
                self.set(user, old)
        except NotConfirmed as error:
            self._warn(f"warning: the old secret {user} was put back: {error}")
        except MailpolicyError as error:
            what = (
                "the new secret {} could not be removed again"
                if old is None
                else "the old secret {} could not be put back"
            )
            self._warn(f"warning: {what.format(user)}: {error}")
        else:
            self.unsettled.discard(user)


def sealed_file(choice: Choice) -> SecretsFile:
    """The file of sealed secrets and its key, as the choice says; neither is opened yet."""
    from mailpolicy.sealed.file import SecretsFile
    from mailpolicy.sealed.key_source import Sources

    sources = Sources(choice.credentials_folder, choice.key_file, choice.is_root, choice.deadline)
    return SecretsFile.located(choice.secrets_file, sources, choice.lock_timeout)
