"""LAN entries and IP addresses: what a text means, and whether one lies within the other.

Promises: the same meaning on every Python patch level (`ipaddress.is_private` is never asked); an IPv4-mapped IPv6
address or entry is IPv4; an IPv6 entry never matches an IPv4 client. Not promised: NAT64 and 6to4 are not unwrapped.
Addresses are held as their packed bytes in network order, 4 or 16 of them, which compare as the addresses do.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Network = IPv4Network | IPv6Network
Span = tuple[bytes, bytes]

# What `lan reset` writes: the ranges that RFC 1122, 1918, 3927, 4193 and 4291 reserve for local use.
RESERVED = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
)
_MAPPED = bytes(10) + b"\xff\xff"
_LOCAL_IPV6 = (IPv6Network("fc00::/7"), IPv6Network("fe80::/10"))
_LARGEST = {4: 1 << 24, 6: 1 << 112}  # addresses in one entry: an IPv4 /8, an IPv6 /16
_IPV4_SHAPE = re.compile(r"[0-9]+(?:\.[0-9]+){3}")


class AddressRejected(ValueError):
    """A text that is not an IP address; the text says why."""


class EntryRejected(ValueError):
    """A LAN entry that means nothing or too much; `kind` says which rule it breaks, the text what to write instead."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def packed_address(text: str) -> bytes:
    """The packed form of an IP address, an IPv4-mapped one unwrapped and a zone id dropped. Raises AddressRejected."""
    try:
        packed = ipaddress.ip_address(text).packed
    except ValueError:
        raise AddressRejected(f"{text[:60]!a} is not an IP address{_hint(text)}") from None
    return packed[12:] if packed.startswith(_MAPPED) else packed


def packer() -> Callable[[str], bytes]:
    """A function that does what `packed_address` does several times faster; worth its import for many addresses."""
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
    if _IPV4_SHAPE.fullmatch(text) and re.search(r"(?:^|\.)0[0-9]", text):
        return f": leading zeros are read as octal by some programs, write {_without_zeros(text)}"
    if text.isascii() and re.fullmatch(r"[0-9.]+", text):
        return ": an IPv4 address has four parts from 0 to 255"
    return ""


def _without_zeros(text: str) -> str:
    return re.sub(r"(^|[.*/'-])0+(?=[0-9])", r"\1", text)


class NetworkSet:
    """A set of IP addresses, IPv4 and IPv6 apart, as sorted spans that neither overlap nor touch."""

    __slots__ = ("_ends", "_starts", "spans")

    def __init__(self, spans: Iterable[Span]) -> None:
        merged: list[list[bytes]] = []
        for first, last in sorted(spans, key=lambda span: (len(span[0]), span[0])):
            if merged and len(merged[-1][0]) == len(first) and first <= _after(merged[-1][1]):
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        self.spans: tuple[Span, ...] = tuple((first, last) for first, last in merged)
        self._starts = {size: [first for first, _ in self.spans if len(first) == size] for size in (4, 16)}
        self._ends = {size: [last for _, last in self.spans if len(last) == size] for size in (4, 16)}

    def __contains__(self, packed: bytes) -> bool:
        """Whether the packed address is in the set."""
        size = len(packed)
        position = bisect_right(self._starts[size], packed)
        return position > 0 and packed <= self._ends[size][position - 1]

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NetworkSet) and self.spans == other.spans

    def __hash__(self) -> int:
        return hash(self.spans)

    def __le__(self, other: NetworkSet) -> bool:
        """Whether every address of this set is in the other one."""
        for first, last in self.spans:
            starts = other._starts[len(first)]
            position = bisect_right(starts, first)
            if position == 0 or last > other._ends[len(first)][position - 1]:
                return False
        return True

    def networks(self) -> list[Network]:
        """The fewest networks that hold just these addresses, IPv4 first, in order."""
        found: list[Network] = []
        for first, last in self.spans:
            found += ipaddress.summarize_address_range(ipaddress.ip_address(first), ipaddress.ip_address(last))
        return found

    def complement(self) -> NetworkSet:
        """All addresses that are not in the set."""
        spans: list[Span] = []
        for size in (4, 16):
            position: bytes | None = bytes(size)
            for first, last in zip(self._starts[size], self._ends[size], strict=True):
                if position is not None and position < first:
                    spans.append((position, _before(first)))
                position = None if last == b"\xff" * size else _after(last)
            if position is not None:
                spans.append((position, b"\xff" * size))
        return NetworkSet(spans)


def _before(packed: bytes) -> bytes:
    """The address before `packed`, which is not the first one."""
    return (int.from_bytes(packed, "big") - 1).to_bytes(len(packed), "big")


def _after(packed: bytes) -> bytes:
    """The next address, or `packed` itself where it is the last one."""
    number = int.from_bytes(packed, "big") + 1
    return packed if number >> (8 * len(packed)) else number.to_bytes(len(packed), "big")


NOWHERE = NetworkSet(())
ANYWHERE = NetworkSet([(bytes(4), b"\xff" * 4), (bytes(16), b"\xff" * 16)])


def network_set(networks: Iterable[Network]) -> NetworkSet:
    """The set of all addresses of the networks."""
    return NetworkSet((network.network_address.packed, network.broadcast_address.packed) for network in networks)


