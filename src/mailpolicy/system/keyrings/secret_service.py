"""Many secrets of the Secret Service in one search by attribute, where keyring would open a session for each.

Promises: what keyring's own backend for the Secret Service would answer, one by one. Not promised: any speed of the
daemon's own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from typing import Any


def several(backend: Any, service: str, users: Collection[str], answered: Callable[[], None]) -> dict[str, str]:
    """The secrets of these users, those that are there; `backend` is keyring's, which unlocks the collection.

    `answered` is called after each answer of the daemon. Raises what keyring and SecretStorage raise.
    """
    from secretstorage.util import open_session

    wanted = set(users)
    name = backend.schemes[backend.scheme]["username"]
    collection = backend.get_preferred_collection()
    found: dict[str, str] = {}
    with closing(collection.connection):
        collection.session = open_session(collection.connection)  # one for all items, not one for each
        for item in collection.search_items(backend._query(service)):
            answered()
            user = item.get_attributes().get(name)
            if user in wanted and user not in found:  # keyring takes the first one too
                backend.unlock(item)
                found[user] = item.get_secret().decode("utf-8")
    return found


def names(backend: Any, service: str) -> list[str]:
    """The user names of all secrets of a service. Raises what keyring and SecretStorage raise."""
    name = backend.schemes[backend.scheme]["username"]
    collection = backend.get_preferred_collection()
    with closing(collection.connection):
        users = (item.get_attributes().get(name) for item in collection.search_items(backend._query(service)))
        return sorted({user for user in users if user is not None})
