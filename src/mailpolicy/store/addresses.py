"""The addresses of a store, for completion: by prefix, from the index of a large one, also if the store has errors."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from mailpolicy.policy.names import NameRejected, account_address
from mailpolicy.store.document import Document
from mailpolicy.store.index import reader
from mailpolicy.store.index.cache import Cache
from mailpolicy.system.files import opened, read_whole


def beginning_with(path: str, prefix: str, most: int, cache: Cache | None = None) -> list[str]:
    """Return the addresses that begin with `prefix`, sorted; of more than `most` the first ones and the last.

    The last one is always there, so that the part that all of them share is the part that these share. Raises StoreError.
    """

    def ask(index: reader.Index) -> list[str]:
        found = list(islice(index.beginning_with(prefix), most))
        return found if len(found) < most else [*found[:-1], index.last_beginning_with(prefix)]

    with opened(path) as descriptor:
        if cache is not None and (stamp := cache.stamp(descriptor)).size >= cache.smallest:
            known = reader.asked(cache, path, lambda index: ask(index) if index.about.stamp == stamp else None)
            if known is not None:
                return known
        found = sorted(address for address in _written(read_whole(descriptor), path) if address.startswith(prefix))
    return found if len(found) <= most else [*found[: most - 1], found[-1]]


def domains(path: str, cache: Cache | None = None) -> list[str]:
    """Return the domains that have accounts, sorted. Raises StoreError."""
    with opened(path) as descriptor:
        addresses: Iterable[str] | None = None
        if cache is not None and (stamp := cache.stamp(descriptor)).size >= cache.smallest:
            addresses = reader.asked(
                cache, path, lambda index: list(index.beginning_with("")) if index.about.stamp == stamp else None
            )
        if addresses is None:
            addresses = _written(read_whole(descriptor), path)
    return sorted({address.partition("@")[2] for address in addresses})


def _written(content: bytes, path: str) -> Iterable[str]:
    accounts = Document(path, content).tree.get("accounts")
    for key in accounts if isinstance(accounts, dict) else ():
        try:
            yield account_address(key)
        except NameRejected:
            continue  # it could not be named on the command line either
