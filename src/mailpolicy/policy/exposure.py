"""Find the accounts that may use services from given addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mailpolicy.policy.model import Policy
from mailpolicy.policy.networks import NetworkSet
from mailpolicy.policy.service import Service


class Exposure(NamedTuple):
    """An account and a service: all admitted addresses, and those of them in the range that was asked."""

    address: str
    service: Service
    admitted: NetworkSet
    matching: NetworkSet


def exposures(policy: Policy, regions: Mapping[Service, NetworkSet]) -> Iterator[Exposure]:
    """Yield what admits each account to each service, in the order of the store; each service has the range asked for."""
    known: dict[object, list[tuple[Service, NetworkSet, NetworkSet]]] = {}
    for address, account in policy.accounts.items():
        shape = account.shape
        if shape not in known:
            admitted = [(service, policy.admitted(address, service), region) for service, region in regions.items()]
            known[shape] = [(service, networks, networks & region) for service, networks, region in admitted]
        for service, networks, matching in known[shape]:
            yield Exposure(address, service, networks, matching)
