"""Check what addresses mean, and that sets of them are what their networks say."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.policy.lan import region
from mailpolicy.policy.networks import (
    ANYWHERE,
    NOWHERE,
    AddressRejected,
    Network,
    NetworkSet,
    network_set,
    packed_address,
    packer,
)

ADDRESSES = [
    ("10.0.0.1", bytes([10, 0, 0, 1])),
    ("::ffff:10.0.0.1", bytes([10, 0, 0, 1])),
    ("::FFFF:a00:1", bytes([10, 0, 0, 1])),
    ("::ffff:10.0.0.1%eth0", bytes([10, 0, 0, 1])),
    ("fe80::1%eth0", bytes.fromhex("fe80") + bytes(13) + b"\1"),
    ("::", bytes(16)),
    # NAT64 and 6to4 carry an IPv4 address and are not unwrapped.
    ("64:ff9b::10.0.0.1", bytes.fromhex("0064ff9b") + bytes(8) + bytes([10, 0, 0, 1])),
    ("2002:a00:1::", bytes.fromhex("20020a000001") + bytes(10)),
]


@pytest.mark.parametrize(("text", "packed"), ADDRESSES)
def test_address_means(text: str, packed: bytes) -> None:
    assert packed_address(text) == packed
    assert packer()(text) == packed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "127.1",
        "010.0.0.1",
        "1.2.3.4/24",
        "１.2.3.4",
        "1.2.3.４",
        "1.2.3.4 ",
        "1.2.3",
        "1.2.3.4.5",
        "::1%",
        "1.2.3.256",
        "1.2.3.4%eth0",
        "::1/128",
        "0x7f.0.0.1",
        "2130706433",
        "fe80::1%a%b",
        ":::",
        "1::2::3",
        "12345::",
        "::ffff:10.0.0.01",
        "a\0b",
        "1.2.3.4\n",
        "\ud800",
    ],
)
def test_address_refused(text: str) -> None:
    with pytest.raises(AddressRejected):
        packed_address(text)
    with pytest.raises(AddressRejected):
        packer()(text)


@given(st.ip_addresses())
def test_both_parsers_agree(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert packer()(str(address)) == packed_address(str(address))


@given(st.text(alphabet="0123456789abcdef:.%/ ", max_size=20))
def test_both_parsers_agree_on_junk(text: str) -> None:
    def outcome(parse: object) -> object:
        try:
            return parse(text)  # type: ignore[operator]
        except AddressRejected:
            return "refused"

    assert outcome(packer()) == outcome(packed_address)


NETWORKS = st.lists(
    st.one_of(
        st.tuples(st.ip_addresses(v=4), st.integers(8, 32)),
        st.tuples(st.ip_addresses(v=6), st.integers(16, 128)),
    ).map(lambda pair: ipaddress.ip_network(pair, strict=False)),
    max_size=6,
)


@given(NETWORKS, st.ip_addresses(), st.data())
def test_a_set_holds_what_its_networks_hold(
    networks: list[Network], address: IPv4Address | IPv6Address, data: st.DataObject
) -> None:
    if data.draw(st.booleans()) and networks:
        chosen = data.draw(st.sampled_from(networks))
        offset = data.draw(st.integers(-1, chosen.num_addresses))
        number = min(max(int(chosen.network_address) + offset, 0), 2**chosen.max_prefixlen - 1)
        address = type(chosen.network_address)(number)
    held = any(address in network for network in networks)
    assert (address.packed in network_set(networks)) is held


def _collapsed(networks: list[Network]) -> list[Network]:
    fours = ipaddress.collapse_addresses([network for network in networks if isinstance(network, IPv4Network)])
    sixes = ipaddress.collapse_addresses([network for network in networks if isinstance(network, IPv6Network)])
    return [*fours, *sixes]


def _is_within(one: Network, two: Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(two, IPv4Network) and one.subnet_of(two)
    return isinstance(two, IPv6Network) and one.subnet_of(two)


@given(NETWORKS, NETWORKS)
def test_subset_is_what_collapsing_says(left: list[Network], right: list[Network]) -> None:
    expected = all(any(_is_within(one, two) for two in _collapsed(right)) for one in _collapsed(left))
    assert (network_set(left) <= network_set(right)) is expected
    assert network_set(left) <= ANYWHERE
    assert network_set(left) >= NOWHERE


# Where spans begin, end and touch: the edges of both families and small numbers close together.
EDGES = st.one_of(
    st.integers(0, 12).map(lambda number: number.to_bytes(4, "big")),
    st.integers(0, 12).map(lambda number: number.to_bytes(16, "big")),
    st.integers(1, 5).map(lambda number: (2**32 - number).to_bytes(4, "big")),
    st.integers(1, 5).map(lambda number: (2**128 - number).to_bytes(16, "big")),
)
SETS = st.lists(st.tuples(EDGES, EDGES).filter(lambda span: len(span[0]) == len(span[1])), max_size=6).map(
    lambda spans: NetworkSet((min(span), max(span)) for span in spans)
)


@given(SETS, SETS, EDGES)
def test_sets_are_cut_as_their_addresses_are(one: NetworkSet, other: NetworkSet, address: bytes) -> None:
    assert (address in (one & other)) is (address in one and address in other)
    assert (address in (one - other)) is (address in one and address not in other)


@given(SETS, SETS)
def test_cutting_and_covering_agree(one: NetworkSet, other: NetworkSet) -> None:
    assert (one <= other) is (not one - other) is ((one & other) == one)
    assert ANYWHERE - (ANYWHERE - one) == one
    assert network_set(one.networks()) == one


def test_a_set_as_networks() -> None:
    assert str(region("10.0.0.0-10.0.0.2")) == "10.0.0.0-10.0.0.2"
    assert str(region("10.0.0.0-10.0.0.3")) == "10.0.0.0/30"
    assert str(region("fd00::7")) == "fd00::7"
    assert str(ANYWHERE) == "0.0.0.0/0, ::/0"
    assert str(ANYWHERE - region("0.0.0.0/1") - region("::/0")) == "128.0.0.0/1"
    assert str(NOWHERE) == ""
