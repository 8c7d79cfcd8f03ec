"""Random policies, random questions about them, and what `check` answers: what every agreement with a server compares."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import product
from pathlib import Path

from mailpolicy.policy.lan import lan_entry
from mailpolicy.policy.names import account_address, unicode_address
from mailpolicy.policy.networks import network_set
from tests.helpers import Run
from tests.real.clients import Attempt

PROTOCOLS = {"imap": "imap", "pop3": "pop", "smtp": "smtp", "submission": "smtp", "sieve": "sieve"}
TOKEN = "0123456789abcdef0123456789abcdef"
DEFAULT_DOMAIN = "bücher.example"

LOCALS = (
    *("alice", "o'brien", "a+b", "x=y", "t~u", "r&d", "_", "first.last", "d-", "7", "imap", "pop3", "n''n'", "a'"),
    *("k" * 64, "q.w_e+r=t~y&u'i-o"),
)
DOMAINS = ("example.com", "Corp.local", "localhost", "bücher.example", "faß.example", "例え.jp", "1.2.3", "x.例え.jp")
ENTRIES = (
    *("10.0.0.0/8", "192.168.*.*", "172.16.5.10-172.16.9.200", "127.0.0.1", "fd00::/8", "fe80::/10", "::1"),
    *("2001:db8::5-2001:db8::fffe", "::ffff:10.9.0.0/112", "0.0.0.0-0.0.0.3", "255.255.255.250-255.255.255.255"),
    *("203.0.113.77", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124", "::/120", "198.51.100.0/25", "64:ff9b::a00:0/104"),
)
NETWORKS = ("branch", "home", "vpn")
PASSWORDS = ("secret", "two words", "ünï", "{PLAIN}x", "a'b\"c\\d", "100%u", "$6$x$y", "=", "**")


class Case:
    """A random policy that governs the services `govern`.

    `text` is its store, `accounts` whether each is suspended, `site` everybody's password.
    """

    def __init__(self, chance: random.Random, govern: tuple[str, ...]) -> None:
        self.govern = govern
        self.lan = [self._entry(chance) for _ in range(chance.choice((0, 1, 3, 6)))]
        self.lan = list(dict.fromkeys(self.lan))
        addresses = {account_address(f"{name}@{domain}") for name, domain in product(LOCALS, chance.sample(DOMAINS, 4))}
        everybody = sorted(addresses | {account_address(f"alice@{DEFAULT_DOMAIN}")})
        chance.shuffle(everybody)
        listed = everybody[: len(everybody) * 3 // 4]
        self.accounts: dict[str, bool | None] = dict.fromkeys(everybody)
        lines = ["version = 1", "[server]", f"lan = {json.dumps(self.lan)}", f"govern = {json.dumps(govern)}"]
        lines += [f'edition = "{chance.choice(("pro", "pro", "pro", "standard"))}"']
        self.networks = {name: [self._entry(chance) for _ in range(chance.randrange(3))] for name in NETWORKS}
        lines += ["[networks]", *(f"{name} = {json.dumps(entries)}" for name, entries in self.networks.items())]
        lines += ["[defaults]", *_switches(chance)]
        for template in ("one", "two"):
            lines += [f"[templates.{template}]", *_switches(chance)]
        for address in listed:
            self.accounts[address] = chance.random() < 0.15
            lines += [f"[accounts.{json.dumps(chance.choice(spellings(address)))}]", *_switches(chance)]
            lines += ["suspended = true"] * bool(self.accounts[address])
            lines += [f'template = "{chance.choice(("one", "two"))}"'] * (chance.random() < 0.5)
        self.text = "\n".join(lines) + "\n"
        known = [address for address in everybody if chance.random() < 0.9]
        self.site = {address: chance.choice(PASSWORDS) for address in known}
        self._edges = list(self._addresses_at_edges())

    @staticmethod
    def _entry(chance: random.Random) -> str:
        if chance.random() < 0.6:
            return chance.choice(ENTRIES)
        if chance.random() < 0.5:
            first = chance.randrange(1 << 32)
            return f"{IPv4Address(first)}-{IPv4Address(min(first + chance.randrange(1 << chance.randrange(1, 24)), (1 << 32) - 1))}"
        length = chance.randrange(16, 129)
        return f"{IPv6Address(chance.randrange(1 << length) << (128 - length))}/{length}"

    def _addresses_at_edges(self) -> Iterator[IPv4Address | IPv6Address]:
        for entries in (self.lan, *self.networks.values()):
            for span in network_set(network for entry in entries for network in lan_entry(entry)).spans:
                for edge in span:
                    number, most = int.from_bytes(edge, "big"), (1 << 8 * len(edge)) - 1
                    for near in {max(number - 1, 0), number, min(number + 1, most)}:
                        yield ip_address(near.to_bytes(len(edge), "big"))

    def ip(self, chance: random.Random) -> str:
        """An address, mostly where a rule changes, in one of its spellings."""
        kind = chance.random()
        if kind < 0.6 and self._edges:
            ip = chance.choice(self._edges)
        elif kind < 0.9:
            ip = ip_address(chance.choice(("10.1.2.3", "192.168.255.255", "203.0.113.9", "fd12::1", "2001:db8::1")))
        else:
            ip = IPv4Address(chance.randrange(1 << 32)) if kind < 0.95 else IPv6Address(chance.randrange(1 << 128))
        if ip.version == 6:
            return chance.choice((str(ip), ip.exploded, str(ip).upper()))
        return chance.choice((str(ip), str(ip), f"::ffff:{ip}", f"::{ip}", f"64:ff9b::{ip}"))


def _switches(chance: random.Random) -> list[str]:
    switches = [switch for service in ("pop", "imap", "smtp", "sieve") for switch in (service, f"{service}_lan_only")]
    keys = [key for key in switches if chance.random() < 0.6]
    lines = [f"{key} = {json.dumps(chance.random() < 0.7)}" for key in keys]
    if chance.random() < 0.4:
        lines.append(f"extra_lan = {json.dumps(chance.sample(NETWORKS, chance.randrange(3)))}")
    return lines


def spellings(address: str) -> list[str]:
    """The names that mean an account to Dovecot: A-labels or lower-case U-labels, ASCII letters in any case."""
    shown = unicode_address(address)
    found = [address] if shown is None else [address, shown]
    folded = (
        "".join(letter.upper() if letter.isascii() and place % 2 else letter for place, letter in enumerate(spelling))
        for spelling in found
    )
    return [*found, *folded]


def typed_name(address: str, default_domain: str | None, chance: random.Random) -> str:
    """A name that somebody types for the account."""
    local, _, domain = address.rpartition("@")
    if default_domain is not None and domain == account_address(f"x@{default_domain}")[2:]:
        return chance.choice((local, local.upper(), *spellings(address)))
    return chance.choice(spellings(address))


def site_passwords(case: Case, default_domain: str | None) -> dict[str, str]:
    """What a site's own passdb has: every spelling of a name in lower case."""
    found: dict[str, str] = {}
    for address, password in case.site.items():
        shown = unicode_address(address)
        names = {address, shown or address}
        local, _, domain = address.rpartition("@")
        if default_domain is not None and domain == account_address(f"x@{default_domain}")[2:]:
            names.add(local)
        found |= dict.fromkeys(names, password)
    return found


def verdicts(run: Run, folder: Path, case: Case, attempts: list[Attempt], addresses: list[str]) -> list[bool]:
    """Whether check allows each attempt, if its password is right; it is not asked about what the store does not govern."""
    governed = {"imap", "pop", *case.govern}
    questions = [
        f"{address} {PROTOCOLS[attempt.service]} {attempt.ip}\n" if PROTOCOLS.get(attempt.service) in governed else None
        for attempt, address in zip(attempts, addresses, strict=True)
    ]
    asked = folder / "questions"
    asked.write_text("".join(filter(None, questions)), encoding="utf-8")
    judged = run("--file", str(folder / "accounts.toml"), "check", "--batch", str(asked))
    assert judged.status in (0, 1), judged
    allowed = iter(line.split("\t")[0] == "allow" for line in judged.out.splitlines())
    return [next(allowed) if question else True for question in questions]


def wrong(attempts: list[Attempt], expected: list[bool], answers: list[bool]) -> list[tuple[Attempt, str]]:
    """Return the attempts that a server answered otherwise than expected."""
    return [
        (attempt, f"expected {wanted}")
        for attempt, wanted, answer in zip(attempts, expected, answers, strict=True)
        if answer is not wanted
    ]
