"""Parse LAN entries, and tell which networks are reserved for local use.

A rejected entry gets a message with a valid form to write instead. An IPv4-mapped entry becomes IPv4.
`ipaddress.is_private` is never used, as it differs between Python patch levels.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from mailpolicy.policy.networks import (
    IPV4_SHAPE,
    AddressRejected,
    Network,
    NetworkSet,
    network_set,
    packed_address,
    without_zeros,
)

# The entries that `lan reset` writes: the ranges that RFC 1122, 1918, 3927, 4193 and 4291 reserve for local use.
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
_MAX_ADDRESSES = {4: 1 << 24, 6: 1 << 112}  # in one entry: an IPv4 /8, an IPv6 /16
# Prefixes whose addresses stand for IPv4 ones, and how many bits follow those 32. Source: RFC 6052, 8215, 4291 and 3056;
# in the second prefix the site chooses, so none is assumed.
_TRANSLATING = (
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("64:ff9b:1::/48"), 0),
    (IPv6Network("::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
_MAX_PARTS = 20  # entries in one string that are checked one by one
_EXAMPLES = "a CIDR such as '10.0.0.0/8', an address, a range 'a-b' or '192.168.*.*'"


class EntryRejected(ValueError):
    """An invalid or too large LAN entry; `kind` is the rule that it breaks, the text says what to write instead.

    `forms` are valid entries that may have been meant.
    """

    def __init__(self, kind: str, message: str, forms: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.forms = forms


def _rejected(kind: str, text: str, why: str, *meant: str, otherwise: str = f"write {_EXAMPLES}") -> EntryRejected:
    """Return the error for an entry: write the valid forms of `meant`, or `otherwise` if there are none."""
    forms = tuple(form for candidate in meant for form in _valid_forms(candidate))
    fix = f"write {' or '.join(map(ascii, forms))}" if forms else otherwise
    return EntryRejected(kind, f"{text[:80]!a} {why}: {fix}", forms)


def _valid_forms(text: str, *, foreign: bool = False) -> tuple[str, ...]:
    """Return the valid forms of an entry: itself if it is valid; `foreign` also reads other programs' notations."""
    try:
        networks = _written(text) if foreign else _own(text)
        _refuse_too_large(networks[0].network_address, networks[-1].broadcast_address, text)
    except EntryRejected as error:
        return error.forms
    return (text,)


_RESERVED_SET = network_set(ipaddress.ip_network(text) for text in RESERVED)


def is_reserved(networks: Iterable[Network]) -> bool:
    """Return whether all addresses of the networks lie in the ranges reserved for local use."""
    return network_set(networks) <= _RESERVED_SET


def lan_entry(text: str) -> tuple[Network, ...]:
    """Return the networks of a LAN entry: CIDR, address, range `a-b` or trailing IPv4 wildcards. Raise EntryRejected."""
    networks = _written(text)
    _refuse_too_large(networks[0].network_address, networks[-1].broadcast_address, text)
    return networks


def region(text: str) -> NetworkSet:
    """Return the addresses of an IP address, or of a network as in the LAN list but of any size. Raise EntryRejected.

    As for a client, an IPv4-mapped address is unwrapped and a zone ID is dropped.
    """
    with suppress(AddressRejected):
        packed = packed_address(text)
        return NetworkSet([(packed, packed)])
    return network_set(_written(text))


def _written(text: str) -> tuple[Network, ...]:
    try:
        return _own(text)
    except EntryRejected as error:
        foreign = _foreign(text) if error.kind == "not-a-network" and not error.forms else None
        if foreign is not None and foreign.forms:
            raise foreign from None
        raise


def _own(text: str) -> tuple[Network, ...]:
    """Return the networks of an entry in one of the four forms. Raise EntryRejected."""
    if "%" in text:
        address, _, rest = text.partition("%")
        length = f"/{rest.partition('/')[2]}" if "/" in rest else ""
        raise _rejected("zone", text, "has a zone ID, which has a meaning on one host only", f"{address}{length}")
    if "*" in text:
        return _wildcard(text)
    if "-" in text:
        return _range(text)
    if "/" in text:
        return (_cidr(text),)
    return (ipaddress.ip_network(_plain_address(text)),)


