"""What a change does to access: for which accounts and services it lets more addresses in, or fewer.

Promises: decisions are compared, not texts; what changes no decision is `same`. Not promised: anything about
secrets and smart host logins, which open no door.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from mailpolicy.policy import Policy, Service


class Access(StrEnum):
    """The direction of a change."""

    WIDENED = "widened"
    NARROWED = "narrowed"
    BOTH = "both"
    SAME = "same"


def compare(old: Policy, new: Policy, addresses: Iterable[str] | None = None) -> Access:
    """The direction in which the decisions for `addresses` change; for all accounts of either policy where None."""
    if addresses is None:
        addresses = {**old.accounts, **new.accounts}
    widened = narrowed = False
    for address in addresses:
        for service in Service:
            before, after = old.admitted(address, service), new.admitted(address, service)
            if before is not after and before != after:
                widened = widened or not after <= before
                narrowed = narrowed or not before <= after
        if widened and narrowed:
            return Access.BOTH
    return Access.WIDENED if widened else Access.NARROWED if narrowed else Access.SAME
