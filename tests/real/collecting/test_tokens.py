"""Check that a real mpop and a real getmail collect with tokens from a Dovecot that verifies them, and only then."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers import Run
from tests.real import tokens
from tests.real.collecting.collector import Collecting, mail_of
from tests.real.collecting.programs import getmail, mpop
from tests.real.dovecot import private_dovecot
from tests.real.dovecot_releases import release
from tests.real.loopback import free_port, need

pytestmark = pytest.mark.real

# The release that knows tokens over POP3, of the environment that the tests run in: Debian 12's is older.
GETMAIL = str(Path(sys.executable).parent / "getmail")
SENTINEL = "s3ntinel-Of-The-Provider"
_TLS = """\
ssl = yes
ssl_server_cert_file = {certificate.chain}
ssl_server_key_file = {certificate.key}
service pop3-login {{
  inet_listener pop3s {{
    port = {port}
    ssl = yes
  }}
}}
"""


class Source(NamedTuple):
    """A mailbox elsewhere that a token opens."""

    address: str
    auth: str

    @property
    def name(self) -> str:
        return "work"

    @property
    def login(self) -> str:
        return f"{self.address.partition('@')[0]}@elsewhere.test"


XOAUTH2, OAUTHBEARER = Source("alice@example.com", "xoauth2"), Source("bob@example.com", "oauthbearer")
SOURCES = (XOAUTH2, OAUTHBEARER)


class Collector(Collecting):
    """A machine that collects from a Dovecot 2.4 elsewhere, which verifies tokens with a key of its own."""

    def __init__(self, programs: ExitStack, run: Run) -> None:
        super().__init__(programs, run)
        self._port = free_port()
        self.elsewhere = programs.enter_context(private_dovecot(release("2.4")))
        tokens.let_in_by_token(self.elsewhere)
        settings = _TLS.format(certificate=self.certificate, port=self._port)
        (self.elsewhere.folder / "conf.d" / "60-tls.conf").write_text(settings)
        self.elsewhere.let_in({})
        self.elsewhere.start()
        self.write("multipop = true")
        for source in SOURCES:
            self._deliver(source.login)
            (self.folder / source.login).write_text(f"{tokens.token(source.login)}\n")
        self.makes('exec cat "$(dirname "$0")/$1"')

    def write(self, server: str) -> None:
        """The store; `server` says whether the server collects at all."""
        lines = [f"version = 1\n[server]\n{server}\n"]
        for source in SOURCES:
            lines += [
                f"[accounts.'{source.address}']\nmultipop = true\n",
                f"[accounts.'{source.address}'.sources.{source.name}]\nhost = 'localhost'\nport = {self._port}\n",
                f"login = '{source.login}'\nauth = '{source.auth}'\ntoken = 'elsewhere'\n",
            ]
        self.machine.store.write_text("".join(lines))

    def makes(self, body: str) -> None:
        """Let a script of sh make the tokens."""
        script = self.folder / "oauth-token"
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        self.machine.host_config.write_text(
            f"[tokens.elsewhere]\ncommand = ['{script}', '{{login}}']\nhosts = ['localhost']\n"
        )

    def _deliver(self, login: str) -> None:
        nobody = pwd.getpwnam("nobody")
        home = self.elsewhere.folder / "mail" / login
        folders = [home, home / "Maildir", *(home / "Maildir" / name for name in ("new", "cur", "tmp"))]
        mail = home / "Maildir" / "new" / "first"
        for path in folders:
            path.mkdir()
        mail.write_bytes(mail_of(login))
        for path in (*folders, mail):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)


@pytest.fixture
def collector(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with ExitStack() as programs:
        collector = Collector(programs, run)
        collector.machine.here(monkeypatch)
        yield collector


def test_mpop_collects_with_both_mechanisms(collector: Collector) -> None:
    collector.write("multipop = false")
    assert mpop(collector, "-a").status != 0  # there is no account in the file
    collector.write("multipop = true")
    assert mpop(collector, "-a", trusted=False).status != 0
    assert collector.handed_in() == []
    result = mpop(collector, "-a")
    assert result.status == 0, result.out + result.err + collector.elsewhere.log()
    assert collector.handed_in() == [(source.address, source.login) for source in SOURCES]
    assert _mechanisms(collector) == {"XOAUTH2", "OAUTHBEARER"}


def test_getmail_collects_with_xoauth2(collector: Collector) -> None:
    assert getmail(collector, XOAUTH2, program=GETMAIL, trusted=False).status != 0
    assert collector.handed_in() == []
    result = getmail(collector, XOAUTH2, program=GETMAIL)
    assert result.status == 0, result.out + result.err + collector.elsewhere.log()
    assert collector.handed_in() == [(XOAUTH2.address, XOAUTH2.login)]
    assert _mechanisms(collector) == {"XOAUTH2"}


def test_who_may_not_collect_any_more_gets_no_token(collector: Collector) -> None:
    """The files of the collectors are old: the policy is asked at each poll."""
    ran = collector.folder / "ran"
    collector.makes(f'touch {ran}; exec cat "$(dirname "$0")/$1"')
    exported = collector.run("export", "mpop").out
    collector.write("multipop = false")
    settings = collector.home / "mpoprc"
    settings.write_text(f"defaults\ntls_trust_file {collector.certificate.authority}\n{exported}")
    settings.chmod(0o600)
    result = collector.collect(need("mpop", "mpop"), "-C", str(settings), "-a")
    assert result.status != 0
    assert "must not collect from work: multipop-off-on-server" in result.err
    assert collector.handed_in() == []
    assert not ran.exists()


@pytest.mark.parametrize(
    "body",
    [
        f"echo {tokens.token(XOAUTH2.login, key=b'another key')}",
        'exec cat "$(dirname "$0")/bob@elsewhere.test"',
        f"echo {SENTINEL}; echo {SENTINEL}",
        "true",
        f"echo {SENTINEL}; echo {SENTINEL} >&2; exit 3",
    ],
    ids=["forged", "of somebody else", "two lines", "nothing", "failed"],
)
def test_without_a_right_token_nothing_is_collected(collector: Collector, body: str) -> None:
    collector.makes(body)
    for result in (mpop(collector, f"{XOAUTH2.address}/work"), getmail(collector, XOAUTH2, program=GETMAIL)):
        assert result.status != 0
        assert SENTINEL not in result.out + result.err
    assert collector.handed_in() == []
    assert SENTINEL not in collector.elsewhere.log()
    kept = [path for path in collector.home.rglob("*") if path.is_file()]
    assert not [path for path in kept if SENTINEL.encode() in path.read_bytes()]


def test_fetchmail_collects_neither_and_the_export_says_so(collector: Collector) -> None:
    exported = collector.run("export", "fetchmail")
    assert "poll " not in exported.out
    assert all(f"{source.address}/work" in exported.err for source in SOURCES)


def _mechanisms(collector: Collector) -> set[str]:
    log = collector.elsewhere.log()
    return {mechanism for mechanism in tokens.MECHANISMS if f"method={mechanism}" in log}
