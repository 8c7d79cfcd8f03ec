"""Which MultiPOP sources are polled, for the targets that collect: those of accounts that may, and that are enabled."""

from __future__ import annotations

from typing import NamedTuple

from mailpolicy.policy.bindings import Secret, source_secret
from mailpolicy.policy.model import Policy, Source


class Polled(NamedTuple):
    """One source that is polled for an account."""

    address: str
    name: str
    source: Source

    @property
    def secret(self) -> Secret:
        """Its password."""
        return source_secret(self.address, self.name, self.source)

    def __str__(self) -> str:
        return f"{self.address}/{self.name}"


def polled(policy: Policy) -> list[Polled]:
    """All sources that are polled, in the order of address and name."""
    found = []
    for account in policy.accounts.values():
        if account.sources:
            found += [Polled(account.address, name, source) for name, source in policy.polled(account).items()]
    return sorted(found, key=lambda one: (one.address, one.name))
