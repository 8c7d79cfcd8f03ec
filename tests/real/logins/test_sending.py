"""Who may send and change filters, at real servers: Postfix and Exim, which ask Dovecot, and Dovecot's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from mailpolicy.review.replay import Replay
from mailpolicy.store.store import Store
from tests.helpers import Run
from tests.real.clients import sieve_login, smtp_login
from tests.real.dovecot import Dovecot
from tests.real.exim import Exim
from tests.real.logins.site import INSIDE, OUTSIDE, Mailpolicy, password_of
from tests.real.loopback import folder, free_port, listening, need_root, until
from tests.real.postfix import Postfix

pytestmark = pytest.mark.real

STORE = """\
version = 1
[server]
edition = "pro"
lan = ["127.0.0.0-127.0.0.9"]
{govern}
[defaults]
imap = true
smtp = true
sieve = true
[templates.office]
smtp_lan_only = true
sieve_lan_only = true
[accounts."open@example.com"]
[accounts."office@example.com"]
template = "office"
[accounts."reads@example.com"]
smtp = false
sieve = false
[accounts."filters@example.com"]
smtp_lan_only = true
imap = false
[accounts."gone@example.com"]
suspended = true
"""
USERS = [*(f"{name}@example.com" for name in ("open", "office", "reads", "filters", "gone", "unlisted"))]
# Beside the servers of the other tests: Dovecot's own for mail that is sent and for filters, and a socket for others.
MORE = """\
protocols = imap pop3 sieve submission
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
hostname = submission.test
service managesieve-login {{
  inet_listener sieve {{
    port = {sieve}
  }}
}}
service submission-login {{
  inet_listener submission {{
    port = {submission}
  }}
  inet_listener submissions {{
    port = 0
  }}
}}
service auth {{
  unix_listener {folder}/login {{
    mode = 0666
  }}
}}
"""
EXIM = """\
# After `begin authenticators`
dovecot_plain:
  driver = dovecot
  public_name = PLAIN
  server_socket = {socket}
  server_set_id = $auth1
"""
LogsIn = Callable[[str, str, str], bool]  # login, password and address


class Server(NamedTuple):
    """A server of the site: the service that it belongs to, and how a client logs in there."""

    service: str
    logs_in: LogsIn


class Site(NamedTuple):
    """The servers, by name, and the Postfix among them."""

    servers: dict[str, Server]
    postfix: Postfix


@pytest.fixture
def start(dovecot: Dovecot) -> Iterator[Callable[[], Site]]:
    """Start Dovecot and the servers that ask it."""
    need_root()
    with ExitStack() as programs:

        def start() -> Site:
            where = programs.enter_context(folder())
            socket = dovecot.folder / "login"
            postfix = Postfix(where / "postfix", "", socket)
            sieve, submission = free_port(), free_port()
            more = MORE.format(folder=dovecot.folder, sieve=sieve, submission=submission, relay=postfix.port)
            (dovecot.folder / "conf.d" / "50-more.conf").write_text(more)
            dovecot.let_in({user: password_of(user) for user in USERS})
            dovecot.start()
            programs.enter_context(postfix)
            for port in (sieve, submission):
                until("Dovecot listens", partial(listening, port))
            found = {
                "Postfix": Server("smtp", postfix.logs_in),
                "submission": Server("smtp", lambda *question: smtp_login(submission, *question)),
                "ManageSieve": Server("sieve", lambda *question: sieve_login(sieve, *question)),
            }
            if dovecot.release.version == "2.3":  # Exim waits for Dovecot 2.4 to speak first, and that for Exim
                exim = Exim(where / "exim", EXIM.format(socket=socket))
                found["Exim"] = Server("smtp", exim.logs_in)
            return Site(found, postfix)

        yield start


@pytest.mark.parametrize("govern", [(), ("smtp",), ("smtp", "sieve")], ids=lambda govern: "-".join(govern) or "none")
def test_a_client_gets_in_as_check_says(
    dovecot: Dovecot,
    start: Callable[[], Site],
    mailpolicy: Mailpolicy,
    run: Run,
    tmp_path: Path,
    govern: tuple[str, ...],
) -> None:
    listed = ", ".join(f'"{service}"' for service in govern)
    store = tmp_path / "accounts.toml"
    store.write_text(STORE.format(govern=f"govern = [{listed}]"))
    (tmp_path / "host.toml").write_text(dovecot.exports())
    mailpolicy("deploy")
    wrong, answers = [], []
    for name, server in start().servers.items():
        for user, ip in product(USERS, (INSIDE, OUTSIDE)):
            allowed = (
                server.service not in govern or run("--file", str(store), "check", user, server.service, ip).status == 0
            )
            answer = server.logs_in(user, password_of(user), ip)
            answers.append(answer)
            if answer is not allowed:
                wrong.append((name, user, ip, f"expected {allowed}"))
        assert not server.logs_in("open@example.com", "wrong", INSIDE), name
    assert wrong == []
    senders = len(answers) // 12 - 1
    assert answers.count(False) == {0: 0, 1: 8 * senders, 2: 8 * senders + 7}[len(govern)]


def test_what_the_servers_log_is_replayed(
    dovecot: Dovecot, start: Callable[[], Site], mailpolicy: Mailpolicy, tmp_path: Path
) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(STORE.format(govern=""))
    (tmp_path / "host.toml").write_text(dovecot.exports())
    mailpolicy("deploy")
    site = start()
    dovecot.let_in(dict.fromkeys(USERS, "password"))
    for user in USERS:
        assert site.postfix.submit(user, login=user) == ""
        for name in ("submission", "ManageSieve"):
            assert site.servers[name].logs_in(user, "password", OUTSIDE)
    refused = site.postfix.logs_in("open@example.com", "wrong", INSIDE)
    assert not refused
    until(
        "Dovecot has logged",
        lambda: len(re.findall("-login: Info: (?:Login|Logged in): ", dovecot.log())) >= 2 * len(USERS),
    )
    lines = [*site.postfix.log().splitlines(), *dovecot.log().splitlines()]
    fed = Replay(Store("accounts.toml", STORE.format(govern="").encode()).policy())
    fed.feed(lines)
    assert (fed.logins, fed.broken, fed.not_governed) == (0, [], {"smtp": 2 * len(USERS), "sieve": len(USERS)})
    fed = Replay(Store("accounts.toml", STORE.format(govern='govern = ["smtp", "sieve"]').encode()).policy())
    fed.feed(lines)
    assert (fed.logins, fed.broken) == (3 * len(USERS), [])
    assert {
        (tally.address.partition("@")[0], str(tally.service), tally.refused, tally.ips) for tally in fed.refusals()
    } == {
        ("office", "smtp", 1, (OUTSIDE,)),
        ("office", "sieve", 1, (OUTSIDE,)),
        ("filters", "smtp", 1, (OUTSIDE,)),
        *((user, "smtp", 2, (INSIDE, OUTSIDE)) for user in ("reads", "gone", "unlisted")),
        *((user, "sieve", 1, (OUTSIDE,)) for user in ("reads", "gone", "unlisted")),
    }
