"""The JSON Schema and the validator draw the same line at the limits of values, hosts, names and addresses."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from mailpolicy.store import schema
from tests.store.test_json_schema import hold_together, refused


def source(**keys: Any) -> dict[str, Any]:
    return {"sources": {"s": {"host": "h", "login": "l", **keys}}}


@pytest.mark.parametrize(
    ("account", "good", "bad"),
    [
        (lambda port: source(port=port), [1, 65535], [0, 65536, -1]),
        (lambda size: source(max_size_kb=size), [1, 2147483647], [0, 2147483648]),
        (lambda days: source(delete_after_days=days), [1, 2147483647], [0, 2147483648]),
        (lambda tls: source(tls=tls), ["implicit", "starttls", "none"], ["", "Implicit", "ssl"]),
        (
            lambda login: {"smart_host_login": login},
            ["x", "x" * 255, "a b", "ü", "\ufeffa"],
            ["", "x" * 256, " x", "x\u00a0", "x\u3000", "a\nb", "a\n", "\x7f", "a\x85b", "\u2028"],
        ),
        (
            lambda name: {"sources": {name: {"host": "h", "login": "l"}}},
            ["0", "a" * 63, "a_-9"],
            ["", "a" * 64, "A", "-a", "a b", "a\n"],
        ),
        (
            lambda value: {"expires": value, "temporary": {"until": value}},
            [datetime.date(9999, 12, 31), datetime.datetime(2026, 12, 31, 18, tzinfo=datetime.UTC)],
            [datetime.datetime(2026, 12, 31, 18), datetime.time(18), "31.12.2026", 2026, True],
        ),
    ],
)
def test_at_the_limits(account: Any, good: list[Any], bad: list[Any]) -> None:
    for value in good + bad:
        tree = {"version": 1, "accounts": {"a@x.example": account(value)}}
        hold_together(tree)
        assert bool(refused(tree)) is (value in bad), value


HOSTS = [
    "h", "smtp.relay.example", "X-y.EXAMPLE", "10.0.0.1", "b\u00fccher.example", "x\u3002example", "b\u00fccher.EXAMPLE", "1" * 63,
    "::1", "2001:DB8::1", "fe80::1%eth0", "::ffff:10.0.0.1",
]  # fmt: skip
NO_HOSTS = [
    "", "a b", "a\nb", "h\n", "h;rm", "h/x", "-h", "h-", "h.", ".h", "a..b", "1" * 64, "h:25", "smtp.example:587", "[::1]", "a@b", "a_b",
    "\u00fc b", "\u00fc\n", "\u00fc;rm", "::1\n", "fe80::1%",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS + NO_HOSTS)
def test_hosts(host: str) -> None:
    for tree in (
        {"version": 1, "server": {"smart_host": {"host": host}}},
        {"version": 1, "accounts": {"a@x.example": source(host=host)}},
    ):
        hold_together(tree)
        assert bool(refused(tree)) is (host in NO_HOSTS)
        assert bool(schema.validate(tree).problems) is (host in NO_HOSTS)


@pytest.mark.parametrize("name", ["", "A b", "Office", "-a", "a" * 64, "office\n"])
def test_the_name_of_a_template_that_there_cannot_be(name: str) -> None:
    templates: list[dict[str, object]] = [{}, {name: {}}]
    for table in templates:
        tree = {"version": 1, "templates": table, "accounts": {"a@x.example": {"template": name}}}
        hold_together(tree)
        assert ("accounts", "a@x.example", "template") in refused(tree)
    good = {"version": 1, "templates": {"office": {}}, "accounts": {"a@x.example": {"template": "office"}}}
    hold_together(good)
    assert not refused(good)


def test_addresses_at_the_limits() -> None:
    good = [
        "a@x",
        "A.b+c=d~e&f'g-h_i@X-y.example",
        f"{'a' * 64}@x",
        "a@" + "b" * 63,
        "a@b\u00fccher.example",
        "a@x\u3002example",
    ]
    bad = [
        "",
        "a",
        "@x",
        "a@",
        "a@@x",
        "a..b@x",
        ".a@x",
        "a.@x",
        "-a@x",
        f"{'a' * 65}@x",
        "a@" + "b" * 64,
        "a@x.",
        "a@-x",
        "a b@x",
        "a@x\n",
    ]
    for address in good + bad:
        tree = {"version": 1, "accounts": {address: {}}}
        hold_together(tree)
        assert bool(refused(tree)) is (address in bad), address
