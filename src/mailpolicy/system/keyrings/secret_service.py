"""Read many secrets of the Secret Service with one search; keyring would open a session for each.

The answers are the same as those of keyring's own backend.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from typing import Any


def get_many(backend: Any, service: str, users: Collection[str], restart_timeout: Callable[[], None]) -> dict[str, str]:
    """Return the secrets of these users by user name; users without one are left out.

    `backend` is keyring's own, which unlocks the collection; `restart_timeout` is called after each answer of the daemon. Raises
    the exceptions of keyring and SecretStorage.
    """
    from secretstorage.util import open_session

    wanted = set(users)
    name = backend.schemes[backend.scheme]["username"]
    collection = backend.get_preferred_collection()
    found: dict[str, str] = {}
    with closing(collection.connection):
        collection.session = open_session(collection.connection)  # else SecretStorage opens one per item
        for item in collection.search_items(backend._query(service)):
            restart_timeout()
            user = item.get_attributes().get(name)
            if user in wanted and user not in found:  # of duplicates keyring takes the first one too
                backend.unlock(item)
                found[user] = item.get_secret().decode("utf-8")
    return found


def list_users(backend: Any, service: str) -> list[str]:
    """Return the user names of all secrets of a service. Raises the exceptions of keyring and SecretStorage."""
    name = backend.schemes[backend.scheme]["username"]
    collection = backend.get_preferred_collection()
    with closing(collection.connection):
        users = (item.get_attributes().get(name) for item in collection.search_items(backend._query(service)))
        return sorted({user for user in users if user is not None})
