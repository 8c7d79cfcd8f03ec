"""LAN entries: which networks a written one stands for, and which of them are reserved for local use.

Promises: what an entry may not say is refused with what to write instead; an IPv4-mapped entry is IPv4;
`ipaddress.is_private`, which differs between Python patch levels, is never asked.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from mailpolicy.networks import (
    IPV4_SHAPE,
    AddressRejected,
    Network,
    NetworkSet,
    network_set,
    packed_address,
    without_zeros,
)

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
_LOCAL_IPV6 = (IPv6Network("fc00::/7"), IPv6Network("fe80::/10"))
_LARGEST = {4: 1 << 24, 6: 1 << 112}  # addresses in one entry: an IPv4 /8, an IPv6 /16


class EntryRejected(ValueError):
    """A LAN entry that means nothing or too much; `kind` says which rule it breaks, the text what to write instead."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


_RESERVED_SET = network_set(ipaddress.ip_network(text) for text in RESERVED)


def is_reserved(networks: Iterable[Network]) -> bool:
    """Whether every address of the networks lies in the ranges reserved for local use."""
    return network_set(networks) <= _RESERVED_SET


def lan_entry(text: str) -> tuple[Network, ...]:
    """The networks that one entry of the LAN list stands for: CIDR, address, range `a-b` or trailing IPv4 wildcards.

    Raises EntryRejected.
    """
    networks = _written(text)
    _refuse_too_large(networks[0].network_address, networks[-1].broadcast_address, ascii(text[:80]))
    return networks


def region(text: str) -> NetworkSet:
    """The addresses that a text asks about: one IP address, or a network as in the LAN list but of any size.

    Raises EntryRejected. An IPv4-mapped address is unwrapped and the zone id of an address dropped, as for a client.
    """
    with suppress(AddressRejected):
        packed = packed_address(text)
        return NetworkSet([(packed, packed)])
    return network_set(_written(text))


def _written(text: str) -> tuple[Network, ...]:
    shown = ascii(text[:80])
    if "%" in text:
        raise EntryRejected(
            "zone", f"{shown} has a zone id, which only one host understands: write {text.partition('%')[0]!a}"
        )
    if "*" in text:
        return _wildcard(text, shown)
    if "-" in text:
        return _range(text, shown)
    if "/" in text:
        return (_cidr(text, shown),)
    return (ipaddress.ip_network(_plain_address(text, shown)),)


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
    if IPV4_SHAPE.fullmatch(text) and re.search(r"(?:^|\.)0[0-9]", text):
        raise EntryRejected(
            "leading-zeros",
            f"{shown} has leading zeros, which some programs read as octal: write {without_zeros(shown)}",
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
            f"{shown} has leading zeros, which some programs read as octal: write {without_zeros(shown)}",
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
    return tuple(ipaddress.summarize_address_range(first, last))
