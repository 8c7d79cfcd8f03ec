"""Hypothesis strategies: policies of every shape, with the secrets they name, and questions about them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st

from mailpolicy.policy.model import Policy
from mailpolicy.policy.service import GOVERNABLE, SWITCHES
from mailpolicy.store import schema
from tests.helpers import NOW

ADDRESSES = (
    "ann@x.example",
    "ann@x.example.org",
    "o'brien@x.example",
    "a+b=c~d&e-f_g@x.example",
    "ann@xn--bcher-kva.example",
    "_x@localhost",
    "0.9@corp.local",
)
LANS = ("10.0.0.0/8", "192.168.7.*", "192.168.7.5-192.168.7.9", "203.0.113.7", "fd00::/8", "::1", "127.0.0.0/8")
NETWORKS = ("branch", "home", "vpn")
IPS = (
    *("10.0.0.0", "10.255.255.255", "11.0.0.0", "9.255.255.255", "192.168.7.4", "192.168.7.5", "192.168.7.9"),
    *("192.168.7.10", "203.0.113.7", "203.0.113.8", "127.5.5.5", "0.0.0.0", "255.255.255.255", "::1", "::", "fd00::1"),
    *("fdff:ffff::", "fe00::", "2001:db8::1", "::ffff:10.1.2.3", "::ffff:8.8.8.8", "::10.1.2.3"),
)
# What a line of a file may have inside, whatever it is for; Exim takes no password that begins with ^.
SECRETS = st.text(
    st.one_of(st.sampled_from("aZ0 :\"'\\#$%{}^=,;\t|!*`ü€\U0001f511"), st.characters(min_codepoint=32, codec="utf-8")),
    min_size=1,
    max_size=12,
).filter(lambda text: text == text.rstrip(" \t\n\v\f\r") and text[0] != "^" and not {"\0", "\n", "\r"} & set(text))
LOGINS = st.text(st.sampled_from("aZ0 @.\\#$'%{}ü+"), min_size=1, max_size=8).filter(lambda text: text == text.strip())

_DAYS = st.sampled_from([NOW.date() - timedelta(days=1), NOW.date(), NOW.date() + timedelta(days=1)])


class Invented(NamedTuple):
    """A policy and the secrets that it names, by the keyring's user names."""

    policy: Policy
    secrets: dict[str, str]


@st.composite
def policies(draw: st.DrawFn) -> Invented:
    """A policy of a few accounts, with all the passwords it needs."""
    tree, secrets = draw(trees())
    policy, problems, _ = schema.validate(tree)
    assert policy is not None, problems
    return Invented(policy.at(NOW), secrets)


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, str]]:
    """The tree of a store of a few accounts, and all the passwords it needs."""
    secrets: dict[str, str] = {}
    networks = draw(st.dictionaries(st.sampled_from(NETWORKS), st.lists(st.sampled_from(LANS), max_size=2)))
    extra = st.lists(st.sampled_from(sorted(networks)), max_size=2) if networks else st.just([])
    switches = st.dictionaries(st.sampled_from(SWITCHES), st.booleans(), max_size=5)
    table = st.builds(
        lambda keys, names: keys | names, switches, st.fixed_dictionaries({}, optional={"extra_lan": extra})
    )
    server: dict[str, Any] = {
        "edition": draw(st.sampled_from(["pro", "pro", "standard"])),
        "outlook_connector_installed": draw(st.booleans()),
        "govern": draw(st.lists(st.sampled_from(GOVERNABLE), unique=True).map(lambda found: [*map(str, found)])),
        "multipop": draw(st.sampled_from([True, True, False])),
        "lan": draw(st.lists(st.sampled_from(LANS), unique=True, max_size=4)),
        "smart_host": {"host": "relay.example", "port": 587, "per_account_auth": draw(st.booleans())},
    }
    if draw(st.booleans()):
        server["smart_host"]["login"] = draw(LOGINS)
        secrets["smart-host/@server/relay.example:587"] = draw(SECRETS)
    accounts: dict[str, dict[str, Any]] = {}
    for address in draw(st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=5)):
        account: dict[str, Any] = draw(table)
        if draw(st.booleans()):
            account["template"] = draw(st.sampled_from(["one", "two"]))
        if draw(st.integers(0, 3)) == 0:
            account["suspended"] = True
        if draw(st.integers(0, 3)) == 0:
            account["expires"] = draw(_DAYS)
        if draw(st.integers(0, 2)) == 0:
            account["temporary"] = {"until": draw(_DAYS), **draw(table)}
        if draw(st.booleans()):
            account["smart_host_login"] = draw(LOGINS)
            secrets[f"smart-host/{address}/relay.example:587"] = draw(SECRETS)
        for name in draw(st.lists(st.sampled_from(["gmx", "old"]), unique=True, max_size=2)):
            source = account.setdefault("sources", {})[name] = draw(_sources())
            if "token" in source:
                continue
            tls = source.get("tls", "implicit")
            at = f"{source['login']}@{source['host']}:{995 if tls == 'implicit' else 110}/{tls}"
            secrets[f"multipop/{address}/{name}/{at}"] = draw(SECRETS)
        accounts[address] = account
    templates = {"one": draw(table), "two": draw(table)}
    tree = {"version": 1, "server": server, "defaults": draw(table), "templates": templates, "accounts": accounts}
    tree |= {"networks": networks}
    return tree, secrets


@st.composite
def _sources(draw: st.DrawFn) -> dict[str, Any]:
    source: dict[str, Any] = {"host": draw(st.sampled_from(["pop.gmx.example", "192.0.2.7"])), "login": draw(LOGINS)}
    if draw(st.booleans()):
        source["tls"] = draw(st.sampled_from(["implicit", "starttls", "none"]))
    if draw(st.booleans()):
        source["keep"] = draw(st.booleans())
    if draw(st.booleans()):
        source["enabled"] = draw(st.booleans())
    if draw(st.booleans()):
        source["max_size_kb"] = draw(st.integers(1, 10_000))
    if draw(st.integers(0, 2)) == 0:
        source |= {
            "auth": draw(st.sampled_from(["xoauth2", "oauthbearer"])),
            "token": draw(st.sampled_from(["ms", "g"])),
        }
    return source
