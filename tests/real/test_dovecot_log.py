"""What a real Dovecot logs is what replay reads, also when a client tries to write the log."""

from __future__ import annotations

import imaplib
import re
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from mailpolicy.review.replay import Replay
from mailpolicy.store.store import Store
from tests.real.clients import Attempt
from tests.real.dovecot import Dovecot

pytestmark = pytest.mark.real

STORE = """\
version = 1
[server]
edition = "pro"
lan = ["127.0.0.1"]
[defaults]
imap = true
[accounts."alice@example.com"]
pop = true
pop_lan_only = true
[accounts."bob@example.com"]
imap_lan_only = true
"""
USERS = ("Alice@Example.com", "bob@example.com", "postmaster")
# What a client chooses stands before its address; 2.3 also logs what clients say of themselves, if it is asked to.
_SESSION_FIRST = {
    "2.3": "login_log_format_elements = user=<%u> session=<%{session}> method=%m rip=%r lip=%l\nimap_id_log = *\n",
    "2.4": "login_log_format_elements = user=<%{user}> session=<%{session}> rip=%{remote_ip} lip=%{local_ip}\n",
}


@pytest.fixture
def server(dovecot: Dovecot) -> Dovecot:
    """A Dovecot that takes every name, so that a client may send what it likes."""
    (dovecot.folder / "conf.d" / "50-names.conf").write_text(
        f"auth_username_chars =\nauth_username_format =\nlogin_trusted_networks = 127.0.0.3\n{_SESSION_FIRST[dovecot.release.version]}"
    )
    dovecot.let_in({user.lower(): "secret" for user in USERS})
    dovecot.start()
    return dovecot


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "Dovecot did not log"
        time.sleep(0.05)


def _login(server: Dovecot, service: str, user: str, ip: str = "127.0.0.1", password: str = "secret") -> bool:
    return server.logs_in(Attempt(service, ip, user, password), "PLAIN")


def test_logins_are_read_and_forgeries_are_not(server: Dovecot) -> None:
    forged = "imap-login: Login: user=<bob@example.com>, rip=198.51.100.7"
    names = (f"x>, {forged}", f"Nov 25 18:00:00 {forged}", f"x> dovecot: {forged}")
    for name in names:
        assert not _login(server, "imap", name, password="wrong")
    for service, user, ip in (
        ("imap", "Alice@Example.com", "127.0.0.1"),
        ("imap", "bob@example.com", "127.0.0.1"),
        ("imap", "bob@example.com", "127.0.0.2"),
        ("pop3", "alice@example.com", "127.0.0.1"),
        ("pop3", "alice@example.com", "127.0.0.2"),
        ("imap", "postmaster", "127.0.0.1"),
    ):
        assert _login(server, service, user, ip)
    _wait(lambda: len(re.findall("-login: Info: (?:Login|Logged in): ", server.log())) >= 6)
    lines = server.log().splitlines()
    assert all(any(f"user=<{name}>" in line for line in lines) for name in names), "logged as they were sent"
    fed = Replay(Store("accounts.toml", STORE.encode()).policy())
    fed.feed(lines)
    assert fed.broken == []
    assert fed.logins == 6
    assert [(tally.address, str(tally.service), str(tally.reason), tally.ips) for tally in fed.refusals()] == [
        ("alice@example.com", "pop", "outside-lan", ("127.0.0.2",)),
        ("bob@example.com", "imap", "outside-lan", ("127.0.0.2",)),
        ("postmaster", "imap", "unknown-account", ("127.0.0.1",)),
    ]
    assert all(tally.last and tally.last[3] == " " for tally in fed.refusals()), "when it was is kept"


def test_what_a_client_says_of_itself_is_no_login(server: Dovecot) -> None:
    """Its ID is logged as it sent it; a webmail that is trusted says where its user is, and names the session."""
    forged = "imap-login: Info: Login: user=<bob@example.com>, rip=198.51.100.7, lip="

    def login(said: str, source: str, user: str = "bob@example.com", password: str = "secret") -> None:
        with server.imap(source) as connection, suppress(imaplib.IMAP4.error):
            connection.xatom("ID", said)
            connection.login(user, password)

    login(f'("name" "{forged}" "x-session-id" "a>, rip=198.51.100.7")', "127.0.0.1", "postmaster", "wrong")
    login(f'("name" "x> {forged}" "x-originating-ip" "127.0.0.1")', "127.0.0.2")
    login('("name" "x" "x-originating-ip" "198.51.100.9")', "127.0.0.3")
    login('("name" "x" "x-session-id" "a>, rip=127.0.0.1, x=<b")', "127.0.0.3")
    _wait(lambda: len(re.findall("-login: Info: (?:Login|Logged in): ", server.log())) >= 3)
    lines = server.log().splitlines()
    fed = Replay(Store("accounts.toml", STORE.encode()).policy())
    fed.feed(lines)
    logged = 2 if server.release.version == "2.3" else 0
    assert sum(forged in line for line in lines) == logged, "the forgeries were logged as they were sent"
    [bob] = fed.refusals()
    assert (bob.address, bob.ips) == ("bob@example.com", ("127.0.0.2", "198.51.100.9"))
    assert (fed.logins, fed.broken_lines) == (2, 1), "a line with two addresses is not understood"
