"""Choose the keyring backend: the configured one, else one of the operating system that is known to be safe.

A backend that is not known to be safe is used only if it is named. Root takes no backend from the environment or from a
file that another user may have written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mailpolicy.errors import KeyringError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SEALED_BACKEND = "mailpolicy.sealed.Keyring"
SECRET_SERVICE = "keyring.backends.SecretService.Keyring"
# Backends of the operating system that encrypt and ask for consent; any other must be named.
SAFE_BACKENDS = (
    SECRET_SERVICE,
    "keyring.backends.libsecret.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
    "keyring.backends.macOS.Keyring",
    "keyring.backends.Windows.WinVaultKeyring",
)
_CHAINER = "keyring.backends.chainer.ChainerBackend"
_NULL = "keyring.backends.null.Keyring"
SETUP_ADVICE = (
    "set up the sealed file, unlock a desktop keyring, "
    "or name a backend with --keyring-backend or keyring_backend in host.toml"
)

_INIT_COMMAND = ("mailpolicy", "secrets", "init")


class ChosenBackend(NamedTuple):
    """The chosen backend: its class name, whether it was configured, and the insecure class in it, if any."""

    name: str
    explicit: bool
    insecure: str | None


def choose(name: str | None, *, is_root: bool) -> tuple[KeyringBackend, ChosenBackend]:
    """Return the backend of that class, or with None the one of the operating system. Raises KeyringError."""
    _silence()
    if name is None:
        found = detect(is_root=is_root)
        return found, ChosenBackend(class_name(found), False, None)
    backend = _load(name)
    return backend, ChosenBackend(class_name(backend), True, _insecure_class(backend))


def _silence() -> None:
    """Keep Python from printing what a backend logs, warns of, or raises in a thread of its own: it may hold a secret."""
    import logging
    import threading
    import warnings

    logging.getLogger().addHandler(logging.NullHandler())  # without a handler, records go to stderr
    warnings.simplefilter("ignore")
    threading.excepthook = lambda _exception: None


def detect(*, is_root: bool) -> KeyringBackend:
    """Return the keyring of the operating system. Raises KeyringError if no safe one is available."""
    if not is_root:
        return _first_safe(_configured())
    try:
        return _load(SECRET_SERVICE)
    except KeyringError:
        raise _no_keyring() from None


def desktop_keyring(*, is_root: bool) -> KeyringBackend:
    """Return the keyring of the operating system, ignoring keyring's own configuration. Raises KeyringError."""
    for name in (SECRET_SERVICE,) if is_root else SAFE_BACKENDS:
        try:
            return _load(name)
        except KeyringError:
            continue
    raise _no_keyring()


def class_name(backend: object) -> str:
    """Return the class name of a backend, as `--keyring-backend` takes it."""
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def translate_error(error: BaseException) -> KeyringError:
    """Convert an exception of a backend to KeyringError, without its text, which may contain a secret."""
    if isinstance(error, KeyringError):
        return error
    kind = type(error).__name__
    if kind == "KeyringLocked":
        return KeyringError("the keyring is locked: unlock it and try again", code="keyring-locked")
    if kind == "InitError":
        return KeyringError(
            f"cannot open the keyring, it is locked or has no collection yet: {SETUP_ADVICE}",
            code="keyring-locked",
            fix=_INIT_COMMAND,
        )
    if kind in ("NoKeyringError", "SecretServiceNotAvailableException"):
        return _no_keyring()
    return KeyringError(f"the keyring failed ({kind})", code="keyring-refused")


def _no_keyring() -> KeyringError:
    return KeyringError(f"no keyring is available: {SETUP_ADVICE}", code="no-keyring", fix=_INIT_COMMAND)


def _load(name: str) -> KeyringBackend:
    from keyring.core import load_keyring

    try:
        return load_keyring(name)
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        raise KeyringError(
            f"cannot use the keyring backend {name!a} ({type(error).__name__}): name its class, such as {SEALED_BACKEND}",
            code="unusable-keyring",
        ) from None


def _configured() -> KeyringBackend:
    """Return the backend that keyring itself selects, from its environment variable, configuration or priorities."""
    import keyring

    try:
        return keyring.get_keyring()
    except Exception as error:  # noqa: BLE001 - backends raise what they like
        raise KeyringError(
            f"cannot use the keyring backend named by PYTHON_KEYRING_BACKEND or keyringrc.cfg "
            f"({type(error).__name__}): {SETUP_ADVICE}",
            code="unusable-keyring",
        ) from None


def _members(backend: Any) -> list[KeyringBackend]:
    return list(backend.backends) if class_name(backend) == _CHAINER else [backend]


def _insecure_class(backend: KeyringBackend) -> str | None:
    """Return the class that stores secrets in plain text or not at all: the backend itself or one in a chainer."""
    for member in _members(backend):
        for kind in type(member).__mro__:
            if kind.__name__.startswith("Plaintext") or f"{kind.__module__}.{kind.__qualname__}" == _NULL:
                return class_name(member)
    return None


def _first_safe(backend: KeyringBackend) -> KeyringBackend:
    """Return the backend itself, or the first safe one in a chainer. Raises KeyringError if there is none."""
    candidates = _members(backend)
    for candidate in candidates:
        if class_name(candidate) in SAFE_BACKENDS:
            return candidate
    name = class_name(candidates[0]) if candidates else class_name(backend)
    if name.startswith(("keyring.backends.fail.", _CHAINER)):
        raise _no_keyring()
    raise KeyringError(
        f"the keyring backend {name} is not known to be safe; to use it: --keyring-backend {name}",
        code="unsafe-keyring",
    )
