"""A running Dovecot while a store begins and ends to govern services: nothing opens or closes that stays as it is."""

from __future__ import annotations

import json
import os
import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest

from tests.real.clients import Attempt
from tests.real.deploy.site import Mailpolicy, checked
from tests.real.dovecot import Dovecot
from tests.real.loopback import until

pytestmark = pytest.mark.real

OTHERS = ("smtp", "submission", "sieve")
STORE = """\
version = 1
[server]
edition = "pro"
lan = ["10.0.0.0/8"]
{govern}
[accounts."off@example.com"]
[accounts."on@example.com"]
imap = true
pop = true
smtp = true
sieve = true
[accounts."reads@example.com"]
imap = true
"""
USERS = ("on@example.com", "off@example.com", "reads@example.com")


class Site:
    """A running Dovecot, whose store governs a changing list of services."""

    def __init__(self, dovecot: Dovecot, mailpolicy: Mailpolicy, folder: Path) -> None:
        self.dovecot, self.mailpolicy = dovecot, mailpolicy
        self.host = folder / "host.toml"
        self._store = folder / "accounts.toml"
        dovecot.let_in(dict.fromkeys(USERS, "secret"))

    def govern(self, *services: str) -> None:
        """Let the store govern these services and no others."""
        listed = ", ".join(f'"{service}"' for service in services)
        self._store.write_text(STORE.format(govern=f"govern = [{listed}]" if services else ""))

    def deploy(self, *arguments: str, status: int = 0) -> str:
        """Deploy; what is printed."""
        result = self.mailpolicy("deploy", *arguments)
        assert result.status == status, result
        return result.out + result.err

    def start(self, *services: str, **options: object) -> None:
        """Govern and deploy, and start; from then on a deploy reloads."""
        self.govern(*services)
        self.host.write_text(self.dovecot.exports(**options))
        self.deploy()
        self.dovecot.start()
        self.host.write_text(self.dovecot.exports(reload=True, **options))
        self.deploy()

    def open_to(self, user: str) -> set[str]:
        """The services that are open to a user."""
        attempts = [Attempt(service, "203.0.113.9", user, "secret") for service in ("imap", "pop3", *OTHERS)]
        return {one.service for one, answer in zip(attempts, self.dovecot.ask(attempts), strict=True) if answer}

    @contextmanager
    def watched(self) -> Iterator[dict[tuple[str, str], set[bool]]]:
        """Ask about everybody and every service without a pause: all the answers that there were."""
        seen: dict[tuple[str, str], set[bool]] = {}
        over = threading.Event()
        attempts = [
            Attempt(service, "203.0.113.9", user, "secret")
            for service, user in product(("imap", "pop3", *OTHERS), USERS)
        ]

        def watch() -> None:
            while not over.is_set():
                try:
                    with self.dovecot.auth() as auth:
                        while not over.is_set():
                            for one, answer in zip(attempts, auth.ask(attempts), strict=True):
                                seen.setdefault((one.service, one.user), set()).add(answer)
                except (OSError, ValueError):  # it has been reloaded, which ends the connection
                    continue

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield seen
        finally:
            over.set()
            watcher.join()


@pytest.fixture
def site(dovecot: Dovecot, mailpolicy: Mailpolicy, tmp_path: Path) -> Site:
    return Site(dovecot, mailpolicy, tmp_path)


ALL = {"imap", "pop3", *OTHERS}
SENDS = {"smtp", "submission"}
CHANGES = [
    ((), ("smtp",)),
    (("smtp",), ()),
    (("smtp",), ("sieve",)),
    (("sieve",), ("smtp", "sieve")),
    (("smtp", "sieve"), ()),
]


def _open(user: str, govern: tuple[str, ...]) -> set[str]:
    """The services that are open to a user of STORE."""
    free = {one for one in OTHERS if ("sieve" if one == "sieve" else "smtp") not in govern}
    return free | {"on@example.com": ALL, "reads@example.com": {"imap"}}.get(user, set())


