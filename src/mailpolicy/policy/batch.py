"""Answer many questions about one policy, with the first reason only."""

from __future__ import annotations

from collections.abc import Callable

from mailpolicy.policy.model import Gate, Policy
from mailpolicy.policy.networks import ANYWHERE, AddressRejected, NetworkSet, packer
from mailpolicy.policy.question import (
    QuestionRejected,
    question,
    question_address,
    require_governed,
    service_named,
)
from mailpolicy.policy.service import BY_NAME, Service

# The first gate that is closed for every IP address, and the addresses that the LAN restriction admits. A plain tuple,
# as it is unpacked for each question.
Decision = tuple[Gate | None, NetworkSet]


def decide(policy: Policy, address: str, service: Service) -> Decision:
    """Return the decision for an account and a service, which an IP address completes."""
    gates = policy.gates(address, service)
    return gates[0] if gates else None, policy.scope(address, service)


class BatchAnswers:
    """The answers to many questions: allowed or not, and the first reason.

    Memory is bounded by the policy and a fixed number of spellings, not by the number of questions.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._pack: Callable[[str], bytes] = packer()
        self._tables: dict[str, dict[str, Decision]] = {}  # by address as spelled, then by protocol
        self._shapes: dict[tuple[object, ...], dict[str, Decision]] = {}  # accounts with equal settings share a table
        self._limit = 2 * len(policy.accounts) + 10_000

    def first_reason(self, address: str, protocol: str, ip: str | None) -> Gate | None:
        """Return the first closed gate, or None if the answer is yes. Raise QuestionRejected."""
        try:
            gate, scope = self._tables[address][protocol]
        except KeyError:
            gate, scope = self._look_up(address, protocol, ip)
        if ip is None:
            question(address, protocol, ip)  # raises for every service that needs an IP address
            return gate
        try:
            packed = self._pack(ip)
        except AddressRejected as error:
            raise QuestionRejected(str(error), error.reason) from None
        if gate is None and scope is not ANYWHERE and packed not in scope:
            return Gate.OUTSIDE_LAN
        return gate

    def _look_up(self, address: str, protocol: str, ip: str | None) -> Decision:
        normalised = question_address(address)
        service = service_named(protocol)
        account = self._policy.accounts.get(normalised)
        shape = account.shape if account is not None else ()
        table = self._shapes.setdefault(shape, {})
        if len(self._tables) >= self._limit:
            self._tables.clear()
        self._tables[address] = table
        known = table.get(protocol)
        if known is None:
            if not self._policy.governs(service):
                question(address, protocol, ip)  # one that is malformed is refused as that
                require_governed(self._policy, service)
            known = decide(self._policy, normalised, service)
            if protocol in BY_NAME:  # the number of other spellings, such as Imap, is unbounded
                table[protocol] = known
        return known
