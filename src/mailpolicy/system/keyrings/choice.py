"""Which keyring backend is used: the one that was named, else one of the operating system's that is known to be safe.

Promises: what is not known to be safe is used only when it is named; root takes no backend from the environment or from
a file that somebody else may have written. Not promised: that a plain-text backend that was named hides anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mailpolicy.errors import KeyringError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SEALED = "mailpolicy.sealed.Keyring"
SECRET_SERVICE = "keyring.backends.SecretService.Keyring"
# Those of the operating system that encrypt and ask for consent; every other one must be named.
SAFE = (
    SECRET_SERVICE,
    "keyring.backends.libsecret.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
    "keyring.backends.macOS.Keyring",
    "keyring.backends.Windows.WinVaultKeyring",
)
_CHAINER = "keyring.backends.chainer.ChainerBackend"
_NULL = "keyring.backends.null.Keyring"
SET_UP = (
    "set up the file of sealed secrets, or unlock a desktop keyring, "
    "or name a backend with --keyring-backend or keyring_backend in host.toml"
)

_INIT = ("mailpolicy", "secrets", "init")


class Chosen(NamedTuple):
    """The class of a keyring and how it came to be chosen; `exposed` is the class in it that protects nothing, or None."""

    name: str
    named: bool
    exposed: str | None


def choose(name: str | None, *, is_root: bool) -> tuple[KeyringBackend, Chosen]:
    """The backend of that class; with None one of the operating system's. Raises KeyringError."""
    import logging

    # Without a handler Python prints what libraries log, and a backend may log what it was given.
    logging.getLogger().addHandler(logging.NullHandler())
    if name is None:
        found = desktop(is_root=is_root)
        return found, Chosen(class_name(found), False, None)
    backend = _load(name)
    return backend, Chosen(class_name(backend), True, _exposed(backend))


def desktop(*, is_root: bool) -> KeyringBackend:
    """The keyring of the operating system. Raises KeyringError where none answers that is known to be safe."""
    if not is_root:
        return _safe(_detected())
    try:
        return _load(SECRET_SERVICE)
    except KeyringError:
        raise _missing() from None


def wallet(*, is_root: bool) -> KeyringBackend:
    """The keyring of the operating system, whatever backend keyring itself was told to use. Raises KeyringError."""
    for name in (SECRET_SERVICE,) if is_root else SAFE:
        try:
            return _load(name)
        except KeyringError:
            continue
    raise _missing()


def class_name(backend: object) -> str:
    """The name that `--keyring-backend` takes for it."""
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def translated(error: BaseException) -> KeyringError:
    """A foreign exception of a backend as ours, without its text, which may hold a secret."""
    if isinstance(error, KeyringError):
        return error
    kind = type(error).__name__
    if kind == "KeyringLocked":
        return KeyringError("the keyring is locked: unlock it and try again", code="keyring-locked")
    if kind == "InitError":
        return KeyringError(
            f"the keyring cannot be opened, it is locked or has no collection yet: {SET_UP}",
            code="keyring-locked",
            fix=_INIT,
        )
    if kind in ("NoKeyringError", "SecretServiceNotAvailableException"):
        return _missing()
    return KeyringError(f"the keyring refused ({kind})", code="keyring-refused")


def _missing() -> KeyringError:
    return KeyringError(f"there is no keyring here: {SET_UP}", code="no-keyring", fix=_INIT)


def _load(name: str) -> KeyringBackend:
    from keyring.core import load_keyring

    try:
        return load_keyring(name)
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        raise KeyringError(
            f"the keyring backend {name!a} cannot be used here ({type(error).__name__}): name its class, such as {SEALED}",
            code="unusable-keyring",
        ) from None


def _detected() -> KeyringBackend:
    """What keyring itself finds, from its environment variable, its configuration or what is installed."""
    import keyring

    try:
        return keyring.get_keyring()
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        raise KeyringError(
            f"the keyring backend that PYTHON_KEYRING_BACKEND or keyringrc.cfg names cannot be used ({type(error).__name__}): {SET_UP}",
            code="unusable-keyring",
        ) from None


def _members(backend: Any) -> list[KeyringBackend]:
    return list(backend.backends) if class_name(backend) == _CHAINER else [backend]


def _exposed(backend: KeyringBackend) -> str | None:
    """The class that keeps secrets in plain text or not at all: the backend's own, or one in a chainer."""
    for member in _members(backend):
        for kind in type(member).__mro__:
            if kind.__name__.startswith("Plaintext") or f"{kind.__module__}.{kind.__qualname__}" == _NULL:
                return class_name(member)
    return None


def _safe(backend: KeyringBackend) -> KeyringBackend:
    """The backend itself, or the first one in a chainer, that is known to be safe. Raises KeyringError."""
    candidates = _members(backend)
    for candidate in candidates:
        if class_name(candidate) in SAFE:
            return candidate
    name = class_name(candidates[0]) if candidates else class_name(backend)
    if name.startswith(("keyring.backends.fail.", _CHAINER)):
        raise _missing()
    raise KeyringError(
        f"the keyring backend {name} is used only when it is named: --keyring-backend {name}", code="unsafe-keyring"
    )
