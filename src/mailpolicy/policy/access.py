"""What a change does to access: for which accounts and services it lets more addresses in, or fewer, and which keys did it.

Promises: decisions are compared, not texts, as exact sets of addresses; what changes no decision is no shift. Accounts
alike in both policies are compared once. A password that would be sent to another destination is a shift of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from mailpolicy.diagnostics import KeyPath
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Owner
from mailpolicy.policy.model import Account, Policy, Server, Source
from mailpolicy.policy.networks import ANYWHERE, NetworkSet
from mailpolicy.policy.service import SWITCHES, Service


class Access(StrEnum):
    """The direction of a change."""

    WIDENED = "widened"
    NARROWED = "narrowed"
    BOTH = "both"
    SAME = "same"


class Shift(NamedTuple):
    """One decision that changes: from where an account may use a service, before and after."""

    address: str
    service: Service
    before: NetworkSet
    after: NetworkSet
    access: Access


class Redirection(NamedTuple):
    """A password that would be sent elsewhere: the destination before and after."""

    owner: Owner
    before: str
    after: str

    @property
    def service(self) -> str:
        """What stands in the place of a service."""
        return "credentials"

    @property
    def access(self) -> Access:
        """The direction: somebody gets it who did not have it."""
        return Access.WIDENED

    @property
    def address(self) -> str | None:
        """The account, None for the server."""
        return self.owner.address


class Cause(NamedTuple):
    """A key that did a shift; `new` tells whether the new policy writes it, or only the old one did."""

    key: KeyPath
    new: bool


EMPTY = Policy(Server(), {}, {}, {})  # a store that is not there: nobody may use anything

_SERVER_KEYS = ("edition", "outlook_connector_installed", "multipop", "lan")


class Comparison:
    """Two policies, and what lies between their decisions."""

    def __init__(self, old: Policy, new: Policy) -> None:
        self.old = old
        self.new = new
        self._kinds: dict[tuple[object, object], int] = {}  # a number for each pair of shapes
        self._kind_of: dict[str, int] = {}
        self._decided: list[list[Shift]] = []  # by kind, for one of its accounts
        self._caused: dict[tuple[int, Service], list[Cause]] = {}
        self._named: dict[NetworkSet, str] = {}

    def shifts(self, addresses: Iterable[str] | None = None) -> list[Shift]:
        """The decisions that change for `addresses`; for all accounts of either policy where None."""
        if addresses is None:
            addresses = {**self.old.accounts, **self.new.accounts}
        found: list[Shift] = []
        for address in addresses:
            decided = self._decided[self._kind(address)]
            found += [Shift(address, *shift[1:]) for shift in decided]
        return found

    def redirections(self, addresses: Iterable[str] | None = None) -> list[Redirection]:
        """The passwords of the server and of `addresses`, or of all accounts where None, that would be sent elsewhere."""
        moved = bindings.moved(self.old, self.new, addresses)
        return [Redirection(old.owner, old.destination, new.destination) for old, new in moved.items()]

    def changes(self) -> list[Shift | Redirection]:
        """All decisions that change, and all passwords that would be sent elsewhere."""
        return [*self.shifts(), *self.redirections()]

    def direction(self, addresses: Iterable[str] | None = None) -> Access:
        """The direction of all these changes taken together; accounts that are alike are looked at once."""
        redirections = self.redirections(addresses)
        if addresses is None:
            addresses = {**self.old.accounts, **self.new.accounts}
        kinds = {self._kind(address) for address in addresses}
        return direction([*(shift for kind in kinds for shift in self._decided[kind]), *redirections])

    def causes(self, shift: Shift | Redirection) -> list[Cause]:
        """The keys that did the shift, those that do or undo all of it first, and none that pulls the other way.

        A key did it where its change alone, put into the old policy or taken back from the new one, lets in or keeps
        out an address as the shift does. There always is one, as no fact both opens and closes.
        """
        if isinstance(shift, Redirection):
            return self._redirected_by(shift.owner)
        mark = (self._kind(shift.address), shift.service)
        causes = self._caused.get(mark)
        if causes is None:
            causes = self._caused[mark] = self._find_causes(shift)
        old, new = self.old.accounts.get(shift.address), self.new.accounts.get(shift.address)
        found = []
        for cause in causes:
            account = new if cause.new else old
            if cause.key[0] == "accounts" and account is not None:
                cause = Cause((cause.key[0], account.key, *cause.key[2:]), cause.new)
            found.append(cause)
        return found

    def _redirected_by(self, owner: Owner) -> list[Cause]:
        """The keys of a destination that are not the same; a port that nobody writes follows from `tls`."""
        if owner.source is None or owner.address is None:
            server, new = self.old.server, self.new.server
            keys = {"host": server.smart_host != new.smart_host, "port": server.relay_port != new.relay_port}
            return [
                Cause(("server", "smart_host", key), f"smart_host.{key}" in new.written)
                for key, differs in keys.items()
                if differs
            ]
        account = self.new.accounts[owner.address]
        before, after = self.old.accounts[owner.address].sources[owner.source], account.sources[owner.source]
        written = {
            "host": True,
            "port": after.port != after.tls.port,
            "login": True,
            "tls": after.tls is not Source._field_defaults["tls"],
        }
        implied = before.tls is not after.tls and (before.port, after.port) == (before.tls.port, after.tls.port)
        return [
            Cause(("accounts", account.key, "sources", owner.source, key), is_written)
            for key, is_written in written.items()
            if getattr(before, key) != getattr(after, key) and not (key == "port" and implied)
        ]

    def where(self, reach: NetworkSet | str) -> str:
        """`nowhere`, `LAN`, `anywhere`, or the exact networks where the LAN is not the same in both policies.

        Of a redirection it is the destination.
        """
        if isinstance(reach, str):
            return reach
        if reach not in self._named:
            lans = {policy.server.lan for policy in (self.old, self.new) if policy is not EMPTY}
            self._named[reach] = where(reach, lans.pop() if len(lans) == 1 else None)
        return self._named[reach]

    def _kind(self, address: str) -> int:
        """The number of the accounts that are alike in both policies, among them this one."""
        kind = self._kind_of.get(address)
        if kind is None:
            old, new = self.old.accounts.get(address), self.new.accounts.get(address)
            pair = (old and old.shape, new and new.shape)
            kind = self._kinds.setdefault(pair, len(self._kinds))
            self._kind_of[address] = kind
            if kind == len(self._decided):
                self._decided.append(self._decide(address))
        return kind

    def _decide(self, address: str) -> list[Shift]:
        decided = []
        for service in Service:
            before, after = self.old.admitted(address, service), self.new.admitted(address, service)
            if before is not after and before != after:
                access = Access.WIDENED if before <= after else Access.NARROWED if after <= before else Access.BOTH
                decided.append(Shift(address, service, before, after, access))
        return decided

    def _find_causes(self, shift: Shift) -> list[Cause]:
        address, service = shift.address, shift.service
        old, new = self.old.accounts.get(address), self.new.accounts.get(address)
        if old is None or new is None:
            return [Cause(("accounts", (new or old or _NOBODY).key), new is not None)]
        before, after = _alone(self.old, old), _alone(self.new, new)
        facts = [("account", key) for key in (*SWITCHES, "suspended")] + [("server", key) for key in _SERVER_KEYS]
        wide, narrow = shift.after - shift.before, shift.before - shift.after
        parts: list[tuple[str, str]] = []  # facts that do a part of the shift
        wholes: list[tuple[str, str]] = []  # and that do or undo all of it
        for fact in facts:
            put, taken = _with(before, after, fact), _with(after, before, fact)
            if put == before:
                continue
            there, left = put.admitted(address, service), taken.admitted(address, service)
            done = (wide & there, narrow - there)
            undone = (wide - left, narrow & left)
            if (wide, narrow) in (done, undone):
                wholes.append(fact)
            elif any(done) or any(undone):
                parts.append(fact)
        return list(dict.fromkeys(self._cause(old, new, fact) for fact in wholes + parts))

    def _cause(self, old: Account, new: Account, fact: tuple[str, str]) -> Cause:
        """The key that made a fact another one."""
        layer, key = fact
        if layer == "server":
            return Cause(fact, key in self.new.server.written)
        if key == "suspended":
            return Cause(("accounts", new.key, key), new.suspended)
        return self._switch_cause(old, new, key)

    def _switch_cause(self, old: Account, new: Account, switch: str) -> Cause:
        if old.own.get(switch) is not new.own.get(switch):
            return Cause(("accounts", new.key, switch), switch in new.own)
        before = self.old.templates.get(old.template or "", {}).get(switch)
        after = self.new.templates.get(new.template or "", {}).get(switch)
        if before is after:
            return Cause(("defaults", switch), switch in self.new.defaults)
        if old.template != new.template:
            return Cause(("accounts", new.key, "template"), new.template is not None)
        return Cause(("templates", new.template or "", switch), after is not None)


_NOBODY = Account("", "", {})


def compare(old: Policy, new: Policy, addresses: Iterable[str] | None = None) -> Access:
    """The direction in which the decisions for `addresses` change; for all accounts of either policy where None."""
    return Comparison(old, new).direction(addresses)


def direction(shifts: Iterable[Shift | Redirection]) -> Access:
    """The direction of many shifts taken together."""
    directions = {shift.access for shift in shifts}
    if not directions:
        return Access.SAME
    return directions.pop() if len(directions) == 1 else Access.BOTH


def where(reach: NetworkSet, lan: NetworkSet | None) -> str:
    """`nowhere`, `anywhere`, `LAN` where the set is `lan`, else its networks."""
    if not reach:
        return "nowhere"
    if reach == ANYWHERE:
        return "anywhere"
    return "LAN" if reach == lan else str(reach)


class User(NamedTuple):
    """An account that may use a service: from where at all, and from which of the addresses asked about."""

    address: str
    admitted: NetworkSet
    there: NetworkSet


def users(policy: Policy, service: Service, region: NetworkSet = ANYWHERE) -> Iterator[User]:
    """The accounts that may use the service from some address of `region`, in the store's order."""
    known: dict[object, tuple[NetworkSet, NetworkSet]] = {}
    for address, account in policy.accounts.items():
        shape = account.shape
        if shape not in known:
            admitted = policy.admitted(address, service)
            known[shape] = (admitted, admitted & region)
        admitted, there = known[shape]
        if there:
            yield User(address, admitted, there)


def _alone(policy: Policy, account: Account) -> Policy:
    """A policy of this one account in which every switch is the account's own."""
    own = {switch: policy.setting(account, switch).value for switch in SWITCHES}
    alone = Account(account.address, account.address, own, None, account.suspended)
    return Policy(policy.server, {}, {}, {account.address: alone})


def _with(policy: Policy, other: Policy, fact: tuple[str, str]) -> Policy:
    """The policy of one account, with one fact as it is in the other policy of the same account."""
    layer, key = fact
    if layer == "server":
        return policy._replace(server=policy.server._replace(**{key: getattr(other.server, key)}))
    ((address, account),) = policy.accounts.items()
    theirs = other.accounts[address]
    changed = {"suspended": theirs.suspended} if key == "suspended" else {"own": {**account.own, key: theirs.own[key]}}
    return policy._replace(accounts={address: account._replace(**changed)})
