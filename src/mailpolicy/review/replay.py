"""Replay logins of the past under a policy: who would have been refused and why, and whether all come from one address.

Memory is bounded by the accounts of the store and a fixed number of other names and addresses, not by the log. If a log
has very many unknown names, only the first ones are listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from ipaddress import ip_address
from socket import AF_INET, inet_pton
from typing import NamedTuple

from mailpolicy.errors import UsageError
from mailpolicy.policy.account import Account
from mailpolicy.policy.batch import Decision, decide
from mailpolicy.policy.model import Gate, Policy
from mailpolicy.policy.names import NameRejected, account_address, line_refusal, printable
from mailpolicy.policy.networks import ANYWHERE, AddressRejected, NetworkSet, packer
from mailpolicy.policy.question import QuestionRejected, service_named
from mailpolicy.policy.service import Service
from mailpolicy.review.loginlog import LineRejected, Login, login

MAX_UNKNOWN_NAMES = 1000  # names outside the store that get a tally of their own
MAX_IPS_SHOWN = 3  # the first ones of each tally
MAX_BROKEN_SHOWN = 10  # broken lines that are reported one by one
MAX_ADDRESSES_COUNTED = 1000  # IP addresses; the rarest are dropped first
# All of the first lines are searched for a dominant address, later only a sample: enough to estimate a share.
_READ_ALL_UP_TO, _SAMPLE_EVERY = 8192, 17
DOMINANT_SHARE, MIN_LOGINS_FOR_DOMINANT = 0.9, 10  # of an address that counts as dominant
_MAX_TIME, _MAX_IP, _MAX_NAME = 40, 60, 400  # characters kept of each

_NONE: dict[str, Tally] = {}


class DominantAddress(NamedTuple):
    """An address and its share of the logins; in a long log the share is that of a sample."""

    ip: str
    share: float


class Tally:
    """The logins of one account over one service."""

    __slots__ = ("address", "always_allowed", "gate", "ips", "last", "logins", "refused", "scope", "service")

    def __init__(self, address: str, service: Service, gate: Gate | None, scope: NetworkSet) -> None:
        self.address = address
        self.service = service
        self.gate = gate
        self.scope = scope
        self.always_allowed = gate is None and scope is ANYWHERE  # from any address
        self.logins = 0
        self.refused = 0
        self.ips: tuple[str, ...] = ()  # of refused logins, as written
        self.last: str | None = None  # time of the last refused login, as written

    @property
    def reason(self) -> Gate:
        """Return the reason of the refusals."""
        return self.gate or Gate.OUTSIDE_LAN

    def refuse(self, ip: str, time: str | None, times: int = 1) -> None:
        """Count logins that would have been refused."""
        self.refused += times
        if len(self.ips) < MAX_IPS_SHOWN and ip not in self.ips:
            self.ips += (ip[:_MAX_IP],)
        if time:
            self.last = time[:_MAX_TIME].rstrip()


class Replay:
    """The tallies of a log that is fed line by line. `default_domain` completes names without an @."""

    def __init__(self, policy: Policy, default_domain: str | None = None) -> None:
        self._policy = policy
        self._default_domain = default_domain
        self._pack: Callable[[str], bytes] = packer()
        self._pack_v4: Callable[[str], bytes] = partial(inet_pton, AF_INET)
        self._tallies: dict[str, dict[str, Tally]] = {}  # by address and service, as plain text
        self._by_shape: dict[object, dict[str, Decision]] = {}  # by the shape of accounts and the service
        self._decisions: dict[str, dict[str, Decision]] = {}  # the same by address, as a shape takes long to make
        self._spelled: dict[str, dict[str, Tally]] = {}  # by name and protocol, as written
        self._limit = 2 * len(policy.accounts) + 10_000
        self._unknown = 0
        self._sources: Counter[bytes] = Counter()  # logins of the sample by IP address
        self._sampled = 0  # logins in the sample
        self.lines = 0
        self.skipped = 0
        self.broken: list[tuple[int, str]] = []  # line number and reason of the first ones
        self.broken_lines = 0
        self.not_governed: Counter[str] = Counter()  # logins over services that the policy does not govern
        self.untallied = 0  # logins of unknown names without a tally of their own

    def feed(self, lines: Iterable[str]) -> None:
        """Count the logins of these lines; the part cut off an overlong line is replaced by NULs.

        Of a long log only the first lines of each call are sampled for the dominant address.
        """
        lines = list(lines)
        sampled = len(lines) if self.lines < _READ_ALL_UP_TO else len(lines) // _SAMPLE_EVERY
        came_from: list[bytes] = []
        self._count(lines[:sampled], came_from)
        self._count(lines[sampled:], None)
        self._sources.update(came_from)
        self._sampled += len(came_from)
        if len(self._sources) > MAX_ADDRESSES_COUNTED:
            # Half are dropped, so that this sort is rare.
            self._sources = Counter(dict(self._sources.most_common(MAX_ADDRESSES_COUNTED // 2)))

    def _count(self, lines: list[str], came_from: list[bytes] | None) -> None:
        spelled, pack, pack_v4, first_seen = self._spelled, self._pack, self._pack_v4, self._first_seen
        number = self.lines
        # A log has millions of lines, so plain records are counted right here, without an object for each.
        for line in lines:
            number += 1
            fields = line.split(None, 3)
            try:
                ip = fields[2]
                tally = spelled.get(fields[0], _NONE).get(fields[1]) or first_seen(fields[0], fields[1])
                packed = pack(ip) if ":" in ip else pack_v4(ip)
            except (LookupError, ValueError, OSError, UsageError):  # not a plain record of a known account
                self._count_other(line, number)
                continue
            tally.logins += 1
            if came_from is not None:
                came_from.append(packed)
            if tally.always_allowed or (tally.gate is None and packed in tally.scope):
                continue
            if len(tally.ips) < MAX_IPS_SHOWN or len(fields) == 4:
                tally.refuse(ip, fields[3] if len(fields) == 4 else None)
            else:
                tally.refused += 1
        self.lines = number

    @property
    def logins(self) -> int:
        """Return the number of logins."""
        return sum(tally.logins for tally in self._all()) + self.untallied

    @property
    def refused(self) -> int:
        """Return the number of logins that would have been refused."""
        return sum(tally.refused for tally in self._all()) + self.untallied

    def dominant_address(self) -> DominantAddress | None:
        """Return the LAN address that nearly all logins come from, if there is one.

        It is probably a proxy or NAT, and then "LAN only" admits everybody from anywhere.
        """
        if self._sampled < MIN_LOGINS_FOR_DOMINANT:
            return None
        [(packed, found)] = self._sources.most_common(1)
        share = found / self._sampled
        if share < DOMINANT_SHARE or packed not in self._policy.server.lan:
            return None
        busiest = max(sum(tally.logins for tally in tallies.values()) for tallies in self._tallies.values())
        if share * self.logins <= busiest:  # probably the desk of one busy account
            return None
        return DominantAddress(str(ip_address(packed)), share)

    def refusals(self) -> list[Tally]:
        """Return the tallies with refused logins, the highest number first."""
        found = [tally for tally in self._all() if tally.refused]
        return sorted(found, key=lambda tally: (-tally.refused, tally.address, tally.service))

    def _all(self) -> Iterator[Tally]:
        for tallies in self._tallies.values():
            yield from tallies.values()

    def _first_seen(self, name: str, protocol: str) -> Tally:
        """Return the tally for an account and a protocol. Raise UsageError, or LookupError for another name."""
        service = service_named(protocol)
        if not self._policy.governs(service):
            raise LookupError
        tally = self._tally(name, self._policy.accounts[name], service)
        if protocol.islower():  # the number of other spellings is unbounded
            self._spelled.setdefault(name, {})[protocol] = tally
        return tally

    def _tally(self, address: str, account: Account | None, service: Service) -> Tally:
        tallies = self._tallies.get(address)
        if tallies is None:
            tallies = self._tallies[address] = {}
            shape = account.shape if account is not None else None
            self._decisions[address] = self._by_shape.setdefault(shape, {})
        text = str(service)  # an enum member hashes many times slower
        tally = tallies.get(text)
        if tally is None:
            decisions = self._decisions[address]
            known = decisions.get(text)
            if known is None:
                known = decisions[text] = decide(self._policy, address, service)
            tally = tallies[text] = Tally(address, service, *known)
        return tally

    def _count_other(self, line: str, number: int) -> None:
        record = None
        try:
            record = login(line)
            if record is None:
                self.skipped += 1
                return
            packed = self._pack(record.ip)
            tally = self._spelled.get(record.name, _NONE).get(record.protocol)
            if tally is None:
                service = service_named(record.protocol)
                address, possible = self._address(record)
                if not self._policy.governs(service):
                    self.not_governed[str(service)] += record.times
                    return
                tally = self._of_record(record, service, address, possible=possible)
        except (LineRejected, AddressRejected, QuestionRejected) as error:
            self.broken_lines += 1
            if len(self.broken) < MAX_BROKEN_SHOWN:
                why = str(error) if isinstance(error, LineRejected) else error.reason
                self.broken.append((number, why if record is None or record.by_server else line_refusal(line, why)))
            return
        if tally is None:
            self.untallied += record.times
            return
        tally.logins += record.times
        if number < _READ_ALL_UP_TO or not number % _SAMPLE_EVERY:
            self._sources[packed] += record.times
            self._sampled += record.times
        if tally.gate is not None or packed not in tally.scope:
            tally.refuse(record.ip, record.time, record.times)

    def _of_record(self, record: Login, service: Service, address: str, *, possible: bool) -> Tally | None:
        """Return the tally of a record, or None if too many unknown names have one already."""
        account = self._policy.accounts.get(address)
        if account is None and str(service) not in self._tallies.get(address, _NONE):
            if self._unknown >= MAX_UNKNOWN_NAMES:
                return None
            self._unknown += 1
        tally = self._tally(address, account, service)
        if len(self._spelled) >= self._limit:
            self._spelled.clear()
        # The number of other spellings is unbounded, and only servers log impossible names.
        if possible and len(record.name) <= _MAX_NAME and record.protocol.islower():
            self._spelled.setdefault(record.name, {})[record.protocol] = tally
        return tally

    def _address(self, record: Login) -> tuple[str, bool]:
        """Return the address of a record, and whether a store could have it."""
        name = record.name
        if name in self._policy.accounts:
            return name, True
        if self._default_domain is not None and "@" not in name:
            name = f"{name}@{self._default_domain}"
        try:
            return account_address(name), True
        except NameRejected as error:
            if record.by_server:  # somebody logged in under this name, so it must not be dropped as malformed
                return printable(name[:80]), False
            raise QuestionRejected(str(error), "not an address") from None
