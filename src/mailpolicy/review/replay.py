"""Logins of the past under this policy: who would have been refused, and why; whether all come from one address.

Promises: memory is bounded by the store's accounts and a fixed number of other names and addresses, not by the log.
Not promised: which of very many unknown names are told one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from ipaddress import ip_address
from socket import AF_INET, inet_pton
from typing import NamedTuple

from mailpolicy.errors import UsageError
from mailpolicy.policy.model import Account, Gate, Policy
from mailpolicy.policy.names import NameRejected, account_address, line_refusal, printable
from mailpolicy.policy.networks import ANYWHERE, AddressRejected, NetworkSet, packer
from mailpolicy.policy.service import Service
from mailpolicy.policy.verdict import QuestionRejected, Standing, service_named, standing
from mailpolicy.review.loginlog import LineRejected, Login, login

MOST_UNKNOWN = 1000  # names that are not in the store and have a tally of their own
MOST_IPS = 3  # of each tally, the first ones
MOST_BROKEN = 10  # broken lines that are told one by one
MOST_SOURCES = 1000  # addresses that are counted; the rarest are forgotten first
# Up to so many lines all of them are looked at for where they came from, then one of some: enough for a share.
_ALL_UP_TO, _SAMPLED = 8192, 17
NEARLY_ALL, FEWEST_LOGINS = 0.9, 10  # what makes an address everybody's
_LONGEST_TIME, _LONGEST_IP, _LONGEST_NAME = 40, 60, 400  # characters that are kept

_NONE: dict[str, Tally] = {}


class Source(NamedTuple):
    """An address and which share of the logins came from it, of very many as a sample says."""

    ip: str
    share: float


class Tally:
    """The logins of one account over one service."""

    __slots__ = ("address", "closed", "free", "ips", "last", "logins", "reach", "refused", "service")

    def __init__(self, address: str, service: Service, closed: Gate | None, reach: NetworkSet) -> None:
        self.address = address
        self.service = service
        self.closed = closed
        self.reach = reach
        self.free = closed is None and reach is ANYWHERE  # let in from wherever
        self.logins = 0
        self.refused = 0
        self.ips: tuple[str, ...] = ()  # some that would have been refused, as they were written
        self.last: str | None = None  # when the last one was that would have been refused, as it was written

    @property
    def reason(self) -> Gate:
        """Why the refused ones would have been refused."""
        return self.closed or Gate.OUTSIDE_LAN

    def refuse(self, ip: str, time: str | None, times: int = 1) -> None:
        """Count a login that would have been refused."""
        self.refused += times
        if len(self.ips) < MOST_IPS and ip not in self.ips:
            self.ips += (ip[:_LONGEST_IP],)
        if time:
            self.last = time[:_LONGEST_TIME].rstrip()


class Replay:
    """The tallies of a log that is fed line by line. `default_domain` completes names without an @."""

    def __init__(self, policy: Policy, default_domain: str | None = None) -> None:
        self._policy = policy
        self._default_domain = default_domain
        self._pack: Callable[[str], bytes] = packer()
        self._pack_v4: Callable[[str], bytes] = partial(inet_pton, AF_INET)
        self._tallies: dict[str, dict[str, Tally]] = {}  # by the address and the service, both as plain text
        self._standings: dict[
            object, dict[str, Standing]
        ] = {}  # by what accounts alike have in common, and the service
        self._spelled: dict[str, dict[str, Tally]] = {}  # by the name and the protocol as they were written
        self._limit = 2 * len(policy.accounts) + 10_000
        self._unknown = 0
        self._sources: Counter[bytes] = Counter()  # of the logins looked at, how many came from each address
        self._sampled = 0  # how many those are
        self.lines = 0
        self.skipped = 0
        self.broken: list[tuple[int, str]] = []  # the first ones: line and reason
        self.broken_lines = 0
        self.beyond = 0  # logins of unknown names that have no tally of their own

    def feed(self, lines: Iterable[str]) -> None:
        """Count the logins of the lines; what was cut off a line that is too long stands in NULs.

        Of a long log only the beginning of each part is looked at for where the logins come from.
        """
        lines = list(lines)
        looked_at = len(lines) if self.lines < _ALL_UP_TO else len(lines) // _SAMPLED
        came_from: list[bytes] = []
        self._count(lines[:looked_at], came_from)
        self._count(lines[looked_at:], None)
        self._sources.update(came_from)
        self._sampled += len(came_from)
        if len(self._sources) > MOST_SOURCES:
            self._sources = Counter(dict(self._sources.most_common(MOST_SOURCES // 2)))

    def _count(self, lines: list[str], came_from: list[bytes] | None) -> None:
        spelled, pack, pack_v4, first_seen = self._spelled, self._pack, self._pack_v4, self._first_seen
        number = self.lines
        for line in lines:
            number += 1
            fields = line.split(None, 3)
            try:
                ip = fields[2]
                tally = spelled.get(fields[0], _NONE).get(fields[1]) or first_seen(fields[0], fields[1])
                packed = pack(ip) if ":" in ip else pack_v4(ip)
            except (LookupError, ValueError, OSError, UsageError):  # no plain record of an account
                self._take(line, number)
                continue
            tally.logins += 1
            if came_from is not None:
                came_from.append(packed)
            if tally.free or (tally.closed is None and packed in tally.reach):
                continue
            if len(tally.ips) < MOST_IPS or len(fields) == 4:
                tally.refuse(ip, fields[3] if len(fields) == 4 else None)
            else:
                tally.refused += 1
        self.lines = number

    @property
    def logins(self) -> int:
        """How many logins there were."""
        return sum(tally.logins for tally in self._all()) + self.beyond

    @property
    def refused(self) -> int:
        """How many of them would have been refused."""
        return sum(tally.refused for tally in self._all()) + self.beyond

    def everybody(self) -> Source | None:
        """The one address of the LAN that nearly all logins come from, if there is one.

        Behind a proxy or NAT "from the LAN only" then lets everybody in from anywhere.
        """
        if self._sampled < FEWEST_LOGINS:
            return None
        [(packed, found)] = self._sources.most_common(1)
        share = found / self._sampled
        if share < NEARLY_ALL or packed not in self._policy.server.lan:
            return None
        busiest = max(sum(tally.logins for tally in tallies.values()) for tallies in self._tallies.values())
        if share * self.logins <= busiest:  # perhaps one account's desk
            return None
        return Source(str(ip_address(packed)), share)

    def refusals(self) -> list[Tally]:
        """The tallies with logins that would have been refused, the most first."""
        found = [tally for tally in self._all() if tally.refused]
        return sorted(found, key=lambda tally: (-tally.refused, tally.address, tally.service))

    def _all(self) -> Iterator[Tally]:
        for tallies in self._tallies.values():
            yield from tallies.values()

    def _first_seen(self, name: str, protocol: str) -> Tally:
        """The tally for an account's own address and a protocol. Raises UsageError, and LookupError for another name."""
        service = service_named(protocol)
        tally = self._tally(name, self._policy.accounts[name], service)
        if protocol.islower():  # other spellings are without number
            self._spelled.setdefault(name, {})[protocol] = tally
        return tally

    def _tally(self, address: str, account: Account | None, service: Service) -> Tally:
        tallies = self._tallies.get(address)
        if tallies is None:
            tallies = self._tallies[address] = {}
        text = str(service)  # an enumeration's own hash is many times slower
        tally = tallies.get(text)
        if tally is None:
            shape = account.shape if account is not None else None
            alike = self._standings.get(shape)
            if alike is None:
                alike = self._standings[shape] = {}
            known = alike.get(text)
            if known is None:
                known = alike[text] = standing(self._policy, address, service)
            tally = tallies[text] = Tally(address, service, *known)
        return tally

    def _take(self, line: str, number: int) -> None:
        record = None
        try:
            record = login(line)
            if record is None:
                self.skipped += 1
                return
            packed = self._pack(record.ip)
            tally = self._spelled.get(record.name, _NONE).get(record.protocol) or self._of_record(record)
        except (LineRejected, AddressRejected, QuestionRejected) as error:
            self.broken_lines += 1
            if len(self.broken) < MOST_BROKEN:
                why = str(error) if isinstance(error, LineRejected) else error.reason
                self.broken.append((number, why if record is None or record.dovecot else line_refusal(line, why)))
            return
        if tally is None:
            self.beyond += record.times
            return
        tally.logins += record.times
        if number < _ALL_UP_TO or not number % _SAMPLED:
            self._sources[packed] += record.times
            self._sampled += record.times
        if tally.closed is not None or packed not in tally.reach:
            tally.refuse(record.ip, record.time, record.times)

    def _of_record(self, record: Login) -> Tally | None:
        """The tally that a new spelling belongs to; None where there are too many unknown names already."""
        service = service_named(record.protocol)
        address, possible = self._address(record)
        account = self._policy.accounts.get(address)
        if account is None and str(service) not in self._tallies.get(address, _NONE):
            if self._unknown >= MOST_UNKNOWN:
                return None
            self._unknown += 1
        tally = self._tally(address, account, service)
        if len(self._spelled) >= self._limit:
            self._spelled.clear()
        # Other spellings are without number, and an impossible name is one of Dovecot's only.
        if possible and len(record.name) <= _LONGEST_NAME and record.protocol.islower():
            self._spelled.setdefault(record.name, {})[record.protocol] = tally
        return tally

    def _address(self, record: Login) -> tuple[str, bool]:
        """The address that a record is about, and whether a store could have it."""
        name = record.name
        if name in self._policy.accounts:
            return name, True
        if self._default_domain is not None and "@" not in name:
            name = f"{name}@{self._default_domain}"
        try:
            return account_address(name), True
        except NameRejected as error:
            if record.dovecot:  # somebody got in by this name
                return printable(name[:80]), False
            raise QuestionRejected(str(error), "not an address") from None
