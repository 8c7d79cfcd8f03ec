"""replay: which lines are logins, whose they are, and that no log makes it grow or lie."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailpolicy.policy.names import LONGEST_LINE
from mailpolicy.policy.verdict import judge, question
from mailpolicy.review import loginlog, replay
from mailpolicy.review.loginlog import LineRejected, login
from mailpolicy.review.replay import Replay
from mailpolicy.store.store import Store
from tests.helpers import MINIMAL, Run

ALICE = "user=<alice@example.com>, method=PLAIN, rip=203.0.113.9, lip=10.0.0.1, mpid=77, TLS, session=<kJ/2wAAAAAA>"
SYSLOG, ISO = "Nov 25 18:00:00", "2026-11-25T18:00:00.123456+01:00"

# A line, and the name, protocol, IP and time that it records.
LOGINS = [
    ("a@x.example\timap\t10.0.0.1", ("a@x.example", "imap", "10.0.0.1", None)),
    ("a@x.example\tpop3\t::1\t2026-11-25 18:00:00", ("a@x.example", "pop3", "::1", "2026-11-25 18:00:00")),
    ("  a@x.example  imap  10.0.0.1  yesterday \r", ("a@x.example", "imap", "10.0.0.1", "yesterday")),
    (
        '{"time": 1764090000, "ip": "10.0.0.1", "address": "a@x.example", "protocol": "imap", "more": []}\r',
        ("a@x.example", "imap", "10.0.0.1", "1764090000"),
    ),
    ("a.b@x.example: imap 10.0.0.1", ("a.b@x.example:", "imap", "10.0.0.1", None)),
    ("A=B@x.example imap 10.0.0.1", ("A=B@x.example", "imap", "10.0.0.1", None)),
    ("a@x.example imap 10.0.0.1 sshd[1]: x", ("a@x.example", "imap", "10.0.0.1", "sshd[1]: x")),
    (f"{SYSLOG} mail dovecot: imap-login: Login: {ALICE}", ("alice@example.com", "imap", "203.0.113.9", SYSLOG)),
    (f"{SYSLOG} mail dovecot[12]: pop3-login: Login: {ALICE}", ("alice@example.com", "pop3", "203.0.113.9", SYSLOG)),
    (f"{SYSLOG} mail dovecot: imap-login: Logged in: {ALICE}", ("alice@example.com", "imap", "203.0.113.9", SYSLOG)),
    (f"{ISO} mail dovecot: pop3-login: Logged in: {ALICE}", ("alice@example.com", "pop3", "203.0.113.9", ISO)),
    (f"<22>1 {ISO} mail dovecot 1 - - imap-login: Login: {ALICE}", ("alice@example.com", "imap", "203.0.113.9", ISO)),
    (f"<22>{SYSLOG} dovecot: imap-login: Login: {ALICE}", ("alice@example.com", "imap", "203.0.113.9", SYSLOG)),
    (f"{SYSLOG} imap-login: Info: Login: {ALICE}", ("alice@example.com", "imap", "203.0.113.9", SYSLOG)),
    (
        f"2026-11-25 18:00:00 imap-login: Info: Logged in: {ALICE}",
        ("alice@example.com", "imap", "203.0.113.9", "2026-11-25 18:00:00"),
    ),
    (f"dovecot-1  | {SYSLOG} imap-login: Info: Login: {ALICE}", ("alice@example.com", "imap", "203.0.113.9", SYSLOG)),
    (f"{ISO} {SYSLOG} imap-login: Info: Login: {ALICE}", ("alice@example.com", "imap", "203.0.113.9", ISO)),
    (
        f"Wed 2026-11-25 18:00:00 CET mail dovecot[7]: imap-login: Login: {ALICE}",
        ("alice@example.com", "imap", "203.0.113.9", "Wed 2026-11-25 18:00:00 CET"),
    ),
    (
        f'<22>1 {ISO} mail dovecot 1 - [x@1 y="z"] imap-login: Login: {ALICE}',
        ("alice@example.com", "imap", "203.0.113.9", ISO),
    ),
    (
        f"{SYSLOG} mx-1.example dovecot-in: imap-login: Login: {ALICE}",
        ("alice@example.com", "imap", "203.0.113.9", SYSLOG),
    ),
    (
        f"{SYSLOG} mail dovecot: message repeated 3 times: [ imap-login: Login: {ALICE}]",
        ("alice@example.com", "imap", "203.0.113.9", SYSLOG),
    ),
    (f"imap-login: Login: {ALICE}", ("alice@example.com", "imap", "203.0.113.9", None)),
    ("imap-login: Login: user=<bob>, rip=::ffff:10.0.0.1", ("bob", "imap", "::ffff:10.0.0.1", None)),
    ("imap-login: Login: user=<b@x>, method=PLAIN, TLS, rip=::1, x", ("b@x", "imap", "::1", None)),
    ("imap-login: Login: user=<b@x>, session=<kJ/2w>, method=PLAIN, rip=::1", ("b@x", "imap", "::1", None)),
    ("imap-login: Login: session=<kJ/2w>, rip=::1, user=<b@x>", ("b@x", "imap", "::1", None)),
]


@pytest.mark.parametrize(("line", "wanted"), LOGINS)
def test_a_login(line: str, wanted: tuple[str, str, str, str | None]) -> None:
    found = login(line)
    assert found is not None
    assert found[:4] == wanted


WORDS, OWN = f"imap-login: Login: {ALICE}", f"imap-login: Info: Login: {ALICE}"
# Prefixes that syslogs, journals and containers put before Dovecot's words or before Dovecot's own log.
PREFIXED = [
    f"{SYSLOG} mx1 mail.info dovecot: {WORDS}",
    f"Wed {SYSLOG} 2026 mail.info dovecot[12]: {WORDS}",
    f"{SYSLOG} <mail.info> mx1 dovecot[12]: {WORDS}",
    f"{SYSLOG} <2.6> mx1 dovecot[12]: {WORDS}",
    f"{SYSLOG} mx1 mail:info dovecot[12]: {WORDS}",
    f"{SYSLOG} mx1 dovecot[123]: [ID 583609 mail.info] {WORDS}",
    f"{SYSLOG} mx1 dovecot[1] <Notice>: {WORDS}",
    f"{SYSLOG} Max dovecot: {WORDS}",
    f"{SYSLOG} fe80::1 dovecot: {WORDS}",
    f"{SYSLOG} [10.0.0.1] dovecot: {WORDS}",
    f"{SYSLOG} {SYSLOG} mx1 dovecot: {WORDS}",
    f"{SYSLOG} mx1 5f4dcc3b2a1e[991]: {SYSLOG} {OWN}",
    f"{SYSLOG} mx1 mailserver[991]: {SYSLOG} {OWN}",
    f"{SYSLOG} mx1 docker/mail[1]: {SYSLOG} mail dovecot: {WORDS}",
    f"{SYSLOG} mx1 docker/NAME[1]: {OWN}",
    f"docker/NAME[1]: {WORDS}",
    json.dumps({"MESSAGE": OWN, "SYSLOG_IDENTIFIER": "mailserver", "CONTAINER_ID": "0123456789ab"}),
    f"docker/NAME[1]: dovecot: {WORDS}",
    f"mail.1.abcd@node1    | {SYSLOG} {OWN}",
    f"2026-11-25T18:00:00.123456789Z stdout F {SYSLOG} {OWN}",
    f"2026-11-25T18:00:00.123456789+01:00 stderr P {OWN}",
    f"2026-11-25T18:00:00.123456789Z stdout F {SYSLOG} mx1 dovecot[1]: {WORDS}",
    f"[pod/mail-0/dovecot] {ISO} {SYSLOG} {OWN}",
    f"{SYSLOG} mx1 dovecot/imap-login[1]: {WORDS}",
    f"{SYSLOG} mx1 dovecot/imap-login[1]: Login: {ALICE}",
    f"{SYSLOG} mx1 imap-login[1]: Login: {ALICE}",
    f"1764090000.123456 mx1 dovecot[7]: {WORDS}",
    f"[12345.678901] mx1 dovecot[7]: {WORDS}",
    f"MESSAGE={WORDS}",
    f"    MESSAGE={WORDS}",
    f"/var/log/mail.log:{SYSLOG} mx1 dovecot: {WORDS}",
    f"mail.log.1:17:{ISO} mx1 dovecot: {WORDS}",
    f"17:{SYSLOG} mx1 dovecot: {WORDS}",
    f"2026/11/25 18:00:00 {OWN}",
    f"[2026-11-25 18:00:00] {OWN}",
    f"25/Nov/2026:18:00:00 +0100 {OWN}",
    f"25.11.2026 18:00:00 {OWN}",
    f"2026 {SYSLOG} mx1 dovecot: {WORDS}",
    f"Nov 25 2026 18:00:00: mx1 dovecot: {WORDS}",
    f"dovecot: {SYSLOG} Info: {WORDS}",
    f"2026-11-25 18:00:00 MAIL01 dovecot: {WORDS}",
    f"<22>1 {ISO} mx1 dovecot - - - \ufeff{WORDS}",
    f'<22>1 {ISO} mx1 dovecot 12 ID47 [a b="x\\]"][c d=""] {WORDS}',
    json.dumps({"MESSAGE": WORDS, "SYSLOG_IDENTIFIER": "dovecot", "__REALTIME_TIMESTAMP": "1764090000123456"}),
    json.dumps({"MESSAGE": list(WORDS.encode()), "SYSLOG_IDENTIFIER": "dovecot"}),
    json.dumps({"MESSAGE": f"{SYSLOG} {OWN}", "SYSLOG_IDENTIFIER": "5f4dcc3b2a1e"}),
    f"data: {json.dumps({'MESSAGE': WORDS})}",
    json.dumps({"log": f"{SYSLOG} {OWN}\n", "stream": "stdout", "time": "2026-11-25T18:00:00Z"}),
    json.dumps({"log": f"{SYSLOG} mx1 dovecot: {WORDS}\n"}),
]


@pytest.mark.parametrize("line", PREFIXED)
def test_a_login_behind_any_prefix(line: str) -> None:
    found = login(line)
    assert found is not None
    assert found[:3] == ("alice@example.com", "imap", "203.0.113.9")


@pytest.mark.parametrize(
    ("line", "time"),
    [
        (PREFIXED[0], SYSLOG),
        (f"2026-11-25T18:00:00.123456789Z stdout F {SYSLOG} {OWN}", "2026-11-25T18:00:00.123456789Z"),
        (json.dumps({"MESSAGE": WORDS, "__REALTIME_TIMESTAMP": "1764090000123456"}), "2025-11-25T17:00:00+00:00"),
        (json.dumps({"MESSAGE": WORDS, "__REALTIME_TIMESTAMP": "soon"}), None),
        (json.dumps({"log": f"{SYSLOG} {OWN}", "time": "2026-11-25T18:00:00Z"}), "2026-11-25T18:00:00Z"),
    ],
)
def test_when_it_was(line: str, time: str | None) -> None:
    found = login(line)
    assert found is not None
    assert found.time == time


# What a mail log has besides, and what somebody who does not get in can make it say.
OTHERS = [
    "",
    "  \t ",
    "# a comment",
    "   # a comment",
    f"{SYSLOG} mail postfix/smtpd[7]: connect from unknown[203.0.113.9]",
    f"{SYSLOG} mail dovecot: imap(alice@example.com)<7><kJ/2>: Logged out in=78 out=585",
    f"{ISO} mail dovecot: managesieve-login: Login: {ALICE}",
    f"{SYSLOG} mail dovecot: imap-login: Disconnected (no auth attempts in 0 secs): user=<>, rip=203.0.113.9, lip=::1",
    f"{SYSLOG} mail dovecot: imap-login: Aborted login (auth failed, 1 attempts): {ALICE}",
    f"{SYSLOG} mail dovecot: imap-login: Login aborted: Logged out (auth failed) (auth_failed): {ALICE}",
    f"{SYSLOG} mail dovecot: imap-login: Login aborted: Connection closed: user=<x imap-login: Logged in: {ALICE}>, rip=::1",
    f"{SYSLOG} mail dovecot: imap-login: Aborted login: user=<>, x=< imap-login: Login: {ALICE}",
    f"{SYSLOG} mail dovecot: imap-login: ID sent: imap-login: Login: {ALICE}",
    f'{SYSLOG} mail dovecot: auth: plain(?,::1): Username has a " imap-login: Login: {ALICE}',
    f"{SYSLOG} mail dovecot: lmtp(x imap-login: Login: {ALICE}",
    f"{SYSLOG} mx postfix/smtpd[1]: warning: non-SMTP command from unknown[198.51.100.7]: imap-login: Login: {ALICE}",
    f"{SYSLOG} mx postfix/cleanup[1]: 4B: warning: header Subject: imap-login: Login: {ALICE}",
    *(
        f"{SYSLOG} mx {program}: {WORDS}"
        for program in ("sshd", "sshd[9]", "postfix/smtpd[9]", "roundcube[3]", "logger")
    ),
    f"<22>1 {ISO} mx sshd 7 - - {WORDS}",
    f"{SYSLOG} mx docker/mail[1]: {SYSLOG} mail sshd[1]: {WORDS}",
    json.dumps({"MESSAGE": WORDS, "SYSLOG_IDENTIFIER": "sshd"}),
    f"{SYSLOG} mx sshd[1]: Invalid user imap-login: Login: {ALICE}",
    f"{SYSLOG} mx sshd[1]: imap-login: imap-login: Login: {ALICE}",
    f"{SYSLOG} mail dovecot: auth: imap-login: Login: {ALICE}",
    f"{SYSLOG} mx sshd[1]: [x] dovecot: {WORDS}",
    f"{SYSLOG} mx mail.info sshd: Invalid user {WORDS}",
    f"weird words sshd[1]: Invalid user {WORDS}",
    f"weird words dovecot[1]: auth: Username {WORDS}",
    f"weird words dovecot: imap-login: ID sent: {WORDS}",
    f"{SYSLOG} mx dovecot/imap-login[1]: Aborted login: user=<{WORDS}",
    f'<22>1 {ISO} mx sshd 1 - [x dovecot="dovecot"] Invalid user {WORDS}',
    json.dumps({"MESSAGE": f"Invalid user {WORDS}", "SYSLOG_IDENTIFIER": "sshd"}),
    json.dumps({"MESSAGE": f"auth: {WORDS}", "SYSLOG_IDENTIFIER": "dovecot"}),
    json.dumps({"MESSAGE": None, "SYSLOG_IDENTIFIER": "dovecot"}),
    json.dumps({"log": f"{SYSLOG} mx postfix/smtpd[7]: warning: {WORDS}"}),
    "_SYSTEMD_UNIT=dovecot.service",
    "__REALTIME_TIMESTAMP=1764090000123456",
    "    _CMDLINE=/usr/sbin/dovecot -F -c x",
    "MESSAGE=user@1000.service: Deactivated successfully.",
    f"{SYSLOG} mx1 mail.info postfix/smtpd[7]: connect from unknown[203.0.113.9]",
    f"docker/mail[1]: {SYSLOG} mail postfix/smtpd[7]: connect from unknown[203.0.113.9]",
    "dovecot[7]: master: Dovecot v2.3.19 starting up for imap",
    f"[pod/mail-0/dovecot] {ISO} {SYSLOG} auth: Info: x",
    f"/var/log/mail.log:{SYSLOG} mx1 dovecot: master: x",
    "imap-login: Info: Disconnected: rip=::1",
    f"auth-worker(7): Info: Username {WORDS}",
    f"{SYSLOG} imap(alice@example.com)<7><x>: Info: {WORDS}",
    "auth-worker(7): conn unix:auth-worker (pid=6,uid=1): Info: unknown user",
]


@pytest.mark.parametrize("line", OTHERS)
def test_no_login(line: str) -> None:
    assert login(line) is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("alice@example.com", "fields"),
        ("alice@example.com imap", "fields"),
        ('{"address": "a@x.example", "protocol": "imap"}', "each a string"),
        ('{"address": "a@x.example", "protocol": "imap", "ip": 7}', "each a string"),
        ('{"address": "a@x.example"', "none"),
        ('{"a":' * 6_000, "none"),
        ("x" * (LONGEST_LINE + 1), "longer than 65536 bytes"),
        (f"{SYSLOG} " * 12_000 + WORDS, "longer than 65536 bytes"),
        (f"weird words {WORDS}", "not understood: 'weird words imap-login"),
        (f"weird words dovecot[1]: {WORDS}", "not understood"),
        (f"mail(info) mx {WORDS}", "not understood"),
        (f"{SYSLOG} mx seq<7> {WORDS}", "not understood"),
        (f"{SYSLOG} mx dovecot: [new] {WORDS}", "not understood"),
        (f"{SYSLOG} mx docker/mail[1]: [new] {WORDS}", "not understood"),
        (f"{SYSLOG} mx imap-login: [7] Login: {ALICE}", "not understood"),
        (f"{SYSLOG} mx dovecot/imap-login[1]: [7] Logged in: {ALICE}", "not understood"),
        (f'    "MESSAGE" : "{WORDS}",', "not understood"),
        (json.dumps({"MESSAGE": f"[new] {WORDS}", "SYSLOG_IDENTIFIER": "dovecot"}), "not understood"),
        (json.dumps({"message": WORDS}), "each a string"),
        ("imap-login: Login: user=<b@x>, session=<a>, rip=10.0.0.1, x=<b>, rip=203.0.113.9", "two rip="),
        ("imap-login: Login: user=<a@x>, x=<>, user=<b@x>, rip=203.0.113.9", "two user=<...>"),
        ("imap-login: Login: user=<b@x rip=10.0.0.1>, method=PLAIN", "login_log_format_elements"),
        ("imap-login: Login: user=<b@x>, session=<a rip=10.0.0.1>, method=PLAIN", "login_log_format_elements"),
        (f"{SYSLOG} mail dovecot: imap-login: Login: method=PLAIN, rip=::1", "login_log_format_elements"),
        (f"{SYSLOG} mail dovecot: imap-login: Login: user=<a@x>, method=PLAIN", "login_log_format_elements"),
        ("imap-login: Login: user=<>, rip=::1", "without a name"),
    ],
)
def test_a_broken_line(line: str, why: str) -> None:
    with pytest.raises(LineRejected, match=why):
        login(line)


# Pieces of what a client sends to have a login, a program's name or an element of a login in the log.
PIECES = [
    "imap-login: ",
    "Login: ",
    "Logged in: ",
    "Info: ",
    "user=<bob@example.com>",
    ", ",
    "rip=10.0.0.1",
    "session=<",
]
PIECES += [
    "dovecot: ",
    "dovecot/imap-login[1]: ",
    "postfix/smtpd[1]: ",
    f"{SYSLOG} ",
    f"{ISO} ",
    "mx ",
    "docker/x[1]: ",
]
PIECES += [
    "<22>1 ",
    "[ID 1 mail.info] ",
    "mail.info ",
    "MESSAGE=",
    '{"log": "',
    "stdout F ",
    " | ",
    "\\",
    '"',
    ">",
    "<",
    "x",
]
sent = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
# What stands before a client's words in lines that are no login, behind every prefix above.
QUOTING = ["dovecot: auth: plain(", "dovecot[1]: imap-login: ID sent: ", "dovecot: imap-login: Aborted login: user=<"]
QUOTING += ["dovecot/imap-login[1]: Login aborted: x (", "postfix/smtpd[1]: warning: ", "sshd[1]: Invalid user "]
TEXTS = [line.removesuffix(f"dovecot: {WORDS}") for line in PREFIXED if line.endswith(f" dovecot: {WORDS}")]


@given(st.sampled_from(TEXTS), st.sampled_from(QUOTING), sent, st.sampled_from(["text", "MESSAGE", "log"]))
def test_what_a_client_sends_is_no_login(prefix: str, quoting: str, said: str, form: str) -> None:
    line = f"{prefix}{quoting}{said}"
    if form == "MESSAGE":
        program, _, message = f"{quoting}{said}".partition(": ")
        line = json.dumps({"MESSAGE": message, "SYSLOG_IDENTIFIER": program.partition("[")[0].partition("/")[0]})
    elif form == "log":
        line = json.dumps({"log": line})
    assert login(line) is None


@given(st.sampled_from(TEXTS), sent.filter(lambda name: ">" not in name), sent, sent)
def test_a_client_cannot_forge_what_its_login_says(prefix: str, name: str, session: str, more: str) -> None:
    elements = f"user=<{name}>, session=<{session}>, method=PLAIN, rip=203.0.113.9, lip=10.0.0.1, x=<{more}>"
    try:
        found = login(f"{prefix}dovecot: imap-login: Login: {elements}")
    except LineRejected:
        return
    assert found is not None
    assert found[:3] == (name, "imap", "203.0.113.9")


def test_no_pattern_can_backtrack() -> None:
    """Repetitions without a bound are possessive, so that the time is linear in the length of a line."""
    values = [one for value in vars(loginlog).values() for one in (value if isinstance(value, tuple) else (value,))]
    patterns = [value for value in values if isinstance(value, re.Pattern)]
    assert len(patterns) > 5
    for pattern in patterns:
        for operation, argument in _operations(re._parser.parse(pattern.pattern)):  # type: ignore[attr-defined]
            name = str(operation)
            assert name != "MIN_REPEAT"
            if name == "MAX_REPEAT":
                assert argument[1] <= 64, (argument, pattern.pattern)


def _operations(tree: object) -> Iterator[tuple[object, tuple[int, int]]]:
    """All operations of a parsed pattern."""
    if isinstance(tree, tuple) and len(tree) == 2 and hasattr(tree[0], "name"):
        yield tree
    if isinstance(tree, (tuple, list)) or hasattr(tree, "data"):
        for part in tree:  # type: ignore[attr-defined]
            yield from _operations(part)


POLICY = Store("accounts.toml", MINIMAL.encode()).policy()

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
    assert fed.logins == len(records) - broken
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
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert fed.beyond > 1000, "unknown names are no longer told one by one"
    assert held[-1] - held[4] < 50_000


def test_too_many_unknown_names_are_counted_together(run: Run, store: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"u{number}@example.com imap 10.0.0.1\n" for number in range(replay.MOST_UNKNOWN + 5)) * 2)
    result = run("--file", str(store), "replay", str(log))
    assert len(result.out.splitlines()) == replay.MOST_UNKNOWN
    assert "10 logins by more unknown names than 1000, which are counted but not listed" in result.err
    assert "2010 of 2010 logins would be refused, for more than 1000 accounts" in result.err


def test_only_some_broken_lines_are_told(run: Run, store: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("alice@example.com imap 10.0.0.1\n" + "nonsense\n" * 25)
    result = run("--file", str(store), "replay", str(log))
    assert result.status == 0
    assert result.err.count("a record has the fields") == replay.MOST_BROKEN
    assert f"{log}: 15 more broken lines\n" in result.err
    assert run("--file", str(store), "replay", str(log), "--strict").status == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x7fELF\x02\x01\x01\0\0\0", "this is a binary file, not a log"),
        (b"a@x.example imap 10.0.0.1\n\0\0\n\0\1\n", "this is a binary file, not a log"),
        (b"\x1f\x8b\x08\x00", "zcat < log | mailpolicy replay -"),
        (b"\xfd7zXZ\x00", "xzcat < log | mailpolicy replay -"),
    ],
)
def test_no_log_at_all(program: Run, store: Path, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "log").write_bytes(content)
    result = program("--file", str(store), "replay", "log")
    assert (result.status, result.out) == (2, "")
    assert said in result.err
    assert len(result.err.splitlines()) == 1
    assert program("--file", str(store), "replay", "-", stdin=content).status == 2


def test_a_block_of_zeros_is_a_broken_line_wherever_it_stands(program: Run, store: Path) -> None:
    line = b"alice@example.com pop 203.0.113.9\n"
    for before, after in ((2, 2), (3000, 1)):
        log = line * before + bytes(4096) + b"\n" + line * after
        result = program("--file", str(store), "replay", "-", stdin=log)
        assert result.status == 0
        assert f"-:{before + 1}: a record has the fields" in result.err
        assert f"{before + after} of {before + after} logins would be refused" in result.err


def test_a_line_that_syslog_repeats_counts_as_often(run: Run, store: Path, tmp_path: Path) -> None:
    login = "imap-login: Login: user=<alice@example.com>, rip=203.0.113.9"
    name = "imap-login: Login: user=<unknown>, rip=203.0.113.9"
    head = f"{SYSLOG} mail dovecot: "
    repeated = "".join(f"{head}{text}\n{head}message repeated 3 times: [ {text}]\n" for text in (login, name))
    (tmp_path / "log").write_text(repeated.replace("imap-login: Login: user=<alice", "pop3-login: Login: user=<alice"))
    result = run("--file", str(store), "replay", "log")
    assert "8 of 8 logins would be refused, for 2 accounts" in result.err


def test_fail_on_wants_a_login_that_is_understood(run: Run, store: Path, tmp_path: Path) -> None:
    for content in ("", f"{SYSLOG} mail postfix/smtpd[7]: connect\n", f"strange {WORDS}\n", "broken\n"):
        (tmp_path / "log").write_text(content)
        result = run("--file", str(store), "replay", "log", "--fail-on", "refused")
        assert result.status == 2
        assert "log: no login was understood, so nothing was compared" in result.err
        assert run("--file", str(store), "replay", "log").status == 0
    told = json.loads(run("--file", str(store), "replay", "log", "--fail-on", "refused", "--json").out.splitlines()[-1])
    assert (told["exit"], told["code"]) == (2, "no-login")


def test_a_login_that_is_not_understood_is_counted_and_shown(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"{PREFIXED[0]}\nstrange words {WORDS}\n{SYSLOG} mx sshd[1]: Invalid user {WORDS}\n")
    result = run("--file", str(store), "replay", "log")
    assert "log:2: a Dovecot login that is not understood: 'strange words imap-login" in result.err
    assert "0 of 1 login would be refused; 1 broken line not counted" in result.err
    assert run("--file", str(store), "replay", "log", "--strict").status == 2


# Where each login of the two accounts comes from, and what is said of it.
GATEWAY = ["172.17.0.1"] * 19
ONE_ADDRESS = [
    ([*GATEWAY, "203.0.113.9"], "10.0.0.0/8", False),
    ([*GATEWAY, "203.0.113.9"], "172.16.0.0/12", True),
    ([*GATEWAY, "::ffff:172.17.0.1"], "172.16.0.0/12", True),
    ([*GATEWAY, "203.0.113.9", "203.0.113.8", "203.0.113.7"], "172.16.0.0/12", False),
    (GATEWAY[:9], "172.16.0.0/12", False),
    ([f"172.17.0.{number}" for number in range(20)], "172.16.0.0/12", False),
    (["::1"] * 20, "::1/128", True),
]


@pytest.mark.parametrize(("ips", "lan", "said"), ONE_ADDRESS)
@pytest.mark.parametrize("form", ["{0}\timap\t{1}", "imap-login: Login: user=<{0}>, method=PLAIN, rip={1}, TLS"])
def test_one_address_for_everybody(
    run: Run, store: Path, tmp_path: Path, ips: list[str], lan: str, said: bool, form: str
) -> None:
    store.write_text(MINIMAL.replace("10.0.0.0/8", lan))
    names = ["alice@example.com", "bob@example.com"] * len(ips)
    log = "".join(f"{form.format(name, ip)}\n" for name, ip in zip(names, ips, strict=False))
    (tmp_path / "log").write_text(log)
    result = run("--file", str(store), "replay", "log")
    assert ('"One address for everybody"' in result.err) is said
    told = json.loads(run("--file", str(store), "replay", "log", "--json").out)["one_address"]
    assert (told is not None) is said
    assert not said or told["share"] >= 0.9
    checks = json.loads(run("--file", str(store), "doctor", "--log", "log", "--json").out)["checks"]
    [clients] = [check for check in checks if check["check"] == "clients"]
    assert (clients["state"], "One address" in clients["message"]) == (("warning", True) if said else ("ok", False))
    (tmp_path / "log").write_text(log.replace("bob@", "alice@"))
    assert "One address" not in run("--file", str(store), "replay", "log").err, "one account's desk"


def test_one_address_in_a_long_log() -> None:
    """Of a long log a sample is looked at, which is enough, and what came first is not forgotten."""
    fed = Replay(POLICY)
    names = ("alice@example.com", "bob@example.com")
    for part in range(20):
        fed.feed(f"{names[number % 2]} imap 10.0.{part}.1" for number in range(2000))
    assert fed.everybody() is None
    fed = Replay(POLICY)
    for _ in range(20):
        fed.feed(
            f"{names[number % 2]} imap {'10.0.0.1' if number % 20 else f'10.9.{number % 250}.1'}"
            for number in range(2000)
        )
    source = fed.everybody()
    assert source is not None
    assert source.ip == "10.0.0.1"
    assert 0.93 < source.share < 0.97


def test_doctor_says_what_it_could_not_look_at(
    run: Run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mailpolicy.cli import clients

    def check() -> dict[str, str]:
        checks = json.loads(run("--file", str(store), "doctor", "--json").out)["checks"]
        return next((check for check in checks if check["check"] == "clients"), {})

    monkeypatch.setattr(clients, "LOGS", (str(tmp_path / "none"), str(tmp_path / "empty"), str(tmp_path / "long")))
    assert (check()["state"], check()["step"]) == ("skipped", "journalctl -u dovecot --since -7d | mailpolicy replay -")
    (tmp_path / "empty").touch()
    assert "no login was found in" in check()["message"]
    monkeypatch.setattr(clients, "_LOOKED_AT", 10_000)
    old = "alice@example.com pop 203.0.113.9\n" * 9_000
    new = "alice@example.com pop 10.0.0.1\nbob@example.com imap 10.0.0.1\n" * 200
    (tmp_path / "long").write_text(old + new)
    assert check()["state"] == "warning", "the end of the log is looked at"
    store.write_text(MINIMAL.replace("pop_lan_only = true", ""))
    assert check() == {}, "nobody is restricted to the LAN"


def test_odd_bytes_and_endings(program: Run, store: Path) -> None:
    log = b"\xef\xbb\xbfalice@example.com\tpop\t203.0.113.9\r\n\xff\xfe broken\r\nbob@example.com\timap\t203.0.113.9"
    result = program("--file", str(store), "replay", "-", stdin=log)
    assert result.out == "alice@example.com\tpop\toutside-lan\t1\t1\t203.0.113.9\t-\n"
    assert "1 of 2 logins would be refused" in result.err
    long = b"x" * 1_000_000 + b"\nalice@example.com pop 203.0.113.9\n"
    assert "1 of 1 login would be" in program("--file", str(store), "replay", "-", stdin=long).err


def test_names_from_a_log_cannot_steer_a_terminal(program: Run, store: Path) -> None:
    log = "imap-login: Login: user=<\x1b[2J\u202e>, rip=::1\n"
    result = program("--file", str(store), "replay", "-", stdin=log)
    assert result.out.startswith("\\x1b[2J\\u202e\timap\tunknown-account\t")


def test_a_draft_is_asked_not_the_store(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "draft.toml").write_text(MINIMAL.replace("imap = true", "imap = true\nimap_lan_only = true"))
    (tmp_path / "log").write_text("bob@example.com imap 203.0.113.9\n")
    assert run("--file", str(store), "replay", "log", "--fail-on", "refused").status == 0
    assert run("--file", "draft.toml", "replay", "log", "--fail-on", "refused").status == 1
    assert run("--file", "draft.toml", "replay", "log").status == 0


def test_a_pipe_is_a_log(store: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("alice@example.com pop 203.0.113.9\n" * 3)
    command = f"{sys.executable} -m mailpolicy --file {store} replay <(cat {tmp_path}/log)"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "alice@example.com\tpop\toutside-lan\t3\t3\t203.0.113.9\t-\n"


def test_progress_is_shown_on_a_terminal_and_taken_away(store: Path, tmp_path: Path) -> None:
    """stderr is a terminal, the log a pipe that takes its time."""
    feeding = f"while [ ! -e {tmp_path}/end ]; do echo alice@example.com pop 203.0.113.9; sleep 0.1; done"
    command = f"({feeding}) | {sys.executable} -m mailpolicy --file {store} replay - > {tmp_path}/out"
    child = pexpect.spawn("bash", ["-c", command], encoding="utf-8", timeout=30, env={**os.environ, "TERM": "xterm"})
    child.expect(r"\r[0-9]+ lines")
    (tmp_path / "end").touch()
    child.expect(r"\r +\r")
    child.expect("([0-9]+) of ([0-9]+) logins would be refused")
    assert child.match[1] == child.match[2]
    child.expect(pexpect.EOF)
    assert (tmp_path / "out").read_text().startswith("alice@example.com\tpop\toutside-lan\t")


@pytest.mark.parametrize(("term", "more"), [("dumb", ""), ("xterm", "--quiet")])
def test_no_progress_where_nobody_could_read_it(store: Path, term: str, more: str) -> None:
    command = f"(echo a@x.example; sleep 1.5; echo b) | {sys.executable} -m mailpolicy --file {store} replay - {more}"
    child = pexpect.spawn("bash", ["-c", command], encoding="utf-8", timeout=30, env={**os.environ, "TERM": term})
    child.expect(pexpect.EOF)
    assert " lines" not in child.before.replace("broken lines", "")