@pytest.mark.parametrize("strategy", ["allow-list", "deny-list"])
@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_nothing_opens_or_closes_that_stays_as_it_is(
    site: Site, before: tuple[str, ...], after: tuple[str, ...], strategy: str
) -> None:
    site.start(*before, strategy=strategy)
    assert {user: site.open_to(user) for user in USERS} == {user: _open(user, before) for user in USERS}
    with site.watched() as seen:
        site.govern(*after)
        site.deploy()
        for user in USERS:
            until_open(site, user, _open(user, after))
    for (service, user), answers in seen.items():
        was, now = service in _open(user, before), service in _open(user, after)
        assert answers <= {was, now}, (service, user)
    assert len(seen) == len(USERS) * len(ALL)
    site.deploy("--check")
    assert site.deploy().count("\tok\n") == 2
    assert checked(site.mailpolicy)[0] == "ok"


def until_open(site: Site, user: str, services: set[str]) -> None:
    """Wait until exactly these services are open to the user; a changed file is noticed within a second or two."""
    until(f"{sorted(services)} are open to {user}", lambda: site.open_to(user) == services)


def test_what_is_no_longer_covered_goes_when_no_process_can_ask_about_it(site: Site) -> None:
    site.start("smtp")
    site.govern()
    site.deploy()
    assert "smtp/on@example.com:" in site.dovecot.data.read_text()
    assert site.deploy("--check").count("\tok\n") == 2
    os.utime(site.dovecot.snippet, (0, 0))
    assert "out of date\tdiffers" in site.deploy("--check", status=1)
    site.deploy()
    assert "smtp" not in site.dovecot.data.read_text()


def test_the_data_stay_for_a_snippet_that_cannot_be_replaced(site: Site) -> None:
    site.start("smtp")
    site.govern()
    broken = site.dovecot.folder / "conf.d" / "99-broken.conf"
    broken.write_text("no_such_setting = 1\n")
    for _ in range(2):
        assert "Dovecot would not start" in site.deploy(status=5)
    os.utime(site.dovecot.snippet, (0, 0))
    site.deploy(status=5)
    assert [site.open_to(user) for user in USERS] == [_open(user, ("smtp",)) for user in USERS]
    broken.unlink()
    site.deploy()
    for user in USERS:
        until_open(site, user, _open(user, ()))


def test_the_snippet_waits_for_data_that_cannot_be_written(site: Site) -> None:
    site.start()
    site.govern("smtp")
    host, before = site.host.read_text(), site.dovecot.snippet.read_bytes()
    site.host.write_text(host.replace("[exports.dovecot]\n", '[exports.dovecot]\ntoken_file = "/nonexistent"\n'))
    for names in ((), ("dovecot-conf",)):
        assert "does not cover smtp, submission yet" in site.deploy(*names, status=5)
    assert site.dovecot.snippet.read_bytes() == before
    assert site.open_to("off@example.com") >= SENDS
    site.host.write_text(host)
    site.deploy()
    assert site.open_to("off@example.com") == {"sieve"}


@pytest.mark.parametrize("strategy", ["allow-list", "deny-list"])
def test_a_governed_service_that_dovecot_does_not_ask_about_is_an_error_with_the_line_that_helps(
    site: Site, strategy: str
) -> None:
    """The snippet is no export: somebody put it there with the line that is shown."""
    site.start(strategy=strategy)
    host = site.dovecot.exports(strategy=strategy)
    doveconf = f"doveconf = {json.dumps(site.dovecot.doveconf)}\n"
    site.host.write_text(host.partition("[exports.dovecot-conf]")[0] + doveconf)
    site.deploy()
    for before, after, wrong in (
        ((), ("smtp",), "does not ask the policy about smtp, submission"),
        (("smtp",), ("sieve",), "does not ask the policy about sieve; Dovecot asks about smtp, submission"),
    ):
        site.govern(*after)
        said = [site.deploy(status=1), site.deploy(status=1), site.deploy("--check", status=1)]
        assert all(wrong in one for one in said)
        found = checked(site.mailpolicy)
        assert found[0] == "error"
        assert wrong in found[1]
        if strategy == "allow-list":
            assert site.open_to("on@example.com") >= SENDS
        (line,) = set(re.findall(r"mailpolicy (export dovecot-conf .*?) --file", said[0]))
        assert site.mailpolicy(*shlex.split(line)).status == 0, before
        site.dovecot.doveadm("reload")
        site.deploy()
        assert site.deploy("--check")
        for user in USERS:
            until_open(site, user, _open(user, after))
