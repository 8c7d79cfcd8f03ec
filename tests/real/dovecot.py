"""A private Dovecot on loopback: its own configuration, ports and folders, ended by its own process id.

It has a passdb of its own with everybody's password, as a site has; mailpolicy's files are included as they are.
"""

from __future__ import annotations

import grp
import imaplib
import json
import os
import pwd
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mailpolicy.export import TARGETS
from tests.real.clients import PATIENCE, Attempt, Auth, ImapFrom, Pop3From, imap_login, pop3_login
from tests.real.dovecot_releases import HEADINGS, SITES, Release

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")

_CONFIGURATION = """\
{heading}
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
auth_verbose = yes
protocols = imap pop3
listen = 127.0.0.1
ssl = no
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
first_valid_uid = {uid}
service imap-login {{
  {forever}
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
{own_root}
}}
service pop3-login {{
  {forever}
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
{own_root}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
{own_root}
}}
service stats {{
{own_root}
}}
{site}
!include_try conf.d/*.conf
"""


class Dovecot:
    """One instance in one folder; `data` is where the policy's passwd-file lies, `snippet` the file that is included.

    `site` are the site's own settings: where its users, their passwords and mails are.
    """

    def __init__(self, folder: Path, its: Release) -> None:
        self.folder = folder
        self.release = its
        self.data = folder / "mailpolicy.passwd"
        self.snippet = folder / "conf.d" / "00-mailpolicy.conf"
        self.settings = folder / "dovecot.conf"
        self.group = grp.getgrgid(os.getgid()).gr_name
        self.imap_port, self.pop3_port = 0, 0
        self._server: subprocess.Popen[bytes] | None = None
        for name in ("run", "state", "mail", "conf.d"):
            (folder / name).mkdir(mode=0o755)
        self._people = self._whom_it_runs_as()
        self.site = SITES[its.version].format(folder=folder, **self._people)
        self._configure()

    def _whom_it_runs_as(self) -> dict[str, object]:
        if os.getuid() == 0:
            self.group = "dovecot"
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder / "mail", nobody.pw_uid, nobody.pw_gid)
            return {
                "internal": "dovecot",
                "group": "dovecot",
                "login": "dovenull",
                "uid": nobody.pw_uid,
                "gid": nobody.pw_gid,
                "own_root": "",
            }
        me = pwd.getpwuid(os.getuid())
        return {
            "internal": me.pw_name,
            "group": self.group,
            "login": me.pw_name,
            "uid": me.pw_uid,
            "gid": me.pw_gid,
            "own_root": "  chroot =",
        }

    def let_in(self, passwords: Mapping[str, str]) -> None:
        """What the site knows: names, as they are typed, and their passwords; no password has a colon in it."""
        lines = [f"{_escaped(name)}:{{PLAIN}}{password}::::::\n" for name, password in passwords.items()]
        path = self.folder / "users"
        path.write_text("".join(lines), encoding="utf-8")
        path.chmod(0o644)

    def exports(self, **options: object) -> str:
        """The `host.toml` that brings this instance's two files; the options go to the targets that take them."""
        tables = {
            "dovecot": {"target": "dovecot", "path": str(self.data), "owner": f":{self.group}", "kick": self.kick},
            "dovecot-conf": {
                "target": "dovecot-conf",
                "path": str(self.snippet),
                "data": str(self.data),
                "dovecot": self.release.version,
                "doveconf": self.doveconf,
            },
        }
        lines = []
        for name, table in tables.items():
            taken = {key: value for key, value in options.items() if key in TARGETS[name].options}
            lines.append(f"[exports.{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in (table | taken).items()]
        return "\n".join(lines) + "\n"

    @property
    def kick(self) -> list[str]:
        """The command that ends sessions of this instance."""
        return [*self.doveadm_command, "kick"]

    def start(self) -> None:
        """Start it and wait until it answers; a port that somebody else took in the meantime is left to him."""
        for _ in range(5):
            self.imap_port, self.pop3_port = _free_ports(2)
            self._configure()
            with open(self.folder / "said", "wb") as said:
                self._server = subprocess.Popen(
                    [self.release.program("dovecot"), "-F", "-c", str(self.settings)],
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
            if self._answers():
                return
            self.stop()
        raise AssertionError(f"dovecot does not start:\n{(self.folder / 'said').read_text()}\n{self.log()}")

    def _configure(self) -> None:
        version = self.release.version
        text = _CONFIGURATION.format(
            heading=HEADINGS[version],
            forever="service_count = 0" if version == "2.3" else "restart_request_count = unlimited",
            site=self.site,
            folder=self.folder,
            mechanisms=" ".join((*MECHANISMS, "apop")).lower(),
            imap=self.imap_port,
            pop3=self.pop3_port,
            **self._people,
        )
        self.settings.write_text(text, encoding="utf-8")

    def _answers(self) -> bool:
        assert self._server is not None
        deadline = time.monotonic() + PATIENCE
        while self._server.poll() is None and time.monotonic() < deadline:
            try:
                with self.auth():
                    return True
            except OSError:
                time.sleep(0.01)
        return False

    def stop(self) -> None:
        """End it and the processes of its group, which it would wait a second for."""
        if self._server is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._server.pid, signal.SIGTERM)
        try:
            self._server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait(PATIENCE)
        self._server = None

    def log(self) -> str:
        """What it wrote down."""
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @contextmanager
    def auth(self) -> Iterator[Auth]:
        """The connection that a mail server's authentication takes."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self.folder / "run" / "auth-client"))
            yield Auth(connection)

    def ask(self, attempts: Iterable[Attempt]) -> list[bool]:
        """For each try, in order, whether PLAIN lets in."""
        with self.auth() as auth:
            return auth.ask(attempts)

    def doveadm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run doveadm on this instance."""
        return subprocess.run(
            [*self.doveadm_command, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    @property
    def doveadm_command(self) -> list[str]:
        """How doveadm is called on this instance."""
        return [self.release.program("doveadm"), "-c", str(self.settings)]

    @property
    def doveconf(self) -> list[str]:
        """How doveconf is called on this instance."""
        return [self.release.program("doveconf"), "-c", str(self.settings)]

    @contextmanager
    def imap(self, source: str = "127.0.0.1") -> Iterator[imaplib.IMAP4]:
        """An IMAP connection from a loopback address."""
        connection = ImapFrom(self.imap_port, source)
        try:
            yield connection
        finally:
            connection.shutdown()

    def logs_in(self, attempt: Attempt, mechanism: str) -> bool:
        """Whether a real client at the loopback address gets in."""
        if attempt.service == "imap":
            with self.imap(attempt.ip) as connection:
                return imap_login(connection, mechanism, attempt.user, attempt.password)
        pop3 = Pop3From(self.pop3_port, attempt.ip)
        try:
            return pop3_login(pop3, mechanism, attempt.user, attempt.password)
        finally:
            pop3.close()


def _escaped(name: str) -> str:
    return "".join(f"\\{character}" if character in "\\\"'" else character for character in name)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        listeners = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


@contextmanager
def private_dovecot(its: Release) -> Iterator[Dovecot]:
    """An instance that is not started yet, in a short folder, as a socket's path has no more than 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="mailpolicy-dovecot-") as folder:
        os.chmod(folder, 0o755)
        instance = Dovecot(Path(folder), its)
        try:
            yield instance
        finally:
            instance.stop()
        assert "Panic" not in instance.log()
