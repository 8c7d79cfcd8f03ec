"""List the MultiPOP sources to poll: those that are enabled, of accounts that may use MultiPOP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mailpolicy.policy.bindings import Secret, source_secret
from mailpolicy.policy.model import Policy
from mailpolicy.policy.source import Auth, Source


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


def keeping_notes(program: str, sources: Iterable[PolledSource]) -> tuple[str, ...]:
    """Return a note for each source whose copies should be deleted after some days, which the program cannot do."""
    return tuple(
        f"note: {program} cannot delete after some days, so {polled} keeps its copies; use getmail to delete them"
        for polled in sources
        if polled.source.delete_after_days is not None
    )


def split_by_token(sources: Iterable[PolledSource]) -> tuple[list[PolledSource], list[PolledSource]]:
    """Return the sources with a password, and those that log in with a token."""
    found: tuple[list[PolledSource], list[PolledSource]] = ([], [])
    for polled in sources:
        found[polled.source.auth is not Auth.PASSWORD].append(polled)
    return found


def polled_sources(policy: Policy) -> list[PolledSource]:
    """Return all sources to poll, sorted by address and name."""
    found = []
    for account in policy.accounts.values():
        if account.sources:
            found += [PolledSource(account.address, name, source) for name, source in policy.polled(account).items()]
    return sorted(found, key=lambda polled: (polled.address, polled.name))
