"""Find the accounts that may use services from given addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mailpolicy.policy.account import Account
from mailpolicy.policy.model import Policy
from mailpolicy.policy.networks import ANYWHERE, NOWHERE, NetworkSet, describe
from mailpolicy.policy.service import Service


class Exposure(NamedTuple):
    """An account and a service: all admitted addresses, what admits them, and those in the range that was asked."""

    address: str
    service: Service
    admitted_by: str
    matching: NetworkSet


def exposures(policy: Policy, regions: Mapping[Service, NetworkSet]) -> Iterator[Exposure]:
    """Yield what admits each account to each service, in the order of the store; each service has the range asked for."""
    known: dict[object, list[tuple[Service, str, NetworkSet]]] = {}
    for address, account in policy.accounts.items():
        shape = account.shape
        if shape not in known:
            known[shape] = [
                (service, admitted_by(policy, account, service), policy.admitted(address, service) & region)
                for service, region in regions.items()
            ]
        for service, by, matching in known[shape]:
            yield Exposure(address, service, by, matching)


def admitted_by(policy: Policy, account: Account, service: Service) -> str:
    """Return `nowhere`, `anywhere`, or `LAN` and the names of the networks beside it, of those that have addresses."""
    admitted = policy.admitted(account.address, service)
    if admitted in (NOWHERE, ANYWHERE):
        return describe(admitted, None)
    places = {"LAN": policy.server.lan}
    places |= {name: policy.networks[name].addresses for name in policy.extra_lan(account).names}
    return ", ".join(name for name, addresses in places.items() if addresses)
