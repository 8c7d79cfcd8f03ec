"""Table: lines of logs, and the login that each records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.policy.names import MAX_LINE_BYTES
from mailpolicy.review import loginlog
from mailpolicy.review.loginlog import LineRejected, login
from tests.review.logs import ALICE, ISO, OWN, PREFIXED, SYSLOG, WORDS

SENT = "client=pc.example[203.0.113.9], sasl_method=PLAIN, sasl_username=alice@example.com"
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
    (
        f"{ISO} mail dovecot: managesieve-login: Login: {ALICE}",
        ("alice@example.com", "managesieve", "203.0.113.9", ISO),
    ),
    (f"{SYSLOG} mx submission-login: Info: Login: {ALICE}", ("alice@example.com", "submission", "203.0.113.9", SYSLOG)),
    (f"{SYSLOG} mx postfix/submission/smtpd[7]: 4B: {SENT}", ("alice@example.com", "smtp", "203.0.113.9", SYSLOG)),
    (f"{SYSLOG} mx postfix/smtpd[7]: NOQUEUE: {SENT}", ("alice@example.com", "smtp", "203.0.113.9", SYSLOG)),
    (f"{ISO} mx out/smtps/smtpd[7]: 4Bxz: {SENT}, sasl_sender=x@y", ("alice@example.com", "smtp", "203.0.113.9", ISO)),
    (
        f"<22>1 {ISO} mx postfix/smtpd 7 - - 4B: client=unknown[2001:db8::1]:4711, sasl_method=LOGIN, sasl_username=bob",
        ("bob", "smtp", "2001:db8::1", ISO),
    ),
    (
        json.dumps({"MESSAGE": f"4B: {SENT}", "SYSLOG_IDENTIFIER": "postfix/smtpd"}),
        ("alice@example.com", "smtp", "203.0.113.9", None),
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
    f"{SYSLOG} mx postfix/smtpd[1]: 4B: client=mx.example[203.0.113.9]",
    f"{SYSLOG} mx postfix/smtpd[1]: warning: {SENT}",
    f"{SYSLOG} mx postfix/smtpd[1]: warning: x[::1]: SASL PLAIN authentication failed: , sasl_username=alice@example.com",
    f"{SYSLOG} mx postfix/smtpd[1]: warning: x[::1]: 4B: {SENT}",
    f"{SYSLOG} mx postfix/cleanup[1]: 4B: {SENT}",
    f"{SYSLOG} mx sshd[1]: Invalid user 4B: {SENT}",
    f"{SYSLOG} mx dovecot: auth: 4B: {SENT}",
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
        ("alice@example.com", "not a login record: write"),
        ("alice@example.com imap", "not a login record: write"),
        ('{"address": "a@x.example", "protocol": "imap"}', "address, protocol and ip as strings"),
        ('{"address": "a@x.example", "protocol": "imap", "ip": 7}', "address, protocol and ip as strings"),
        ('{"address": "a@x.example"', "not a JSON object"),
        ('{"a":' * 6_000, "not a JSON object"),
        ("x" * (MAX_LINE_BYTES + 1), "longer than 65536 bytes"),
        (f"{SYSLOG} " * 12_000 + WORDS, "longer than 65536 bytes"),
        (f"weird words {WORDS}", "cannot parse this login of Dovecot: 'weird words imap-login"),
        (f"weird words dovecot[1]: {WORDS}", "cannot parse this login of Dovecot"),
        (f"mail(info) mx {WORDS}", "cannot parse this login of Dovecot"),
        (f"{SYSLOG} mx seq<7> {WORDS}", "cannot parse this login of Dovecot"),
        (f"{SYSLOG} mx dovecot: [new] {WORDS}", "cannot parse this login of Dovecot"),
        (f"{SYSLOG} mx docker/mail[1]: [new] {WORDS}", "cannot parse this login of Dovecot"),
        (f"{SYSLOG} mx imap-login: [7] Login: {ALICE}", "cannot parse this login of Dovecot"),
        (f"{SYSLOG} mx dovecot/imap-login[1]: [7] Logged in: {ALICE}", "cannot parse this login of Dovecot"),
        (f'    "MESSAGE" : "{WORDS}",', "cannot parse this login of Dovecot"),
        (
            json.dumps({"MESSAGE": f"[new] {WORDS}", "SYSLOG_IDENTIFIER": "dovecot"}),
            "cannot parse this login of Dovecot",
        ),
        (json.dumps({"message": WORDS}), "address, protocol and ip as strings"),
        ("imap-login: Login: user=<b@x>, session=<a>, rip=10.0.0.1, x=<b>, rip=203.0.113.9", "two rip="),
        ("imap-login: Login: user=<a@x>, x=<>, user=<b@x>, rip=203.0.113.9", "two user=<...>"),
        ("imap-login: Login: user=<b@x rip=10.0.0.1>, method=PLAIN", "login_log_format_elements"),
        ("imap-login: Login: user=<b@x>, session=<a rip=10.0.0.1>, method=PLAIN", "login_log_format_elements"),
        (f"{SYSLOG} mail dovecot: imap-login: Login: method=PLAIN, rip=::1", "login_log_format_elements"),
        (f"{SYSLOG} mail dovecot: imap-login: Login: user=<a@x>, method=PLAIN", "login_log_format_elements"),
        ("imap-login: Login: user=<>, rip=::1", "has no user name"),
        (f"{SYSLOG} mx postfix/smtpd[1]: 4B: {SENT}, more=x", "cannot parse this login of Postfix: 'Nov 25"),
        (f"{SYSLOG} mx postfix/smtpd[1]: 4B: {SENT} x", "cannot parse this login of Postfix"),
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
    "4B: ",
    "client=x[10.0.0.1], sasl_method=PLAIN, sasl_username=bob@example.com",
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
    """Repetitions without a bound are possessive or atomic, so that the time is linear in the length of a line."""
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
    """All operations of a parsed pattern but a repetition that is all of an atomic group."""
    if isinstance(tree, tuple) and len(tree) == 2 and hasattr(tree[0], "name"):
        if str(tree[0]) == "ATOMIC_GROUP" and len(tree[1]) == 1 and str(tree[1][0][0]) == "MAX_REPEAT":
            tree = tree[1][0][1][2]
        else:
            yield tree
    if isinstance(tree, (tuple, list)) or hasattr(tree, "data"):
        for part in tree:  # type: ignore[attr-defined]
            yield from _operations(part)
