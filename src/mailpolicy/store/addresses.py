"""List the addresses of a store for shell completion, from its index if it has one, even if the store has errors."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from mailpolicy.policy.names import NameRejected, account_address
from mailpolicy.store.document import Document
from mailpolicy.store.index import reader
from mailpolicy.store.index.cache import Cache
from mailpolicy.system.files import open_regular, read_all


def beginning_with(path: str, prefix: str, most: int, cache: Cache | None = None) -> list[str]:
    """Return the addresses that begin with `prefix`, sorted; of more than `most` the first ones and the last.

    A shell completes to the longest prefix of all candidates, which the first and the last one determine. Raises
    StoreError.
    """

    def ask(index: reader.Index) -> list[str]:
        found = list(islice(index.beginning_with(prefix), most))
        return found if len(found) < most else [*found[:-1], index.last_beginning_with(prefix)]

    with open_regular(path) as descriptor:
        if cache is not None and (stamp := cache.stamp(descriptor)).size >= cache.min_size:
            known = reader.query(cache, path, lambda index: ask(index) if index.header.stamp == stamp else None)
            if known is not None:
                return known
        found = sorted(address for address in _parsed(read_all(descriptor), path) if address.startswith(prefix))
    return found if len(found) <= most else [*found[: most - 1], found[-1]]


def domains(path: str, cache: Cache | None = None) -> list[str]:
    """Return the domains that have accounts, sorted. Raises StoreError."""
    with open_regular(path) as descriptor:
        known: set[str] | None = None
        if cache is not None and (stamp := cache.stamp(descriptor)).size >= cache.min_size:
            known = reader.query(cache, path, lambda index: index.domains() if index.header.stamp == stamp else None)
        if known is None:
            known = {address.partition("@")[2] for address in _parsed(read_all(descriptor), path)}
    return sorted(known)


def _parsed(content: bytes, path: str) -> Iterable[str]:
    accounts = Document(path, content).tree.get("accounts")
    for key in accounts if isinstance(accounts, dict) else ():
        try:
            yield account_address(key)
        except NameRejected:
            continue  # it cannot be named on the command line either
