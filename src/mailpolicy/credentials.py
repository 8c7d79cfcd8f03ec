"""The only room that knows keyring: smart host passwords in the keyring of the operating system.

Promises: no secret in a message, an exception or a log; no wait beyond the deadline; a secret that was set has been
read back; what is not known to be safe is used only when it is named. Not promised: that a plain-text backend that
was named hides anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mailpolicy.errors import KeyringError
from mailpolicy.policy import Account

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

Result = TypeVar("Result")

SERVICE = "mailpolicy"
SECRET_SERVICE = "keyring.backends.SecretService.Keyring"
# Those that encrypt and ask for consent; every other one must be named.
_SAFE = (
    SECRET_SERVICE,
    "keyring.backends.libsecret.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
    "keyring.backends.macOS.Keyring",
    "keyring.backends.Windows.WinVaultKeyring",
)
_CHAINER = "keyring.backends.chainer.ChainerBackend"
_NULL = "keyring.backends.null.Keyring"
_SET_UP = (
    "run this in a desktop session, or under dbus-run-session with an unlocked gnome-keyring-daemon, "
    "or name a backend with --keyring-backend or keyring_backend in host.toml"
)


class Choice(NamedTuple):
    """How to find the keyring: the backend that was named, the service name, whether root asks, seconds to wait."""

    backend: str | None = None
    service: str = SERVICE
    is_root: bool = False
    deadline: float = 15.0


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

    def command(self, *, keep: bool) -> str:
        """The command that sets the secret, or with `keep` false the one that takes it away."""
        if self.source is not None:
            verb = "set-password" if keep else "remove"
            return f"mailpolicy multipop source {verb} {self.address} {self.source}"
        return f"mailpolicy smart-host {'set' if keep else 'clear'} {self.address or '--server'}"


class Credentials:
    """The secrets of one service in one keyring, which is looked for when the first one is asked for."""

    def __init__(self, choice: Choice, warn: Callable[[str], None]) -> None:
        self._choice = choice
        self._warn = warn
        self._backend: KeyringBackend | None = None
        self._stuck: KeyringError | None = None
        self.unsettled: set[str] = set()  # user names whose old secret could not be put back

    def get(self, user: str) -> str | None:
        """The secret of `user`, None where there is none. Raises KeyringError."""
        return self._ask(lambda backend: backend.get_password(self._choice.service, user))

    def several(self, users: Collection[str]) -> dict[str, str]:
        """The secrets of many users, those that have none left out. Raises KeyringError."""
        found = ((user, self.get(user)) for user in users)
        return {user: secret for user, secret in found if secret is not None}

    def set(self, user: str, secret: str) -> None:
        """Keep a secret and read it back. Raises KeyringError."""
        self._ask(lambda backend: backend.set_password(self._choice.service, user, secret))
        if self.get(user) != secret:
            raise KeyringError(
                f"the keyring did not keep the secret {user}: what was read back differs", code="keyring-lost"
            )

    def delete(self, user: str) -> bool:
        """Remove a secret; False where there was none. Raises KeyringError."""
        if self.get(user) is None:
            return False
        self._ask(lambda backend: backend.delete_password(self._choice.service, user))
        if self.get(user) is not None:
            raise KeyringError(f"the keyring still has the secret {user} after it was removed", code="keyring-kept")
        return True

    @contextmanager
    def changed(self, user: str, secret: str | None) -> Iterator[None]:
        """Set (or with None delete) a secret for the time of the block, and for good unless it raises."""
        old = self.get(user)
        try:
            if secret is None:
                self.delete(user)
            else:
                self.set(user, secret)
            yield
        except BaseException:
            self._restore(user, old)
            raise

    def _restore(self, user: str, old: str | None) -> None:
        try:
            if self.get(user) == old:
                return
            if old is None:
                self.delete(user)
            else:
                self.set(user, old)
        except KeyringError as error:
            self.unsettled.add(user)
            what = (
                "the new secret {} could not be removed again"
                if old is None
                else "the old secret {} could not be put back"
            )
            self._warn(f"warning: {what.format(user)}: {error.message}")

    def _ask(self, call: Callable[[KeyringBackend], Result]) -> Result:
        """Run a call of the backend with the deadline, its foreign exceptions turned into ours without their texts."""
        if self._stuck is not None:
            raise self._stuck  # one deadline for the whole command, also when it puts things back
        box: list[Result] = []
        failure: list[BaseException] = []

        def run() -> None:
            try:
                if self._backend is None:
                    self._backend = _choose(self._choice, self._warn)
                box.append(call(self._backend))
            except BaseException as error:  # noqa: BLE001 - backends raise what they like, and here it crosses a thread
                failure.append(error)

        # A thread, as a backend may wait in C or on D-Bus where no signal is seen; it ends with the process.
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(self._choice.deadline)
        if thread.is_alive():
            self._stuck = KeyringError(
                f"the keyring did not answer within {self._choice.deadline:g} s: it is locked, or waits for somebody to unlock it",
                code="keyring-locked",
            )
            raise self._stuck
        if failure:
            raise _translated(failure[0]) from None
        return box[0]


def _translated(error: BaseException) -> KeyringError:
    if isinstance(error, KeyringError):
        return error
    kind = type(error).__name__
    if kind == "KeyringLocked":
        return KeyringError("the keyring is locked: unlock it and try again", code="keyring-locked")
    if kind == "InitError":
        return KeyringError(
            f"the keyring cannot be opened, it is locked or has no collection yet: {_SET_UP}", code="keyring-locked"
        )
    if kind in ("NoKeyringError", "SecretServiceNotAvailableException"):
        return _missing()
    return KeyringError(f"the keyring refused ({kind})", code="keyring-refused")


def _missing() -> KeyringError:
    return KeyringError(f"there is no keyring here: {_SET_UP}", code="no-keyring")


def _choose(choice: Choice, warn: Callable[[str], None]) -> KeyringBackend:
    import logging

    import keyring

    # Without a handler Python prints what libraries log, and a backend may log what it was given.
    logging.getLogger().addHandler(logging.NullHandler())
    if choice.backend is not None:
        backend = _load(choice.backend)
        if (name := _exposed(backend)) is not None:
            warn(f"warning: the keyring backend {name} does not protect secrets")
    elif choice.is_root:
        # Root takes no backend from the environment or from a file that somebody else may have written.
        try:
            backend = _load(SECRET_SERVICE)
        except KeyringError:
            raise _missing() from None
    else:
        backend = _safe(_detected())
    keyring.set_keyring(backend)
    return backend


def _load(name: str) -> KeyringBackend:
    from keyring.core import load_keyring

    try:
        return load_keyring(name)
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        raise KeyringError(
            f"the keyring backend {name!a} cannot be used here ({type(error).__name__}): name its class, such as {SECRET_SERVICE}",
            code="unusable-keyring",
        ) from None


def _detected() -> KeyringBackend:
    """What keyring itself finds, from its environment variable, its configuration or what is installed."""
    import keyring

    try:
        return keyring.get_keyring()
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        raise KeyringError(
            f"the keyring backend that PYTHON_KEYRING_BACKEND or keyringrc.cfg names cannot be used ({type(error).__name__}): {_SET_UP}",
            code="unusable-keyring",
        ) from None


def _members(backend: Any) -> list[KeyringBackend]:
    return list(backend.backends) if _class_name(backend) == _CHAINER else [backend]


def _exposed(backend: KeyringBackend) -> str | None:
    """The class that keeps secrets in plain text or not at all: the backend's own, or one in a chainer."""
    for member in _members(backend):
        for kind in type(member).__mro__:
            if kind.__name__.startswith("Plaintext") or f"{kind.__module__}.{kind.__qualname__}" == _NULL:
                return _class_name(member)
    return None


def _safe(backend: KeyringBackend) -> KeyringBackend:
    """The backend itself, or the first one in a chainer, that is known to be safe. Raises KeyringError."""
    candidates = _members(backend)
    for candidate in candidates:
        if _class_name(candidate) in _SAFE:
            return candidate
    name = _class_name(candidates[0]) if candidates else _class_name(backend)
    if name.startswith(("keyring.backends.fail.", _CHAINER)):
        raise _missing()
    raise KeyringError(
        f"the keyring backend {name} is used only when it is named: --keyring-backend {name}", code="unsafe-keyring"
    )


def _class_name(backend: object) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"
