"""IP addresses, networks and sets of them.

The same text means the same on every Python patch level. An IPv4-mapped IPv6 address is IPv4, and an IPv6 network never
matches an IPv4 client; NAT64 and 6to4 addresses are not unwrapped. Addresses are held as packed bytes in network order,
4 or 16 of them, which sort as the addresses do.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network

from mailpolicy.policy.names import ZONE_PATTERN

Network = IPv4Network | IPv6Network
Span = tuple[bytes, bytes]

_MAPPED = bytes(10) + b"\xff\xff"
IPV4_SHAPE = re.compile(r"[0-9]+(?:\.[0-9]+){3}")


class AddressRejected(ValueError):
    """A text that is not an IP address; `reason` says why without repeating the text."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(f"{text[:60]!a} is not an IP address{hint}")
        self.reason = f"not an IP address{hint}"


def packed_address(text: str) -> bytes:
    """Return the packed IP address, an IPv4-mapped one unwrapped and a zone ID dropped. Raise AddressRejected."""
    try:
        packed = ipaddress.ip_address(text).packed
        if "%" in text and not re.fullmatch(ZONE_PATTERN, text.partition("%")[2]):  # Python takes any text for a zone
            raise ValueError
    except ValueError:
        raise AddressRejected(text, _hint(text)) from None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def packer() -> Callable[[str], bytes]:
    """Return a function like `packed_address` that is several times faster, for callers with many addresses."""
    from socket import AF_INET, AF_INET6, inet_pton

    def pack(text: str) -> bytes:
        try:
            if ":" not in text:
                return inet_pton(AF_INET, text)
            packed = inet_pton(AF_INET6, text)
        except (OSError, ValueError):
            return packed_address(text)
        return packed[12:] if packed.startswith(_MAPPED) else packed

    return pack


def _hint(text: str) -> str:
    if "/" in text:
        return ": give one address, not a network"
    if IPV4_SHAPE.fullmatch(text) and re.search(r"(?:^|\.)0[0-9]", text):
        return f": some programs read leading zeros as octal; write {without_zeros(text)}"
    if text.isascii() and re.fullmatch(r"[0-9.]+", text):
        return ": an IPv4 address has four parts from 0 to 255"
    return ""


def without_zeros(text: str) -> str:
    """Return the IPv4 address or entry without leading zeros in its parts."""
    return re.sub(r"(^|[.*/'-])0+(?=[0-9])", r"\1", text)


