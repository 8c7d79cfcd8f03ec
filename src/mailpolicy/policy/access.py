"""Compare the access that two policies give, as exact sets of addresses, at the present moment and all later ones.

Decisions are compared, not texts: a change of the file that changes no decision is no change of access.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mailpolicy.policy import bindings
from mailpolicy.policy.account import Account
from mailpolicy.policy.causes import access_causes
from mailpolicy.policy.changes import AccessChange, Cause, Direction, Redirection, direction
from mailpolicy.policy.model import Policy, Server
from mailpolicy.policy.moments import moments
from mailpolicy.policy.networks import NOWHERE, NetworkSet, describe
from mailpolicy.policy.redirect_causes import smart_host_causes, source_causes
from mailpolicy.policy.service import Service

if TYPE_CHECKING:
    from datetime import datetime

    from mailpolicy.policy.dates import Clock

EMPTY = Policy(Server(), {}, {}, {})  # a missing store: nobody may use anything


class Comparison:
    """The differences in access between two policies, now and at every later moment at which they change.

    `now` is the clock, asked only if there are dates; None if both are policies at one moment.
    """

    def __init__(self, old: Policy, new: Policy, now: Clock | None = None) -> None:
        self.old = old
        self.new = new
        self._now = now
        # Accounts with equal settings in both policies form a group, which is compared once.
        self._groups: dict[tuple[object, ...], int] = {}
        self._group_of: dict[str, int] = {}
        self._changes: list[list[AccessChange]] = []  # by group, for its first account
        self._causes: dict[tuple[int, Service, datetime | None], list[Cause]] = {}
        self._described: dict[NetworkSet, str] = {}

    def access_changes(self, addresses: Iterable[str] | None = None) -> list[AccessChange]:
        """Return the changes of access for `addresses`, or for all accounts of either policy."""
        if addresses is None:
            addresses = {**self.old.accounts, **self.new.accounts}
        found: list[AccessChange] = []
        for address in addresses:
            changes = self._changes[self._group(address)]
            found += [AccessChange(address, *change[1:]) for change in changes]
        return found

    def redirections(self, addresses: Iterable[str] | None = None) -> list[Redirection]:
        """Return the passwords and tokens that would be sent elsewhere: of the server, and of `addresses` or all accounts."""
        addresses = list(addresses) if addresses is not None else None
        passwords = bindings.redirected(self.old, self.new, addresses)
        tokens = bindings.redirected_tokens(self.old, self.new, addresses)
        return [
            Redirection(old.owner, old.destination, new.destination, is_token=moves is tokens)
            for moves in (passwords, tokens)
            for old, new in moves.items()
        ]

    def changes(self) -> list[AccessChange | Redirection]:
        """Return all changes of access and all redirected passwords and tokens."""
        return [*self.access_changes(), *self.redirections()]

    def direction(self, addresses: Iterable[str] | None = None) -> Direction:
        """Return the direction of all changes taken together."""
        redirections = self.redirections(addresses)
        if addresses is None:
            addresses = {**self.old.accounts, **self.new.accounts}
        groups = {self._group(address) for address in addresses}
        return direction([*(change for group in groups for change in self._changes[group]), *redirections])

    def causes(self, change: AccessChange | Redirection) -> list[Cause]:
        """Return the keys that cause a change, those that account for all of it first."""
        if isinstance(change, Redirection):
            owner = change.owner
            if owner.source is None or owner.address is None:
                return smart_host_causes(self.old, self.new)
            return source_causes(self.old, self.new, owner.address, owner.source)
        place = (self._group(change.address), change.service, change.moment)
        causes = self._causes.get(place)
        old, new = self.old.accounts.get(change.address), self.new.accounts.get(change.address)
        if causes is None:
            moment = change.moment or self._timeline(old, new)[0]
            causes = self._causes[place] = access_causes(*self._at(change.address, moment), change)
        found = []
        for cause in causes:
            account = new if cause.new else old
            if cause.key[0] == "accounts" and account is not None:
                # The causes were found for another account of the group.
                cause = Cause((cause.key[0], account.key, *cause.key[2:]), cause.new)
            found.append(cause)
        return found

    def describe(self, value: NetworkSet | str) -> str:
        """Return `nowhere`, `LAN`, `anywhere` or the networks; a destination is returned as it is.

        If the LAN differs between the policies, its networks are written out.
        """
        if isinstance(value, str):
            return value
        if value not in self._described:
            lans = {policy.server.lan for policy in (self.old, self.new) if policy is not EMPTY}
            self._described[value] = describe(value, lans.pop() if len(lans) == 1 else None)
        return self._described[value]

    def _group(self, address: str) -> int:
        """Return the number of the account's group; compare a new group."""
        group = self._group_of.get(address)
        if group is None:
            old, new = self.old.accounts.get(address), self.new.accounts.get(address)
            timeline = self._timeline(old, new)
            shapes = [account and account.at(moment).shape for moment in timeline for account in (old, new)]
            group = self._groups.setdefault((*timeline, *shapes), len(self._groups))
            self._group_of[address] = group
            if group == len(self._changes):
                self._changes.append(self._compare(address, timeline))
        return group

    def _timeline(self, old: Account | None, new: Account | None) -> list[datetime | None]:
        return moments(old, new, self._now) if self._now is not None else [None]

    def _at(self, address: str, moment: datetime | None) -> tuple[Policy, Policy]:
        """Return both policies with this account alone, at a moment."""
        accounts = [
            {address: side.accounts[address]} if address in side.accounts else {} for side in (self.old, self.new)
        ]
        old, new = self.old._replace(accounts=accounts[0]), self.new._replace(accounts=accounts[1])
        return old.at(moment), new.at(moment)

    def _compare(self, address: str, timeline: list[datetime | None]) -> list[AccessChange]:
        """Return the changes of an account: those of now, and of each later moment what did not come before."""
        changes: list[AccessChange] = []
        for service in Service:
            gained = lost = NOWHERE
            for index, moment in enumerate(timeline):
                old, new = self._at(address, moment)
                before, after = old.admitted(address, service), new.admitted(address, service)
                if before is after or before == after or (after - before <= gained and before - after <= lost):
                    continue
                gained, lost = gained | (after - before), lost | (before - after)
                way = (
                    Direction.WIDENED if before <= after else Direction.NARROWED if after <= before else Direction.BOTH
                )
                changes.append(AccessChange(address, service, before, after, way, moment if index else None))
        return changes


def compare(old: Policy, new: Policy, now: Clock, addresses: Iterable[str] | None = None) -> Direction:
    """Return the direction in which access changes, now or later, for `addresses`, or for all accounts of either policy."""
    return Comparison(old, new, now).direction(addresses)
