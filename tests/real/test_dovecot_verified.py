"""Dovecot and users who need no password: tokens and Kerberos tickets are governed like everybody else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

from tests.helpers import Run
from tests.real import tokens
from tests.real.clients import Attempt
from tests.real.dovecot import Dovecot
from tests.real.kerberos import Realm

pytestmark = pytest.mark.real

INSIDE, OUTSIDE = "127.0.0.1", "127.5.5.5"
NOTICED = 2.0  # seconds; by then a changed file must have been noticed
STORE = """\
version = 1
[server]
edition = "pro"
lan = ["127.0.0.1"]
[defaults]
imap = true
pop = true
[accounts."open@example.com"]
[accounts."lan@example.com"]
imap_lan_only = true
pop_lan_only = true
[accounts."off@example.com"]
imap = false
pop = false
[accounts."gone@example.com"]
suspended = true
[accounts."foreign@example.com"]
"""
# From where each gets in; no passdb of the site's own knows the last two.
REACH: dict[str, tuple[str, ...]] = {
    "open@example.com": (INSIDE, OUTSIDE),
    "lan@example.com": (INSIDE,),
    "off@example.com": (),
    "gone@example.com": (),
    "foreign@example.com": (INSIDE, OUTSIDE),
    "unlisted@example.com": (),
}
KNOWN = list(REACH)[:4]
Site = Callable[[str], Dovecot]


@pytest.fixture
def site(dovecot: Dovecot, run: Run, tmp_path: Path) -> Site:
    """Bring both files, and start the server."""

    def site(strategy: str, data: bool = True) -> Dovecot:
        (tmp_path / "accounts.toml").write_text(STORE, encoding="utf-8")
        (tmp_path / "host.toml").write_text(dovecot.exports(strategy=strategy), encoding="utf-8")
        options = ["--file", str(tmp_path / "accounts.toml"), "--host-config", str(tmp_path / "host.toml")]
        deployed = run(*options, "deploy")
        assert deployed.status == 0, deployed
        dovecot.let_in(dict.fromkeys(KNOWN, "secret"))
        dovecot.start()
        return dovecot

    return site


def expected(dovecot: Dovecot, strategy: str) -> dict[str, tuple[str, ...]]:
    """From where each gets in."""
    if strategy == "allow-list":
        return REACH
    # Dovecot 2.4 refuses in the LAN too whom a deny-list keeps in it.
    lan = (INSIDE,) if dovecot.release.version == "2.3" else ()
    return REACH | {"unlisted@example.com": (INSIDE, OUTSIDE), "lan@example.com": lan}


def tries() -> list[Attempt]:
    """Everybody, from everywhere, at both services."""
    return [Attempt(*one, "") for one in product(("imap", "pop3"), (INSIDE, OUTSIDE), REACH)]


STRATEGIES = ["allow-list", "deny-list"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("mechanism", tokens.MECHANISMS)
def test_who_has_a_token_gets_in_from_where_he_may(dovecot: Dovecot, site: Site, strategy: str, mechanism: str) -> None:
    tokens.let_in_by_token(dovecot)
    server = site(strategy)
    reach = expected(dovecot, strategy)

    def differs(one: Attempt) -> bool:
        answer = server.logs_in(one._replace(password=tokens.token(one.user)), mechanism)
        return answer is not (one.ip in reach[one.user])

    with ThreadPoolExecutor(8) as clients:
        assert [one for one, wrong in zip(tries(), clients.map(differs, tries()), strict=True) if wrong] == []
    forged = tokens.token("open@example.com", key=b"another key")
    for password in (forged, tokens.token("lan@example.com"), "*", ""):
        assert not server.logs_in(Attempt("imap", INSIDE, "open@example.com", password), mechanism), password


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_who_has_a_ticket_gets_in_from_where_he_may(dovecot: Dovecot, site: Site, strategy: str) -> None:
    with Realm(dovecot, [user.partition("@")[0] for user in REACH]) as realm:
        server = site(strategy)
        reach = expected(dovecot, strategy)
        if strategy == "allow-list" and dovecot.release.version == "2.3":
            reach = reach | dict.fromkeys(REACH.keys() - KNOWN, ())  # it asks the site's passdb for them
        with ThreadPoolExecutor(8) as clients:
            answers = clients.map(lambda one: realm.logs_in(server, one), tries())
            wrong = [
                one for one, answer in zip(tries(), answers, strict=True) if answer is not (one.ip in reach[one.user])
            ]
        assert wrong == []


@pytest.mark.parametrize("spoil", ["gone", "closed"])
def test_without_the_file_nobody_gets_in_with_a_token(dovecot: Dovecot, site: Site, spoil: str) -> None:
    tokens.let_in_by_token(dovecot)
    server = site("allow-list")
    one = Attempt("imap", INSIDE, "open@example.com", tokens.token("open@example.com"))
    assert server.logs_in(one, "XOAUTH2")
    if spoil == "gone":
        server.data.unlink()
    else:
        server.data.chmod(0)
        os.utime(server.data, (1, 1))
    time.sleep(NOTICED)
    assert [server.logs_in(one, "XOAUTH2") for _ in range(4)] == [False] * 4
