"""Find the accounts that may use a service from given addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mailpolicy.policy.model import Policy
from mailpolicy.policy.networks import ANYWHERE, NetworkSet
from mailpolicy.policy.service import Service


class Exposure(NamedTuple):
    """An account that may use a service: all admitted addresses, and those of them in the range that was asked."""

    address: str
    admitted: NetworkSet
    matching: NetworkSet


def exposed(policy: Policy, service: Service, region: NetworkSet = ANYWHERE) -> Iterator[Exposure]:
    """Yield the accounts that may use the service from any address of `region`, in the order of the store."""
    known: dict[object, tuple[NetworkSet, NetworkSet]] = {}
    for address, account in policy.accounts.items():
        shape = account.shape
        if shape not in known:
            admitted = policy.admitted(address, service)
            known[shape] = (admitted, admitted & region)
        admitted, matching = known[shape]
        if matching:
            yield Exposure(address, admitted, matching)
