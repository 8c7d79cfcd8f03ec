"""Which names are allowed, and the one spelling each address is known by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.policy.names import (
    NameRejected,
    account_address,
    domain_name,
    host_name,
    login,
    printable,
    template_name,
)

SPELLINGS = [
    ("alice@example.com", "alice@example.com"),
    ("Alice@EXAMPLE.Com", "alice@example.com"),
    ("user@localhost", "user@localhost"),
    ("user@corp.local", "user@corp.local"),
    ("o'brien+tag@example.com", "o'brien+tag@example.com"),
    ("_a~b&c=d-e.f@x.example", "_a~b&c=d-e.f@x.example"),
    ("a@bücher.example", "a@xn--bcher-kva.example"),
    ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
    ("a@faß.example", "a@xn--fa-hia.example"),  # IDNA 2008: not fass.example
    ("a@例え。テスト", "a@xn--r8jz45g.xn--zckzah"),  # the ideographic full stop is a dot
    ("a" * 64 + "@x.example", "a" * 64 + "@x.example"),
    ("1@x", "1@x"),
]


@pytest.mark.parametrize(("text", "normalised"), SPELLINGS)
def test_address_is_known_by(text: str, normalised: str) -> None:
    assert account_address(text) == normalised
    assert account_address(normalised) == normalised


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "alice",
        "alice@",
        "@example.com",
        "a@b@c.example",
        "a b@x.example",
        "a@x.example ",
        "a\u202e@x.example",
        "a@x\u2028.example",
        "\u212aelvin@x.example",
        "jörg@x.example",
        "a@x..example",
        "a@.example",
        "a@example.",
        "a@[10.0.0.1]",
        "a@-x.example",
        "a@x-.example",
        "a@x_y.example",
        ".a@x.example",
        "a.@x.example",
        "a..b@x.example",
        "-a@x.example",
        "+a@x.example",
        "a/b@x.example",
        "a:b@x.example",
        'a"b@x.example',
        "a" * 65 + "@x.example",
        "a@" + "b" * 64 + ".example",
        "a@" + ("b" * 50 + ".") * 5 + "example",
        "a@x.example\n",
        "a\0@x.example",
        "a@☃\ud800.example",
        "a@xn\u3002",
        "%s@x.example",
        "a@\u00ad",
    ],
)
def test_address_refused(text: str) -> None:
    with pytest.raises(NameRejected) as caught:
        account_address(text)
    assert "\n" not in str(caught.value)
    assert printable(str(caught.value)) == str(caught.value)


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    try:
        normalised = account_address(text)
    except NameRejected as error:
        assert str(error) == printable(str(error))
        return
    assert account_address(normalised) == normalised
    assert normalised.isascii()
    assert normalised == normalised.lower()


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_+=~&'-]{0,20}@[A-Za-z0-9]{1,10}(\.[A-Za-z]{2,5}){0,2}", fullmatch=True))
def test_case_of_ascii_is_folded(text: str) -> None:
    assert account_address(text) == account_address(text.upper()) == account_address(text.lower())


def test_template_names() -> None:
    assert template_name("a" * 63) == "a" * 63
    assert template_name("0-_x") == "0-_x"
    for wrong in ("", "A", "-a", "_a", "a b", "a" * 64, "a.b", "é", "a\n"):
        with pytest.raises(NameRejected):
            template_name(wrong)


def test_logins() -> None:
    for right in ("a", "x" * 255, "DOMAIN\\user", "ü:ser name", "a#b"):
        assert login(right) == right
    for wrong in ("", "x" * 256, " a", "a ", "a\tb", "a\x7f", "a\x85b", "a\ud800", "\u00a0a", "a\nb"):
        with pytest.raises(NameRejected):
            login(wrong)


def test_domains() -> None:
    assert domain_name("Example.COM") == "example.com"
    with pytest.raises(NameRejected):
        domain_name("")


def test_hosts() -> None:
    """What is a host stands in the configuration of other programs as it is, an IPv6 zone too."""
    for right, known_by in (
        ("Relay.Example", "relay.example"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("10.0.0.1", "10.0.0.1"),
    ):
        assert host_name(right) == known_by
    assert host_name("fe80::1%eth0.7") == "fe80::1%eth0.7"
    for wrong in (
        "",
        "h:25",
        "a b",
        "[::1]",
        *(f"fe80::1%{zone}" for zone in ("", "a\nb", "a b", "a\tb", "a;b", 'a"b', "a\x1bb", "a%b", "\u00e9")),
    ):
        with pytest.raises(NameRejected):
            host_name(wrong)


def test_printable_shows_what_would_act() -> None:
    assert printable("a\x1b[31m\u202eb\u2028\x9b") == "a\\x1b[31m\\u202eb\\u2028\\x9b"
    assert printable("a\u115fb\u3164c\ufe0f\U0001d173\U000e0100") == "a\\u115fb\\u3164c\\ufe0f\\U0001d173\\U000e0100"
    assert printable("grün @ 例え") == "grün @ 例え"