class NetworkSet:
    """A set of IP addresses, IPv4 and IPv6 apart, as sorted spans that neither overlap nor touch."""

    __slots__ = ("_ends", "_hash", "_starts", "spans")

    def __init__(self, spans: Iterable[Span]) -> None:
        # Spans that touch are merged too, so that equal sets have equal spans. Sorting by length keeps IPv4 and IPv6
        # apart, as packed addresses of different lengths do not compare as addresses.
        merged: list[list[bytes]] = []
        for first, last in sorted(spans, key=lambda span: (len(span[0]), span[0])):
            if merged and len(merged[-1][0]) == len(first) and first <= _after(merged[-1][1]):
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        self.spans: tuple[Span, ...] = tuple((first, last) for first, last in merged)
        self._starts = {size: [first for first, _ in self.spans if len(first) == size] for size in (4, 16)}
        self._ends = {size: [last for _, last in self.spans if len(last) == size] for size in (4, 16)}
        self._hash = hash(self.spans)

    def __contains__(self, packed: bytes) -> bool:
        """Return whether the packed address is in the set."""
        size = len(packed)
        position = bisect_right(self._starts[size], packed)
        return position > 0 and packed <= self._ends[size][position - 1]

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NetworkSet) and self.spans == other.spans

    def __hash__(self) -> int:
        return self._hash

    def __and__(self, other: NetworkSet) -> NetworkSet:
        """Return the addresses that are in both sets."""
        return NetworkSet(_intersection(self.spans, other.spans))

    def __or__(self, other: NetworkSet) -> NetworkSet:
        """Return the addresses that are in either set."""
        return NetworkSet((*self.spans, *other.spans))

    def __sub__(self, other: NetworkSet) -> NetworkSet:
        """Return the addresses of this set that are not in the other one."""
        return self & other.complement()

    def __str__(self) -> str:
        """Return the set in the notation of a LAN list: networks, single addresses, and ranges."""
        return ", ".join(_shown(span) for span in self.spans)

    def __le__(self, other: NetworkSet) -> bool:
        """Return whether every address of this set is in the other one."""
        for first, last in self.spans:
            starts = other._starts[len(first)]
            position = bisect_right(starts, first)
            if position == 0 or last > other._ends[len(first)][position - 1]:
                return False
        return True

    def networks(self) -> list[Network]:
        """Return the smallest list of networks with exactly these addresses, IPv4 first, in order."""
        found: list[Network] = []
        for first, last in self.spans:
            found += ipaddress.summarize_address_range(ipaddress.ip_address(first), ipaddress.ip_address(last))
        return found

    def complement(self) -> NetworkSet:
        """Return all addresses that are not in the set."""
        spans: list[Span] = []
        for size in (4, 16):
            position: bytes | None = bytes(size)  # the first address not yet covered; None behind the last one
            for first, last in zip(self._starts[size], self._ends[size], strict=True):
                if position is not None and position < first:
                    spans.append((position, _before(first)))
                position = None if last == b"\xff" * size else _after(last)
            if position is not None:
                spans.append((position, b"\xff" * size))
        return NetworkSet(spans)


def _before(packed: bytes) -> bytes:
    """Return the previous address; `packed` must not be the first one."""
    return (int.from_bytes(packed, "big") - 1).to_bytes(len(packed), "big")


def _shown(span: Span) -> str:
    first, last = map(ipaddress.ip_address, span)
    network, *more = ipaddress.summarize_address_range(first, last)
    return str(first) if first == last else f"{first}-{last}" if more else str(network)


def _intersection(first: Sequence[Span], second: Sequence[Span]) -> Iterator[Span]:
    """Yield the intersection of two sorted sequences of spans, each walked once."""
    left = right = 0
    while left < len(first) and right < len(second):
        (begin, end), (start, stop) = first[left], second[right]
        if len(begin) == len(start) and max(begin, start) <= min(end, stop):
            yield max(begin, start), min(end, stop)
        # The span that ends first cannot meet any further span of the other sequence.
        if (len(end), end) < (len(stop), stop):
            left += 1
        else:
            right += 1


def _after(packed: bytes) -> bytes:
    """Return the next address, or `packed` itself if it is the last one."""
    number = int.from_bytes(packed, "big") + 1
    return packed if number >> (8 * len(packed)) else number.to_bytes(len(packed), "big")


def network_of(packed: bytes) -> Network:
    """Return the network that holds this one packed address."""
    return ipaddress.ip_network(packed)


NOWHERE = NetworkSet(())
ANYWHERE = NetworkSet([(bytes(4), b"\xff" * 4), (bytes(16), b"\xff" * 16)])


def describe(networks: NetworkSet, lan: NetworkSet | None) -> str:
    """Return `nowhere`, `anywhere`, or `LAN` if the set contains `lan` and the networks that it has besides."""
    if not networks:
        return "nowhere"
    if networks == ANYWHERE:
        return "anywhere"
    if not lan or not lan <= networks:
        return str(networks)
    besides = networks - lan
    return f"LAN, {besides}" if besides else "LAN"


@lru_cache(maxsize=1024)
def union(*sets: NetworkSet) -> NetworkSet:
    """Return the addresses that are in any of the sets; the same object for the same sets, so that it is made once."""
    return NetworkSet(span for each in sets for span in each.spans)


def network_set(networks: Iterable[Network]) -> NetworkSet:
    """Return the set of all addresses of the networks."""
    return NetworkSet((network.network_address.packed, network.broadcast_address.packed) for network in networks)
