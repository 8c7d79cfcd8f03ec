"""Many secrets of one backend at once: in one call where it can do that, else one by one.

Promises: the sealed file is opened once, the Secret Service is asked by attribute. Not promised: all or nothing, but of
the sealed file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from mailpolicy.backends import SEALED, SECRET_SERVICE, class_name

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend


def several(
    backend: KeyringBackend, service: str, users: Collection[str], answered: Callable[[], None]
) -> dict[str, str]:
    """Those of the secrets that are there, by user name; `answered` is called for each answer of many."""
    name = class_name(backend)
    if name == SEALED:
        return backend.get_passwords(service, users)  # type: ignore[attr-defined,no-any-return]
    if name == SECRET_SERVICE and len(users) > 1:
        from mailpolicy import secret_service

        return secret_service.several(backend, service, users, answered)
    found = {}
    for user in users:
        if (secret := backend.get_password(service, user)) is not None:
            found[user] = secret
        answered()
    return found


def names(backend: KeyringBackend, service: str) -> list[str] | None:
    """The user names of all secrets of a service; None where the backend cannot list them."""
    name = class_name(backend)
    if name == SEALED:
        return [entry.user for entry in backend.sealed_file().everything() if entry.service == service]  # type: ignore[attr-defined]
    if name == SECRET_SERVICE:
        from mailpolicy import secret_service

        return [user for user in secret_service.names(backend, service) if "/" in user]  # not a master key of our own
    return None


def set_several(
    backend: KeyringBackend, service: str, secrets: Mapping[str, str], answered: Callable[[], None]
) -> None:
    """Keep many secrets."""
    if class_name(backend) == SEALED:
        backend.set_passwords(service, secrets)  # type: ignore[attr-defined]
        return
    for user, secret in secrets.items():
        backend.set_password(service, user, secret)
        answered()


def delete_several(backend: KeyringBackend, service: str, users: Collection[str], answered: Callable[[], None]) -> None:
    """Remove many secrets, all of which are there."""
    if class_name(backend) == SEALED:
        backend.delete_passwords(service, users)  # type: ignore[attr-defined]
        return
    for user in users:
        backend.delete_password(service, user)
        answered()
