"""List the MultiPOP sources to poll: those that are enabled, of accounts that may use MultiPOP."""

from __future__ import annotations

from typing import NamedTuple

from mailpolicy.policy.bindings import Secret, source_secret
from mailpolicy.policy.model import Policy, Source


class PolledSource(NamedTuple):
    """One source of an account that is polled."""

    address: str
    name: str
    source: Source

    @property
    def secret(self) -> Secret:
        """Return the secret of its password."""
        return source_secret(self.address, self.name, self.source)

    def __str__(self) -> str:
        return f"{self.address}/{self.name}"


def polled_sources(policy: Policy) -> list[PolledSource]:
    """Return all sources to poll, sorted by address and name."""
    found = []
    for account in policy.accounts.values():
        if account.sources:
            found += [PolledSource(account.address, name, source) for name, source in policy.polled(account).items()]
    return sorted(found, key=lambda polled: (polled.address, polled.name))
