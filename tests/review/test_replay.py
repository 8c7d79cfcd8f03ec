"""Check that a replay says what `check` says, in little memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from mailpolicy.policy.question import question
from mailpolicy.policy.verdict import judge
from mailpolicy.review.replay import Replay
from tests.review.logs import POLICY, SYSLOG

names = st.sampled_from(
    ["alice@example.com", "Alice@Example.COM", "bob@example.com", "nobody@example.com", "postmaster", "a b@x"]
)
protocols = st.sampled_from(["pop", "pop3", "POP3S", "imap", "imaps", "multipop", "outlook-connector", "smtp"])
ips = st.sampled_from(["10.0.0.1", "::ffff:10.9.9.9", "203.0.113.9", "fd00::7", "2001:db8::1", "10.0.0.256", "x"])


@example([("postmaster", "pop3", "10.0.0.1", True), ("postmaster", "pop3", "10.0.0.1", False)])
@given(st.lists(st.tuples(names, protocols, ips, st.booleans()), max_size=30))
def test_a_replay_says_what_check_says(records: list[tuple[str, str, str, bool]]) -> None:
    lines, wanted, broken = [], Counter[tuple[str, str, str]](), 0
    for name, protocol, ip, dovecot in records:
        service = protocol.lower().replace("pop3s", "pop3").replace("imaps", "imap")
        dovecot = dovecot and service in ("imap", "pop3")
        if dovecot:
            lines.append(f"{SYSLOG} mail dovecot: {service}-login: Login: user=<{name}>, method=PLAIN, rip={ip}, TLS")
        else:
            lines.append(f"{name}\t{protocol}\t{ip}")
        try:
            known = question("a@x.example" if dovecot and name in ("postmaster", "a b@x") else name, protocol, ip)
            verdict = judge(POLICY, known)
        except Exception:  # noqa: BLE001 - whatever check does not understand
            broken += 1
            continue
        address = name if known.address == "a@x.example" else known.address
        if not verdict.allowed:
            wanted[address, str(known.service), str(verdict.reasons[0].gate)] += 1
    fed = Replay(POLICY)
    fed.feed(lines[:7])
    fed.feed(lines[7:])
    found = {(tally.address, str(tally.service), str(tally.reason)): tally.refused for tally in fed.refusals()}
    assert found == dict(wanted)
    assert fed.broken_lines == broken
    assert fed.logins + fed.not_governed.total() == len(records) - broken
    assert fed.lines == len(records)
    assert fed.refused == wanted.total()


def test_the_default_domain_completes_names() -> None:
    fed = Replay(POLICY, "example.com")
    fed.feed(["imap-login: Login: user=<alice>, rip=203.0.113.9", "pop3-login: Login: user=<Alice>, rip=203.0.113.9"])
    assert [(tally.address, tally.service) for tally in fed.refusals()] == [("alice@example.com", "pop")]
    assert fed.logins == 2


def strange(number: int) -> str:
    """A line that has something no line before had."""
    spelled = "".join(c.upper() if number >> i & 1 else c for i, c in enumerate("outlook-connector"))
    return (
        f"u{number}@example.com imap 203.0.113.9",
        f"broken line {number}",
        f"alice@example.com {spelled} 203.0.113.9",
        f"imap-login: Login: user=<{number}{'x' * 500}>, rip=::1",
        f"alice@example.com pop fe80::1%{number}{'x' * 500} {number}{'t' * 500}",
        f"imap-login: Login: user=<{number}>, rip=::1",
    )[number % 6]


def test_memory_does_not_grow_with_the_log() -> None:
    fed = Replay(POLICY)
    held = []
    tracemalloc.start()
    try:
        for part in range(12):
            fed.feed(strange(number) for number in range(2000 * part, 2000 * part + 2000))
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert fed.untallied > 1000, "unknown names are no longer told one by one"
    assert held[-1] - held[4] < 500_000  # of 14 000 lines; other threads take some too
