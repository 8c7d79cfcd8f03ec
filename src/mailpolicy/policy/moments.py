"""The moments at which two policies have to be compared: now, and each later one at which either of them changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailpolicy.policy.account import Account
from mailpolicy.policy.model import Policy

if TYPE_CHECKING:
    from datetime import datetime

    from mailpolicy.policy.dates import Clock


def moments(old: Account | None, new: Account | None, now: Clock) -> list[datetime | None]:
    """Return the present moment and the later ones at which an account changes in either of two policies, in order.

    At most four come later: the ends of `temporary` and `expires` on both sides. An account without dates is the same at
    every moment: for that stands None, which Policy.at() takes, and the clock is not asked.
    """
    dated = [account for account in (old, new) if account is not None and account.dated]
    if not dated:
        return [None]
    present = now()
    return [present, *sorted({instant for account in dated for instant in ends(account) if instant > present})]


def ends(account: Account) -> list[datetime]:
    """Return the instants at which an account changes, past ones too."""
    found = [account.expires, account.temporary.until if account.temporary is not None else None]
    return [end.instant for end in found if end is not None and end.instant is not None]


def next_change(policy: Policy, now: Clock) -> datetime | None:
    """Return the next moment at which something changes, or None."""
    if not (dated := policy.dated):
        return None
    present = now()
    return min((instant for account in dated for instant in ends(account) if instant > present), default=None)
