"""A running Dovecot while a store begins and ends to govern services: nothing opens or closes that stays as it is."""

from __future__ import annotations

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