def _foreign(text: str) -> EntryRejected | None:
    """Return the error for an entry in another program's notation, or None if it is in none of them."""
    kind = "not-a-network"
    # Lists copied from Postfix's mynetworks or a spreadsheet have separators at their ends or between entries.
    parts = [part for part in re.split(r"[\s,;]+", text) if part]
    if len(parts) == 1 and parts[0] != text:
        forms = _valid_forms(parts[0], foreign=True)
        return _rejected(kind, text, "begins or ends with white space or a separator", *forms)
    if len(parts) == 2 and IPV4_SHAPE.fullmatch(parts[1]) and parts[1].startswith("255."):
        return _rejected("netmask", text, "has a netmask", "/".join(parts))
    if len(parts) > 1 and all(each := [_valid_forms(part, foreign=True)[:1] for part in parts[:_MAX_PARTS]]):
        forms = tuple(form for (form,) in each)
        each_form = " and ".join(map(ascii, forms))
        return EntryRejected(kind, f"{text[:80]!a} holds more than one entry: write {each_form} separately", forms)
    # Postfix writes IPv6 networks as [::1]/128.
    if "[" in text and (bare := re.sub(r"[\[\]]", "", text)) != text:
        return _rejected(kind, text, "has brackets", bare)
    # tcp_wrappers and Apache write 192.168. for a prefix, and routers 10/8.
    if match := re.fullmatch(r"((?:[0-9]{1,3}\.){1,2}[0-9]{1,3}|[0-9]{1,3})\.?(/[0-9]+)?", text):
        parts, length = match[1].split("."), match[2]
        fill = "0" if length else "*"
        whole = ".".join([*parts, *[fill] * (4 - len(parts))])
        return _rejected(kind, text, "is only the beginning of an address", f"{whole}{length or ''}")
    if match := re.fullmatch(r"((?:[0-9]{1,3}\.){1,3})((?:[x*]\.)*[x*])\.?", text):
        parts = match[1].split(".")[:-1]
        whole = ".".join([*parts, *["*"] * (4 - len(parts))])
        return _rejected(kind, text, "does not have four parts, each 0 to 255 or *", whole)
    # nmap and DHCP servers write 192.168.1.10-20.
    if match := re.fullmatch(r"((?:[0-9]{1,3}\.){3})([0-9]{1,3})-([0-9]{1,3})", text):
        return _rejected(kind, text, "ends in half an address", f"{match[1]}{match[2]}-{match[1]}{match[3]}")
    if match := re.fullmatch(r"((?:[0-9A-Fa-f]{1,4}:){1,7})[:*]*\*", text):
        length = 16 * match[1].count(":")
        return _rejected(kind, text, "has a wildcard, which only IPv4 entries may have", f"{match[1]}:/{length}")
    return None


def _refuse_too_large(first: IPv4Address | IPv6Address, last: IPv4Address | IPv6Address, text: str) -> None:
    # These two prefixes are larger than the limit, but no packet from the internet can come from them.
    if any(first in local and last in local for local in _LOCAL_IPV6):
        return
    if int(last) - int(first) + 1 > _MAX_ADDRESSES[first.version]:
        most = "an IPv4 /8" if first.version == 4 else "an IPv6 /16"
        raise _too_large(text, f"more addresses than {most}")
    if first.version == 4:
        return
    for prefix, behind in _TRANSLATING:
        low, high = max(int(first), int(prefix[0])), min(int(last), int(prefix[-1]))
        if (high >> behind) - (low >> behind) + 1 > _MAX_ADDRESSES[4]:
            raise _too_large(text, f"more than an IPv4 /8 of addresses translated into {prefix}")


