"""Check whose open sessions a real Dovecot ends after a deploy."""

from __future__ import annotations

import imaplib
import re
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from mailpolicy.cli import main
from tests.helpers import NOW
from tests.real.dovecot import Dovecot
from tests.real.logins.site import NOTICED, OUTSIDE, Mailpolicy, password_of, right_attempt

pytestmark = pytest.mark.real


def _plain(user: str, challenge: bytes) -> bytes:
    return f"\0{user}\0{password_of(user)}".encode()


def test_deploy_ends_the_sessions_of_whose_access_narrowed_and_of_nobody_else(
    site: Callable[..., Dovecot], mailpolicy: Mailpolicy
) -> None:
    server = site(default_domain="example.com")
    mailpolicy("account", "add", "short@example.com", "--pop", "off")
    mailpolicy("deploy")
    time.sleep(NOTICED)
    narrowed = ("open@example.com", "bob@bücher.example", "short", "o'lan+x=y~z&@example.com")
    with (
        server.imap() as ended,
        server.imap() as international,
        server.imap() as short,
        server.imap() as kept,
        server.imap() as odd,
    ):
        sessions = dict(zip(narrowed, (ended, international, short, odd), strict=True))
        for user, session in (*sessions.items(), ("imap@example.com", kept)):
            session.authenticate("PLAIN", partial(_plain, user))
        mailpolicy("imap", "lan-only", "open@example.com")
        mailpolicy("imap", "off", "bob@bücher.example", "short@example.com", "o'lan+x=y~z&@example.com")
        mailpolicy("pop", "off", "o'lan+x=y~z&@example.com")
        mailpolicy("imap", "anywhere", "imap@example.com")
        mailpolicy("account", "suspend", "off@example.com")
        kicked = mailpolicy("deploy", "--kick")
        assert "kicked: open@example.com\n" in kicked.err
        assert [user for user, session in sessions.items() if not _ended(session)] == []
        assert kept.noop()[0] == "OK"
    # The names without a session are no failure, and nobody is said to be kicked who was not there.
    assert "no session to kick: bob@xn--bcher-kva.example\n" in kicked.err
    assert set(re.findall("^kicked: (.*)$", kicked.err, re.M)) == set(narrowed)
    assert "imap@example.com" not in kicked.err
    # Whoever is thrown out does not come back.
    assert server.ask([right_attempt("imap", "short"), right_attempt("imap", "imap@example.com", OUTSIDE)]) == [
        False,
        True,
    ]


def _ended(session: imaplib.IMAP4) -> bool:
    """Whether the server has ended the session, or does so within a second."""
    try:
        for _ in range(50):
            session.noop()
            time.sleep(0.02)
    except (imaplib.IMAP4.abort, ConnectionError):
        return True
    return False


def test_sessions_that_cannot_be_ended_are_told_of(
    site: Callable[..., Dovecot], mailpolicy: Mailpolicy, tmp_path: Path
) -> None:
    server = site()
    server.stop()
    mailpolicy("imap", "off", "open@example.com")
    failed = mailpolicy("deploy", "--kick", status=5)
    assert re.search(r"kick open@example\.com failed \(exit 75\): .*Connection refused", failed.err)
    assert "Warning" not in failed.err


def test_an_exception_that_ends_is_taken_away_with_its_sessions(
    site: Callable[..., Dovecot], mailpolicy: Mailpolicy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, user = site(), "open@example.com"
    mailpolicy("imap", "off", user)
    mailpolicy("imap", "on", user, "--until", "+1h")
    assert "the policy changes next at" in mailpolicy("deploy").err
    with server.imap() as session:
        session.authenticate("PLAIN", partial(_plain, user))
        assert session.noop()[0] == "OK"
        files = ("--file", str(tmp_path / "accounts.toml"), "--host-config", str(tmp_path / "host.toml"))
        assert main([*files, "deploy", "--kick"], lambda: NOW + timedelta(hours=1)) == 0
        assert f"kicked: {user}\n" in capsys.readouterr().err
        assert _ended(session)
    assert server.ask([right_attempt("imap", user)]) == [False]
