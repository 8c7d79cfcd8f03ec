"""Check what LAN entries mean, and why others are refused."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.policy.lan import RESERVED, EntryRejected, is_reserved, lan_entry, region
from mailpolicy.policy.networks import ANYWHERE, network_set

SWITCH_MEANINGS = [
    ("10.0.0.0/8", ["10.0.0.0/8"]),
    ("10.1.2.3", ["10.1.2.3/32"]),
    ("192.168.*.*", ["192.168.0.0/16"]),
    ("192.168.7.*", ["192.168.7.0/24"]),
    ("10.*.*.*", ["10.0.0.0/8"]),
    ("10.0.0.0-10.0.0.255", ["10.0.0.0/24"]),
    ("10.0.0.1-10.0.0.2", ["10.0.0.1/32", "10.0.0.2/32"]),
    ("10.0.0.0-10.255.255.255", ["10.0.0.0/8"]),
    ("fd00::/8", ["fd00::/8"]),
    ("fc00::/7", ["fc00::/7"]),
    ("fe80::/10", ["fe80::/10"]),
    ("2000::/16", ["2000::/16"]),
    ("::1", ["::1/128"]),
    ("::ffff:10.0.0.0/104", ["10.0.0.0/8"]),
    ("::ffff:10.0.0.7", ["10.0.0.7/32"]),
    ("::ffff:10.0.0.0-::ffff:10.0.0.1", ["10.0.0.0/31"]),
    ("FD00::ABCD", ["fd00::abcd/128"]),
    ("fc00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ["fc00::/7"]),
]


@pytest.mark.parametrize(("text", "networks"), SWITCH_MEANINGS)
def test_entry_means(text: str, networks: list[str]) -> None:
    assert [str(network) for network in lan_entry(text)] == networks


REFUSED = [
    ("10.0.0.0/6", "host-bits"),
    ("8.0.0.0/7", "too-large"),
    ("2000::/15", "too-large"),
    ("10.0.0.0-11.0.0.0", "too-large"),
    ("fc00::-fe80::1", "too-large"),
    ("0.0.0.0-255.255.255.255", "too-large"),
    ("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "too-large"),
    ("::ffff:0.0.0.0/96", "too-large"),
    ("::ffff:10.0.0.1-fd00::1", "range"),
    ("*", "not-a-network"),
    ("*.1.2.3", "wildcard"),
    ("1.*.2.*", "wildcard"),
    ("300.*.*.*", "not-a-network"),
    ("fd00:*::", "not-a-network"),
    ("1.2.3.4.*", "not-a-network"),
    ("10.0.0.0/8 ", "not-a-network"),
    (" 10.0.0.0/8", "not-a-network"),
    ("10.0.0.0/8/8", "not-a-network"),
    ("１０.0.0.0/8", "not-a-network"),
    ("10.0.0.0/８", "not-a-network"),
    ("10.0.0.1-", "not-a-network"),
    ("-10.0.0.1", "not-a-network"),
    ("1-2-3", "not-a-network"),
    ("10.0.0.1-010.0.0.2", "leading-zeros"),
    ("fe80::1%eth0/64", "zone"),
    ("10.0.0.0/255.0.255.0", "not-a-network"),
    ("fd00::/ffff::", "not-a-network"),
    ("10", "not-a-network"),
    ("0x0a.0.0.1", "not-a-network"),
]

# What holds more than an IPv4 /8 of addresses as other programs translate them, and the most that may be written.
TRANSLATED = [
    *("64:ff9b::/96", "64:ff9b::/97", "64:ff9b::/32", "64:ff9b::a00:0/103", "64:ff9b::-64:ff9b::100:0"),
    *("64:ff9b:1::/48", "64:ff9b:1::/64", "64:ff9b:1:2::/96", "64:ff9b:1:2::a00:0/103", "64:ff9a::-64:ff9b:2::"),
    *("::/96", "::/95", "::/64", "::/20", "::/97", "::a00:0/103", "::2-::100:2"),
    *("2002::/16", "2002::/17", "2002:a00::/23", "2002::-2002:100::", "2001:ffff::-2002:100::"),
]
SMALL_ENOUGH = [
    *("64:ff9b::a00:0/104", "64:ff9b::a01:203", "64:ff9b::-64:ff9b::ff:ffff", "64:ff9b:1:2::a00:0/104"),
    *(
        "::1",
        "::a00:0/104",
        "2002:a00::/24",
        "2002:a01:203::/48",
        "2002::-2002:ff:ffff::",
        "64:ff9b:2::/48",
        "2001::/16",
    ),
]


@pytest.mark.parametrize("text", TRANSLATED)
def test_no_entry_is_all_of_ipv4_by_translation(text: str) -> None:
    with pytest.raises(EntryRejected) as caught:
        lan_entry(text)
    assert caught.value.kind == "too-large"
    assert region(text)  # what is only asked about may be of any size


@pytest.mark.parametrize("text", SMALL_ENOUGH)
def test_translated_addresses_up_to_an_ipv4_8_may_be_lan(text: str) -> None:
    assert lan_entry(text)


# What people bring from other programs: Postfix, hosts.allow, ipcalc, routers, spreadsheets.
BROUGHT = [
    ("[::1]/128", ("::1/128",)),
    ("[::1]", ("::1",)),
    ("[::ffff:127.0.0.0]/104", ("::ffff:127.0.0.0/104",)),
    ("192.168.", ("192.168.*.*",)),
    ("192.168", ("192.168.*.*",)),
    ("10", ("10.*.*.*",)),
    ("10/8", ("10.0.0.0/8",)),
    ("172.16/12", ("172.16.0.0/12",)),
    ("172.16/8", ("172.0.0.0/8", "172.16.0.0")),
    ("192.168.*", ("192.168.*.*",)),
    ("192.168.x.x", ("192.168.*.*",)),
    ("192.168.1.10-20", ("192.168.1.10-192.168.1.20",)),
    ("192.168.1.20-10", ("192.168.1.10-192.168.1.20",)),
    ("192.168.1.10 - 192.168.1.20", ("192.168.1.10-192.168.1.20",)),
    ("192.168.1.10 - 20", ("192.168.1.10-192.168.1.20",)),
    (" 10.0.0.0/8", ("10.0.0.0/8",)),
    ("10.0.0.0/8,", ("10.0.0.0/8",)),
    ("[::1]/128;", ("::1/128",)),
    ("10.0.0.0/8, 192.168.0.0/16", ("10.0.0.0/8", "192.168.0.0/16")),
    ("127.0.0.0/8 [::1]/128 192.168.", ("127.0.0.0/8", "::1/128", "192.168.*.*")),
    ("10.0.0.0 255.0.0.0", ("10.0.0.0/8",)),
    ("10.0.0.1/255.255.255.0", ("10.0.0.0/24",)),
    ("010.001.000.000/255.255.0.0", ("10.1.0.0/16",)),
    ("10.0.0.1/6", ("10.0.0.1",)),
    ("::ffff:10.0.0.1/104", ("10.0.0.0/8", "10.0.0.1")),
    ("fe80::1%eth0", ("fe80::1",)),
    ("fe80::%eth0/64", ("fe80::/64",)),
    ("fe80:*", ("fe80::/16",)),
    ("2001:db8:*:*", ("2001:db8::/32",)),
    ("example.com", ()),
    ("*", ()),
    ("300.*.*.*", ()),
    ("10.0.0.0/8 255.255.0.0", ()),
    ("0/0", ()),
]


@pytest.mark.parametrize(("text", "forms"), BROUGHT)
def test_what_other_programs_write_gets_its_right_form(text: str, forms: tuple[str, ...]) -> None:
    with pytest.raises(EntryRejected) as caught:
        lan_entry(text)
    assert caught.value.forms == forms
    message = str(caught.value)
    assert all(repr(form) in message for form in forms)
    assert "\n" not in message


@given(st.one_of(st.text("0123456789abcf:./-*%[] ,x", max_size=24), st.sampled_from([text for text, _ in BROUGHT])))
def test_every_form_that_a_refusal_names_is_an_entry(text: str) -> None:
    try:
        lan_entry(text)
    except EntryRejected as error:
        for form in error.forms:
            assert lan_entry(form)


@pytest.mark.parametrize(("text", "kind"), REFUSED)
def test_entry_refused(text: str, kind: str) -> None:
    with pytest.raises(EntryRejected) as caught:
        lan_entry(text)
    assert caught.value.kind == kind


@pytest.mark.parametrize("text", [text for text, _ in SWITCH_MEANINGS])
def test_a_set_ends_where_its_networks_end(text: str) -> None:
    networks = list(ipaddress.collapse_addresses(lan_entry(text)))  # type: ignore[type-var]
    held = network_set(networks)
    first, last = networks[0].network_address, networks[-1].broadcast_address
    assert first.packed in held
    assert last.packed in held
    assert (first - 1).packed not in held
    assert (last + 1).packed not in held


def test_reserved_ranges_are_reserved() -> None:
    assert all(is_reserved(lan_entry(text)) for text in RESERVED)
    assert not is_reserved(lan_entry("172.15.255.255-172.16.0.1"))
    assert not is_reserved(lan_entry("192.0.2.0/24"))


def test_a_region_may_be_of_any_size() -> None:
    assert region("0.0.0.0/0") & ANYWHERE == region("0.0.0.0-255.255.255.255")
    assert region("::ffff:10.0.0.7") == region("10.0.0.7") == region("10.0.0.7/32")
    assert region("fe80::1%eth0") == region("fe80::1")
    for wrong in ("10.0.0.1/8", "10.0.0.0/255.0.0.0", "10.*.0.*", "010.0.0.1", "fe80::%1/64", "", "x"):
        with pytest.raises(EntryRejected):
            region(wrong)
