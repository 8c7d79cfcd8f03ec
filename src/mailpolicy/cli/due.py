"""Accounts that stay open although their time is over, because the store has errors and nothing can be deployed."""

from __future__ import annotations

from datetime import datetime, timedelta

from mailpolicy.deploy.last_run import LastRun
from mailpolicy.policy.access import Comparison
from mailpolicy.policy.changes import Direction
from mailpolicy.policy.moments import ends
from mailpolicy.store.store import Store


def still_open(store: Store, now: datetime, last_run: LastRun) -> list[str]:
    """Return the accounts that would lose access by dates that not every export has followed, of a store with errors."""
    found = []
    for account in store.draft.dated:
        came = last_run.not_followed(account.address, [end for end in ends(account) if end <= now])
        if came:
            before = min(came) - timedelta(microseconds=1)
            comparison = Comparison(store.draft.at(before), store.draft.at(now))
            if comparison.direction([account.address]) in (Direction.NARROWED, Direction.BOTH):
                found.append(account.address)
    return found
