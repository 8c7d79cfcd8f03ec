"""Evaluate test cases against a policy or against a change of it, and find what no case covers.

A case about a network is decided for every address in it, as an intersection or difference of sets, never by a sample.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath
from mailpolicy.policy.model import Policy
from mailpolicy.policy.networks import NOWHERE, NetworkSet
from mailpolicy.policy.question import Question
from mailpolicy.policy.service import Service
from mailpolicy.policy.verdict import Reason, judge
from mailpolicy.review.cases import Case


class Mismatch(NamedTuple):
    """Addresses for which a case fails: the addresses, the actual result, the reason, and the keys that decided."""

    asked: str
    actual: str
    why: str
    keys: tuple[KeyPath, ...]

    def describe(self, case: Case) -> str:
        """Return the failure as text, such as `NAME: a@b.example pop 203.0.113.9: expected deny, got allow`."""
        named = f"{case.name}: " if case.name else ""
        asked = f"{named}{case.address} {case.service} {self.asked}".rstrip()
        return f"{asked}: expected {case.expected}, got {self.actual}"


def as_of(policy: Policy, case: Case) -> Policy:
    """Return the policy at the moment that the case names, or the policy itself if it names none."""
    if case.at is None or not policy.dated:
        return policy
    from mailpolicy.policy.dates import FAR, instant  # 1 ms, only for a store with dates
    from mailpolicy.system.zones import zone

    return policy.at(instant(case.at, zone(policy.server.time_zone)) or FAR)


def mismatches(policy: Policy, case: Case, before: Policy | None = None) -> list[Mismatch]:
    """Return the addresses for which the policy decides differently from the case; an empty list if the case holds.

    With `before`, only addresses for which that policy decides as the case says.
    """
    found = []
    for text, asked in case.regions:
        right = asked
        for wrong in _wrong(before, case, asked) if before is not None else ():
            right = right - wrong
        for wrong in _wrong(policy, case, right):
            part = text if wrong == asked else f"{wrong} of {text}"
            found.append(_mismatch(policy, case, part, wrong))
    return found


def _wrong(policy: Policy, case: Case, asked: NetworkSet) -> list[NetworkSet]:
    """Return the addresses for which the policy decides differently from the case, allowed and denied ones apart."""
    admitted = policy.admitted(case.address, case.service)
    inside, outside = asked & admitted, asked - admitted
    if case.allow:
        return [outside] if outside else []
    other = case.reason is not None and outside and _reason(policy, case, outside).gate is not case.reason
    return [addresses for addresses in (inside, outside if other else NOWHERE) if addresses]


def _reason(policy: Policy, case: Case, asked: NetworkSet) -> Reason:
    return judge(policy, _question(case, asked)).reasons[0]


def _question(case: Case, asked: NetworkSet) -> Question:
    """Return a question about the first of the addresses; all that are decided alike have the same reasons."""
    packed = asked.spans[0][0]
    return Question(case.address, case.service, str(ipaddress.ip_address(packed)), packed)


def _mismatch(policy: Policy, case: Case, part: str, wrong: NetworkSet) -> Mismatch:
    verdict = judge(policy, _question(case, wrong))
    if not verdict.allowed:
        reason = verdict.reasons[0]
        return Mismatch(part, f"deny: {reason.gate}", reason.message, (reason.key,) if reason.key is not None else ())
    service = case.service
    if not policy.governs(service):
        keys: tuple[KeyPath, ...] = (("server", "govern"),) if "govern" in policy.server.written else ()
        return Mismatch(part, "allow", f"as {service} is not governed by the store", keys)
    account = policy.accounts[case.address]
    settings = [(switch, policy.setting(account, switch)) for switch in (service.switch, service.lan_switch) if switch]
    keys = tuple(
        policy.key_path(account, switch, setting.layer) for switch, setting in settings if setting.layer is not None
    )
    return Mismatch(part, "allow", "", keys)


def uncovered(policy: Policy, cases: Iterable[Case]) -> dict[str, list[Service]]:
    """Return the services of each account that no case asks about, in the order of the store."""
    covered = {(case.address, case.service) for case in cases}
    left = {
        address: [service for service in policy.services if (address, service) not in covered]
        for address in policy.accounts
    }
    return {address: services for address, services in left.items() if services}
