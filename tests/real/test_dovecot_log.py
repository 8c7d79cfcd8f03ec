"""What a real Dovecot logs is what replay reads, also when a client tries to write the log."""

from __future__ import annotations

import imaplib
import os
import poplib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from mailpolicy.replay import Replay
from mailpolicy.store import Store
from real.conftest import need

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
CONFIG = """\
protocols = imap pop3
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
ssl = no
disable_plaintext_auth = no
auth_username_chars =
auth_username_format =
mail_location = maildir:{folder}/mail/%d/%n
first_valid_uid = 1
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%d/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
auth_failure_delay = 0
login_log_format_elements = user=<%u> session=<%{{session}}> method=%m rip=%r lip=%l
login_trusted_networks = 127.0.0.3
imap_id_log = *
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


class Dovecot(NamedTuple):
    """A running Dovecot."""

    imap: int
    pop3: int
    log: Path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    """A Dovecot of its own: own configuration, loopback only, ended by its own process id."""
    program = need("dovecot", "dovecot-imapd dovecot-pop3d")
    if os.geteuid() != 0:
        pytest.skip("only root starts Dovecot")
    folder = Path(tempfile.mkdtemp(prefix="mp-"))  # short: the names of sockets are
    try:
        folder.chmod(0o755)
        (folder / "mail").mkdir()
        nobody = pwd.getpwnam("nobody")
        os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
        server = Dovecot(_free_port(), _free_port(), folder / "log")
        places = {"folder": folder, "user": nobody.pw_uid, "group": nobody.pw_gid}
        (folder / "conf").write_text(CONFIG.format(**places, imap=server.imap, pop3=server.pop3))
        master = subprocess.Popen([program, "-F", "-c", str(folder / "conf")], stderr=subprocess.DEVNULL)
        try:
            _wait(lambda: _answers(server.imap) and _answers(server.pop3))
            yield server
        finally:
            master.send_signal(signal.SIGTERM)
            master.wait(20)
    finally:
        shutil.rmtree(folder)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
        return bool(probe.recv(1))
    return False


def _wait(holds: object) -> None:
    deadline = time.monotonic() + 20
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline, "Dovecot did not come up, or did not log"
        time.sleep(0.05)


def _imap(
    server: Dovecot, name: str, password: str = "secret", source: str = "127.0.0.1", said: str | None = None
) -> None:
    class From(imaplib.IMAP4):
        def _create_socket(self, timeout: float | None) -> socket.socket:
            return socket.create_connection((self.host, self.port), 10, (source, 0))

    client = From("127.0.0.1", server.imap)
    if said is not None:
        client.xatom("ID", said)
    with suppress(imaplib.IMAP4.error):
        client.login(f'"{name}"', password)
    client.logout()


def _pop3(server: Dovecot, name: str, source: str) -> None:
    class From(poplib.POP3):
        def _create_socket(self, timeout: float) -> socket.socket:
            return socket.create_connection((self.host, self.port), 10, (source, 0))

    client = From("127.0.0.1", server.pop3)
    client.user(name)
    client.pass_("secret")
    client.quit()


def test_logins_are_read_and_forgeries_are_not(dovecot: Dovecot) -> None:
    forged = "imap-login: Login: user=<bob@example.com>, rip=198.51.100.7"
    for name in (f"x>, {forged}", f"Nov 25 18:00:00 {forged}", f"x> dovecot: {forged}"):
        _imap(dovecot, name, password="wrong")
    _imap(dovecot, "Alice@Example.com")
    _imap(dovecot, "bob@example.com")
    _imap(dovecot, "bob@example.com", source="127.0.0.2")
    _pop3(dovecot, "alice@example.com", source="127.0.0.1")
    _pop3(dovecot, "alice@example.com", source="127.0.0.2")
    _imap(dovecot, "postmaster")
    _wait(lambda: dovecot.log.read_text().count("-login: Info: Login: ") >= 6)
    lines = dovecot.log.read_text().splitlines()
    assert sum(forged in line for line in lines) == 3, "the forgeries were logged as they were sent"
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


def test_what_a_client_says_of_itself_is_no_login(dovecot: Dovecot) -> None:
    """Its ID is logged as it sent it; a webmail that is trusted says where its user is, and names the session."""
    before = len(dovecot.log.read_text())
    forged = "imap-login: Info: Login: user=<bob@example.com>, rip=198.51.100.7, lip="
    _imap(dovecot, "postmaster", password="wrong", said=f'("name" "{forged}" "x-session-id" "a>, rip=198.51.100.7")')
    _imap(dovecot, "bob@example.com", source="127.0.0.2", said=f'("name" "x> {forged}" "x-originating-ip" "127.0.0.1")')
    _imap(dovecot, "bob@example.com", source="127.0.0.3", said='("name" "x" "x-originating-ip" "198.51.100.9")')
    _imap(dovecot, "bob@example.com", source="127.0.0.3", said='("name" "x" "x-session-id" "a>, rip=127.0.0.1, x=<b")')
    _wait(lambda: dovecot.log.read_text()[before:].count("-login: Info: Login: ") >= 3 + 2)
    lines = dovecot.log.read_text()[before:].splitlines()
    assert sum(forged in line for line in lines) == 2, "the forgeries were logged as they were sent"
    fed = Replay(Store("accounts.toml", STORE.encode()).policy())
    fed.feed(lines)
    [bob] = fed.refusals()
    assert (bob.address, bob.ips) == ("bob@example.com", ("127.0.0.2", "198.51.100.9"))
    assert (fed.logins, fed.broken_lines) == (2, 1), "a line with two addresses is not understood"