_RESERVED_SET = network_set(ipaddress.ip_network(text) for text in RESERVED)


def is_reserved(networks: Iterable[Network]) -> bool:
    """Whether every address of the networks lies in the ranges reserved for local use."""
    return network_set(networks) <= _RESERVED_SET


def lan_entry(text: str) -> tuple[Network, ...]:
    """The networks that one entry of the LAN list stands for: CIDR, address, range `a-b` or trailing IPv4 wildcards.

    Raises EntryRejected.
    """
    shown = ascii(text[:80])
    if "%" in text:
        raise EntryRejected(
            "zone", f"{shown} has a zone id, which only one host understands: write {text.partition('%')[0]!a}"
        )
    if "*" in text:
        networks = _wildcard(text, shown)
    elif "-" in text:
        networks = _range(text, shown)
    elif "/" in text:
        networks = (_cidr(text, shown),)
    else:
        networks = (ipaddress.ip_network(_plain_address(text, shown)),)
    for network in networks:
        _refuse_too_large(network.network_address, network.broadcast_address, shown)
    return networks


def _refuse_too_large(first: IPv4Address | IPv6Address, last: IPv4Address | IPv6Address, shown: str) -> None:
    if any(first in local and last in local for local in _LOCAL_IPV6):
        return
    if int(last) - int(first) + 1 > _LARGEST[first.version]:
        most = "an IPv4 /8" if first.version == 4 else "an IPv6 /16"
        raise EntryRejected(
            "too-large",
            f"{shown} holds more addresses than {most}, which is no LAN: "
            "to let accounts in from everywhere use `anywhere`, else write the networks one by one",
        )


def _address(text: str, shown: str) -> IPv4Address | IPv6Address:
    """The address as it is written, not unwrapped. Raises EntryRejected."""
    if _IPV4_SHAPE.fullmatch(text) and re.search(r"(?:^|\.)0[0-9]", text):
        raise EntryRejected(
            "leading-zeros",
            f"{shown} has leading zeros, which some programs read as octal: write {_without_zeros(shown)}",
        )
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise EntryRejected(
            "not-a-network",
            f"{shown} is not a network: write a CIDR such as '10.0.0.0/8', an address, a range 'a-b' or '192.168.*.*'",
        ) from None


def _plain_address(text: str, shown: str) -> IPv4Address | IPv6Address:
    address = _address(text, shown)
    return getattr(address, "ipv4_mapped", None) or address


def _cidr(text: str, shown: str) -> Network:
    base, _, length = text.partition("/")
    address = _address(base, shown)
    if not re.fullmatch("[0-9]{1,3}", length):
        try:
            suggestion = str(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise EntryRejected(
                "not-a-network", f"{shown} is not a network: after the / stands a number of bits"
            ) from None
        raise EntryRejected("netmask", f"{shown} has a netmask: write {suggestion!a}")
    if length != str(int(length)):
        raise EntryRejected("leading-zeros", f"{shown} has leading zeros: write '{base}/{int(length)}'")
    if int(length) > address.max_prefixlen:
        raise EntryRejected(
            "not-a-network",
            f"{shown} is not a network: an IPv{address.version} prefix has at most {address.max_prefixlen} bits",
        )
    network = ipaddress.ip_network((address, int(length)), strict=False)
    if network.network_address != address:
        raise EntryRejected(
            "host-bits",
            f"{shown} has host bits set: write {str(network)!a} for the network or {base!a} for the one address",
        )
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped is not None:
        return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network


def _wildcard(text: str, shown: str) -> tuple[Network, ...]:
    parts = text.split(".")
    fixed = [part for part in parts if part != "*"]
    if ":" in text or len(parts) != 4 or not all(re.fullmatch(r"[0-9]{1,3}|\*", part) for part in parts):
        raise EntryRejected(
            "not-a-network", f"{shown} is not a network: a wildcard entry has four parts, such as '192.168.*.*'"
        )
    if "*" in parts[: len(fixed)]:
        raise EntryRejected(
            "wildcard",
            f"{shown} has a wildcard in the middle: only the last parts may be *, write one entry for each network",
        )
    zeros = 4 - len(fixed)
    base = ".".join([*fixed, *["0"] * zeros])
    if re.search(r"(?:^|\.)0[0-9]", base):
        raise EntryRejected(
            "leading-zeros",
            f"{shown} has leading zeros, which some programs read as octal: write {_without_zeros(shown)}",
        )
    address = _address(base, shown)
    return (ipaddress.ip_network((address, 32 - 8 * zeros)),)


def _range(text: str, shown: str) -> tuple[Network, ...]:
    left, _, right = text.partition("-")
    if left != left.strip() or right != right.strip():
        raise EntryRejected("not-a-network", f"{shown} has white space in it: write '{left.strip()}-{right.strip()}'")
    first, last = _plain_address(left, shown), _plain_address(right, shown)
    if first.version != last.version:
        raise EntryRejected("range", f"{shown} mixes IPv4 and IPv6: write one range for each")
    if int(last) < int(first):
        raise EntryRejected("range", f"{shown} runs backwards: write '{last}-{first}'")
    _refuse_too_large(first, last, shown)
    return tuple(ipaddress.summarize_address_range(first, last))
