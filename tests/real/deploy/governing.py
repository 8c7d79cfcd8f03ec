"""A site whose store begins and ends to govern services: its Dovecot, and who can log in to it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from pathlib import Path

from mailpolicy.export.dovecot import kept
from mailpolicy.export.stamp import stamped
from tests.real.clients import Attempt
from tests.real.deploy.site import Mailpolicy
from tests.real.dovecot import Dovecot
from tests.real.loopback import until

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
STAMP = "%Y-%m-%dT%H:%M:%SZ"
SUSPENDED_TOO = "lets everybody in, suspended accounts too"
USERS = ("on@example.com", "off@example.com", "reads@example.com")

ALL = {"imap", "pop3", *OTHERS}
SENDS = {"smtp", "submission"}


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

    def kept(self) -> str:
        """What the data file says of the lines of smtp that it only keeps, "" if it has none."""
        text = self.dovecot.data.read_text()
        found = re.search("(?m)^# no longer covered(?: (since) .*)?: smtp submission$", text)
        assert (found is not None) is ("smtp/on@example.com:" in text)
        return (found[1] or "waiting") if found is not None else ""

    def by_hand(self, **options: object) -> None:
        """Export only the data from now on."""
        table = self.dovecot.exports().partition("[exports.dovecot-conf]")[0]
        keys = {"doveconf": self.dovecot.doveconf, **options}
        self.host.write_text(table + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()))

    def let_pass(self, *, minutes: int) -> None:
        """Move the time in the data file back, as if this had happened so long ago."""
        body = self.dovecot.data.read_text().split("\n", 2)[2]
        since = kept(body).since
        assert since is not None
        earlier = (since - timedelta(minutes=minutes)).strftime(STAMP)
        self.dovecot.data.write_bytes(stamped("dovecot", body.replace(since.strftime(STAMP), earlier)))

    def export_snippet(self, *arguments: str, status: int = 0) -> str:
        """Write the snippet by hand; what is printed."""
        version, data, path = self.dovecot.release.version, str(self.dovecot.data), str(self.dovecot.snippet)
        line = ("export", "dovecot-conf", "--dovecot", version, "--data", data, "--output", path, *arguments)
        result = self.mailpolicy(*line)
        assert result.status == status, result
        return result.err

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


def expected_open(user: str, govern: tuple[str, ...]) -> set[str]:
    """The services that are open to a user of STORE."""
    free = {one for one in OTHERS if ("sieve" if one == "sieve" else "smtp") not in govern}
    return free | {"on@example.com": ALL, "reads@example.com": {"imap"}}.get(user, set())


def until_open(site: Site, user: str, services: set[str]) -> None:
    """Wait until exactly these services are open to the user; a changed file is noticed within a second or two."""
    until(f"{sorted(services)} are open to {user}", lambda: site.open_to(user) == services)
