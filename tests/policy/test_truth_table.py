"""Every combination of the switches against a second, deliberately naive statement of the decision."""

from __future__ import annotations

import ipaddress
from itertools import product
from typing import Any

import pytest

from mailpolicy.policy.account import Account
from mailpolicy.policy.batch import BatchAnswers
from mailpolicy.policy.lan import lan_entry
from mailpolicy.policy.model import Gate, LanEntry, NamedNetwork, Policy, Server, can_close
from mailpolicy.policy.networks import network_set
from mailpolicy.policy.question import NotGoverned, question
from mailpolicy.policy.service import BY_NAME, Service
from mailpolicy.policy.verdict import judge

LAN = ["10.0.0.0/8", "192.168.*.*", "fd00::/8"]
NETWORKS = {"branch": ["203.0.113.0/28", "2001:db8::1"], "home": ["203.0.113.9", "10.1.2.3"], "empty": []}
# The networks that have each address.
IPS = {
    "10.1.2.3": {"lan", "home"},
    "10.1.2.4": {"lan"},
    "203.0.113.9": {"branch", "home"},
    "203.0.113.8": {"branch"},
    "203.0.113.16": set(),
    "::ffff:10.1.2.3": {"lan", "home"},
    "::ffff:203.0.113.8": {"branch"},
    "fd00::1%eth0": {"lan"},
    "2001:db8::1": {"branch"},
    "2001:db8::2": set(),
}
LISTS = (None, (), ("branch",), ("home",), ("home", "branch"), ("empty",))
MAYBE = (None, True, False)
SERVICES = ("pop", "imap", "multipop", "outlook-connector", "smtp", "sieve")
GOVERNED: tuple[tuple[str, ...], ...] = (("smtp", "sieve"), ("smtp",), ("sieve",), ())
CLOSED: set[tuple[Gate, Service]] = set()  # which gates were seen closed for which services


def naive(facts: dict[str, Any], service: str, having: set[str]) -> list[str]:
    """The rules one by one, as a person would read them off the page; shares no code with the program."""

    def resolved(key: str) -> bool:
        for layer in ("account", "template", "defaults"):
            value = facts[layer].get(key)
            if value is not None:
                return bool(value)
        return False

    if service in ("smtp", "sieve") and service not in facts["governed"]:
        return []
    named: tuple[str, ...] = ()
    for layer in ("account", "template", "defaults"):
        if facts[layer].get("extra_lan") is not None:
            named = facts[layer]["extra_lan"]
            break
    inside = "lan" in having or any(name in having for name in named)
    reasons = []
    if facts["suspended"]:
        reasons.append("account-suspended")
    if service == "pop" and not resolved("pop"):
        reasons.append("service-off")
    if service == "imap" and not resolved("imap"):
        reasons.append("service-off")
    if service == "multipop" and not resolved("multipop"):
        reasons.append("service-off")
    if service == "outlook-connector" and not resolved("outlook_connector"):
        reasons.append("service-off")
    if service == "smtp" and not resolved("smtp"):
        reasons.append("service-off")
    if service == "sieve" and not resolved("sieve"):
        reasons.append("service-off")
    if service == "imap" and facts["edition"] != "pro":
        reasons.append("imap-needs-pro")
    if service == "outlook-connector" and facts["edition"] != "pro":
        reasons.append("imap-needs-pro")
    if service == "outlook-connector" and not facts["installed"]:
        reasons.append("connector-not-installed")
    if service == "outlook-connector" and not resolved("imap"):
        reasons.append("connector-needs-imap")
    if service == "multipop" and not facts["server_multipop"]:
        reasons.append("multipop-off-on-server")
    if service == "pop" and resolved("pop_lan_only") and not inside:
        reasons.append("outside-lan")
    if service == "imap" and resolved("imap_lan_only") and not inside:
        reasons.append("outside-lan")
    if service == "outlook-connector" and resolved("imap_lan_only") and not inside:
        reasons.append("outside-lan")
    if service == "smtp" and resolved("smtp_lan_only") and not inside:
        reasons.append("outside-lan")
    if service == "sieve" and resolved("sieve_lan_only") and not inside:
        reasons.append("outside-lan")
    return reasons


def policy_of(facts: dict[str, Any]) -> Policy:
    def given(layer: str) -> dict[str, Any]:
        return {key: value for key, value in facts[layer].items() if value is not None}

    networks = tuple(LanEntry(text, lan_entry(text)) for text in LAN)
    server = Server(
        edition=facts["edition"],
        outlook_connector_installed=facts["installed"],
        multipop=facts["server_multipop"],
        govern=tuple(BY_NAME[name] for name in facts["governed"]),
        lan_entries=networks,
        lan=network_set(network for entry in networks for network in entry.networks),
        written=frozenset(["edition", "outlook_connector_installed", "multipop", "lan"]),
    )
    account = Account("a@x.example", "a@x.example", given("account"), "t", facts["suspended"])
    own_networks = {}
    for name, texts in NETWORKS.items():
        entries = tuple(LanEntry(text, lan_entry(text)) for text in texts)
        own_networks[name] = NamedNetwork(entries, network_set(one for entry in entries for one in entry.networks))
    return Policy(server, given("defaults"), {"t": given("template")}, {account.address: account}, own_networks)