def _too_large(text: str, why: str) -> EntryRejected:
    fix = "to allow access from everywhere use `anywhere`, otherwise list the networks one by one"
    return _rejected("too-large", text, f"is too large ({why})", otherwise=fix)


def _address(text: str, entry: str) -> IPv4Address | IPv6Address:
    """Return an address of the entry, not unwrapped. Raise EntryRejected."""
    if IPV4_SHAPE.fullmatch(text) and re.search(r"(?:^|\.)0[0-9]", text):
        raise _leading_zeros(entry)
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise _rejected("not-a-network", entry, "is not a network") from None


def _leading_zeros(entry: str) -> EntryRejected:
    why = "has leading zeros, which some programs read as octal"
    return _rejected("leading-zeros", entry, why, without_zeros(entry))


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return getattr(address, "ipv4_mapped", None) or address


def _plain_address(text: str, entry: str | None = None) -> IPv4Address | IPv6Address:
    return _unwrapped(_address(text, entry or text))


def _cidr(text: str) -> Network:
    base, _, length = text.partition("/")
    address = _address(base, text)
    if not re.fullmatch("[0-9]{1,3}", length):
        try:
            meant = str(ipaddress.ip_network(text, strict=False))
        except ValueError:
            why = "is not a network, as the / is not followed by a number of bits"
            raise _rejected("not-a-network", text, why) from None
        raise _rejected("netmask", text, "has a netmask", meant)
    if length != str(int(length)):
        raise _rejected("leading-zeros", text, "has leading zeros", f"{base}/{int(length)}")
    if int(length) > address.max_prefixlen:
        why = f"is not a network: an IPv{address.version} prefix has at most {address.max_prefixlen} bits"
        raise EntryRejected("not-a-network", f"{text[:80]!a} {why}")
    network = ipaddress.ip_network((address, int(length)), strict=False)
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped is not None:
        network = IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
        address = _unwrapped(address)
    if network.network_address != address:
        raise _host_bits(text, network, address)
    return network


def _host_bits(text: str, network: Network, address: IPv4Address | IPv6Address) -> EntryRejected:
    whole, one = str(network), str(address)
    if not _valid_forms(whole):
        return _rejected("host-bits", text, "has host bits set", one)
    fix = f"write {whole!a} for the network or {one!a} for the single address"
    return EntryRejected("host-bits", f"{text[:80]!a} has host bits set: {fix}", (whole, one))


def _wildcard(text: str) -> tuple[Network, ...]:
    parts = text.split(".")
    fixed = [part for part in parts if part != "*"]
    if ":" in text or len(parts) != 4 or not all(re.fullmatch(r"[0-9]{1,3}|\*", part) for part in parts):
        why = "is not a network, as a wildcard entry has four parts"
        raise _rejected("not-a-network", text, why, otherwise="write one such as '192.168.*.*'")
    if "*" in parts[: len(fixed)]:
        fix = "only the last parts may be *; write one entry for each network"
        raise _rejected("wildcard", text, "has a wildcard in the middle", otherwise=fix)
    zeros = 4 - len(fixed)
    base = ".".join([*fixed, *["0"] * zeros])
    address = _address(base, text)
    return (ipaddress.ip_network((address, 32 - 8 * zeros)),)


def _range(text: str) -> tuple[Network, ...]:
    left, _, right = text.partition("-")
    if left != left.strip() or right != right.strip():
        forms = _valid_forms(f"{left.strip()}-{right.strip()}", foreign=True)
        raise _rejected("not-a-network", text, "contains white space", *forms)
    first, last = _plain_address(left, text), _plain_address(right, text)
    if first.version != last.version:
        raise _rejected("range", text, "mixes IPv4 and IPv6", otherwise="write one range for each")
    if int(last) < int(first):
        raise _rejected("range", text, "runs backwards", f"{last}-{first}")
    return tuple(ipaddress.summarize_address_range(first, last))