def test_resolution_covers_every_layer() -> None:
    """One switch through all three layers, for each service, from each address."""
    for service, key, on_account, on_template, on_defaults in product(SERVICES, ("on", "lan"), MAYBE, MAYBE, MAYBE):
        switch = service.replace("-", "_")
        lan = "imap_lan_only" if service == "outlook-connector" else f"{service}_lan_only"
        name = switch if key == "on" else lan
        if name == "multipop_lan_only":
            continue
        base = {"outlook_connector": True, "imap": True, "pop": True, "multipop": True, "smtp": True, "sieve": True}
        facts = {
            "account": {name: on_account} if key == "on" else {**base, name: on_account},
            "template": {name: on_template},
            "defaults": {**base, name: on_defaults},
            "suspended": False,
            "edition": "pro",
            "installed": True,
            "server_multipop": True,
            "governed": ("smtp", "sieve"),
        }
        compare(facts, service)


def test_networks_come_from_the_first_layer_that_names_some() -> None:
    for service, on_account, on_template, on_defaults, confined in product(
        SERVICES, LISTS, LISTS, LISTS, (True, False)
    ):
        lan = dict.fromkeys(("pop_lan_only", "imap_lan_only", "smtp_lan_only", "sieve_lan_only"), confined)
        on = {service.replace("-", "_"): True, "imap": True}
        facts = {
            "account": {**on, "extra_lan": on_account},
            "template": {"extra_lan": on_template},
            "defaults": {**lan, "extra_lan": on_defaults},
            "suspended": False,
            "edition": "pro",
            "installed": True,
            "server_multipop": True,
            "governed": GOVERNED[0],
        }
        compare(facts, service)


def test_every_combination_of_the_switches() -> None:
    count = 0
    for service, governed in [(service, GOVERNED[0]) for service in SERVICES[:4]] + [*product(SERVICES[4:], GOVERNED)]:
        switch = service.replace("-", "_")
        lan = f"{service}_lan_only" if service in ("pop", "smtp", "sieve") else "imap_lan_only"
        for on, confined, imap, suspended, edition, installed, multipop, layer in product(
            MAYBE,
            MAYBE,
            MAYBE,
            (False, True),
            ("pro", "standard"),
            (False, True),
            (False, True),
            ("account", "template", "defaults"),
        ):
            facts: dict[str, Any] = {"account": {}, "template": {}, "defaults": {}}
            facts[layer] = {"imap": imap, lan: confined, switch: on}
            facts |= {"suspended": suspended, "edition": edition, "installed": installed, "server_multipop": multipop}
            compare({**facts, "governed": governed}, service)
            count += 1
    assert count == (4 + 2 * 4) * 27 * 16 * 3
    assert {
        (gate, service)
        for gate in Gate
        for service in Service
        if gate not in ("unknown-account", "account-expired")
        and can_close(gate, service)  # test_time.py has the latter
    } == CLOSED


def compare(facts: dict[str, Any], service: str) -> None:
    policy = policy_of(facts)
    answers = BatchAnswers(policy)
    for ip, having in IPS.items():
        expected = naive(facts, service, having)
        verdict = judge(policy, question("a@x.example", service, ip))
        assert [str(reason.gate) for reason in verdict.reasons] == expected, (facts, service, ip)
        assert verdict.allowed is (not expected)
        if verdict.grant is not None and verdict.grant.admission is not None:
            assert (verdict.grant.admission.name or "lan") in having
        CLOSED.update((reason.gate, verdict.question.service) for reason in verdict.reasons)
        if policy.governs(verdict.question.service):
            first = answers.first_reason("a@x.example", service, ip)
            assert (str(first) if first else None) == (expected[0] if expected else None)
        else:
            with pytest.raises(NotGoverned):
                answers.first_reason("a@x.example", service, ip)
        packed = ipaddress.ip_address(ip.split("%")[0])
        unwrapped = getattr(packed, "ipv4_mapped", None) or packed
        assert (unwrapped.packed in policy.admitted("a@x.example", BY_NAME[service])) is (not expected)


def test_an_unknown_account_stands_alone() -> None:
    facts: dict[str, Any] = {"account": {}, "template": {}, "defaults": {}, "suspended": True, "edition": "standard"}
    for governed in GOVERNED:
        policy = policy_of({**facts, "installed": False, "server_multipop": False, "governed": governed})
        for service in Service:
            verdict = judge(policy, question("b@x.example", service, "10.0.0.1"))
            closed = service not in ("smtp", "sieve") or service in governed
            assert [str(reason.gate) for reason in verdict.reasons] == (["unknown-account"] if closed else [])
            assert verdict.fixes == []
