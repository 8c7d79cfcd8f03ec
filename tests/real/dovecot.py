"""A private Dovecot on loopback: its own configuration, ports and folders, ended by its own process id.

It has a passdb of its own with everybody's password, as a site has; mailpolicy's files are included as they are.
"""

from __future__ import annotations

import base64
import grp
import hashlib
import hmac
import imaplib
import json
import os
import poplib
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from mailpolicy.export import TARGETS
from tests.helpers import missing

_PATIENCE = 20.0  # seconds for a server to start or to answer
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
# What the versions say differently: the first lines, and where the site's users, their passwords and mails are.
HEADINGS = {
    "2.3": "disable_plaintext_auth = no",
    "2.4": "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\nauth_allow_cleartext = yes",
}
_SITES = {
    "2.3": """\
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Lu {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
""",
    "2.4": """\
mail_driver = maildir
mail_path = ~/Maildir
passdb site {{
  driver = passwd-file
  passwd_file_path = {folder}/users
  default_password_scheme = PLAIN
  auth_username_format = %{{user | lower}}
}}
userdb site {{
  driver = static
  fields {{
    uid = {uid}
    gid = {gid}
    home = {folder}/mail/%{{user}}
  }}
}}
""",
}


class Release(NamedTuple):
    """One Dovecot that can be run: its version as the exports know it, and the folders of its programs."""

    version: str
    folders: tuple[str, ...]

    def program(self, name: str) -> str:
        """The path of one of its programs."""
        found = shutil.which(name, path=":".join(self.folders))
        return found or missing(f"Dovecot {self.version} has no {name}: {_SOURCES[self.version]}")


VERSIONS = ("2.3", "2.4")
_SOURCES = {
    "2.3": "apt install dovecot-imapd dovecot-pop3d",
    "2.4": "tests/real/get-dovecot24 FOLDER, and MAILPOLICY_DOVECOT_24=FOLDER/bin",
}


@cache
def _releases() -> dict[str, Release]:
    """What is there, by version: the installed one, and the one of MAILPOLICY_DOVECOT_24."""
    found = {}
    places = [(*os.get_exec_path(), "/usr/sbin", "/usr/lib/dovecot")]
    if (unpacked := os.environ.get("MAILPOLICY_DOVECOT_24")) is not None:
        places.append((unpacked,))
    for folders in places:
        program = shutil.which("dovecot", path=":".join(folders))
        if program is not None:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
            found[said[:3]] = Release(said[:3], folders)
    return found


def release(version: str) -> Release:
    """The Dovecot of a version; the test is skipped without it, or fails where everything must be there."""
    return _releases().get(version) or missing(f"Dovecot {version} is missing: {_SOURCES[version]}")


class Attempt(NamedTuple):
    """One try to log in; `user` is the name as it is typed."""

    service: str
    ip: str
    user: str
    password: str


class _Imap(imaplib.IMAP4):
    def __init__(self, port: int, source: str) -> None:
        self._from = source
        super().__init__("127.0.0.1", port, timeout=_PATIENCE)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, (self._from, 0))


class _Pop3(poplib.POP3):
    def __init__(self, port: int, source: str) -> None:
        self._from = source
        super().__init__("127.0.0.1", port, timeout=_PATIENCE)

    def _create_socket(self, timeout: float) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, (self._from, 0))


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
        self.site = _SITES[its.version].format(folder=folder, **self._people)
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
        deadline = time.monotonic() + _PATIENCE
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
            self._server.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait(_PATIENCE)
        self._server = None

    def log(self) -> str:
        """What it wrote down."""
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @contextmanager
    def auth(self) -> Iterator[Auth]:
        """The connection that a mail server's authentication takes."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(str(self.folder / "run" / "auth-client"))
            yield Auth(connection)

    def ask(self, attempts: Iterable[Attempt]) -> list[bool]:
        """For each try, in order, whether PLAIN lets in."""
        with self.auth() as auth:
            return auth.ask(attempts)

    def doveadm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run doveadm on this instance."""
        return subprocess.run(
            [*self.doveadm_command, *arguments], capture_output=True, text=True, timeout=_PATIENCE, check=False
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
        connection = _Imap(self.imap_port, source)
        try:
            yield connection
        finally:
            connection.shutdown()

    def logs_in(self, attempt: Attempt, mechanism: str) -> bool:
        """Whether a real client at the loopback address gets in."""
        if attempt.service == "imap":
            with self.imap(attempt.ip) as connection:
                return _imap_login(connection, mechanism, attempt.user, attempt.password)
        pop3 = _Pop3(self.pop3_port, attempt.ip)
        try:
            return _pop3_login(pop3, mechanism, attempt.user, attempt.password)
        finally:
            pop3.close()


class Auth:
    """Dovecot's authentication protocol, client's side. Source: Dovecot's documentation, Auth Protocol 1.2."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._number = 0
        connection.sendall(f"VERSION\t1\t2\nCPID\t{secrets.randbelow(1 << 30) + 1}\n".encode())
        for line in self._lines:
            if line == b"DONE\n":
                return
        raise ConnectionError("dovecot hung up")

    def ask(self, attempts: Iterable[Attempt]) -> list[bool]:
        """For each try, in order, whether PLAIN lets in; many are under way at once."""
        waiting = list(attempts)
        answers: list[bool] = []
        while part := waiting[len(answers) : len(answers) + 1000]:
            first = self._number + 1
            self._connection.sendall(b"".join(self._begin("PLAIN", attempt, _plain(attempt)) for attempt in part))
            found: dict[int, bool] = {}
            while len(found) < len(part):
                kind, number, fields = self._answer()
                assert kind in ("OK", "FAIL"), (kind, fields)
                found[number] = kind == "OK" and "nologin" not in fields
            answers += [found[first + position] for position in range(len(part))]
        return answers

    def cram_md5(self, attempt: Attempt) -> bool:
        """Whether CRAM-MD5 lets in."""
        self._connection.sendall(self._begin("CRAM-MD5", attempt))
        kind, number, fields = self._answer()
        if kind == "CONT":
            response = base64.b64encode(_cram_md5(base64.b64decode(fields[0]), attempt.user, attempt.password))
            self._connection.sendall(b"CONT\t%d\t%s\n" % (number, response))
            kind, _, fields = self._answer()
        assert kind in ("OK", "FAIL")
        return kind == "OK" and "nologin" not in fields

    def _begin(self, mechanism: str, attempt: Attempt, initial: bytes | None = None) -> bytes:
        self._number += 1
        fields = ["AUTH", str(self._number), mechanism, f"service={attempt.service}", f"rip={attempt.ip}", "no-penalty"]
        if initial is not None:
            fields.append(f"resp={base64.b64encode(initial).decode()}")
        return ("\t".join(fields) + "\n").encode()

    def _answer(self) -> tuple[str, int, list[str]]:
        line = self._lines.readline()
        if not line:
            raise ConnectionError("dovecot hung up")
        kind, number, *fields = line.decode().rstrip("\n").split("\t")
        return kind, int(number), fields


def _escaped(name: str) -> str:
    return "".join(f"\\{character}" if character in "\\\"'" else character for character in name)


def _plain(attempt: Attempt) -> bytes:
    return f"\0{attempt.user}\0{attempt.password}".encode()


def _cram_md5(challenge: bytes, user: str, password: str) -> bytes:
    return f"{user} {hmac.new(password.encode(), challenge, hashlib.md5).hexdigest()}".encode()


class _Scram:
    """A client's answers in SCRAM without channel binding. Source: RFC 5802, 3 and 5."""

    def __init__(self, mechanism: str, user: str, password: str) -> None:
        self._hash = mechanism.removeprefix("SCRAM-").replace("-", "").lower()
        self._password = password.encode()
        name = user.replace("=", "=3D").replace(",", "=2C")
        self._first = f"n={name},r={secrets.token_hex(12)}"
        self._proved = False

    def __call__(self, said: bytes) -> bytes:
        if not said:
            return f"n,,{self._first}".encode()
        if self._proved:
            return b""
        self._proved = True
        parts = dict(part.split("=", 1) for part in said.decode().split(","))
        without_proof = f"c=biws,r={parts['r']}"
        salted = hashlib.pbkdf2_hmac(self._hash, self._password, base64.b64decode(parts["s"]), int(parts["i"]))
        key = hmac.digest(salted, b"Client Key", self._hash)
        exchanged = f"{self._first},{said.decode()},{without_proof}".encode()
        signature = hmac.digest(hashlib.new(self._hash, key).digest(), exchanged, self._hash)
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
        return f"{without_proof},p={proof}".encode()


# How a client says its token. Sources: RFC 7628, 3.1; Google's description of XOAUTH2.
_BEARING = {
    "OAUTHBEARER": "n,a={user},\1auth=Bearer {token}\1\1",
    "XOAUTH2": "user={user}\1auth=Bearer {token}\1\1",
}


def _responder(mechanism: str, user: str, password: str) -> Any:
    """What a client says to each of a server's challenges."""
    if mechanism == "PLAIN":
        return lambda said: f"\0{user}\0{password}".encode()
    if mechanism == "LOGIN":
        words = iter((user.encode(), password.encode()))
        return lambda said: next(words)
    if mechanism == "CRAM-MD5":
        return lambda said: _cram_md5(said, user, password)
    if mechanism in _BEARING:  # a server answers a refusal with its reason, which is acknowledged
        first = iter((_BEARING[mechanism].format(user=user, token=password).encode(),))
        return lambda said: next(first, b"\1")
    return _Scram(mechanism, user, password)


def _imap_login(connection: imaplib.IMAP4, mechanism: str, user: str, password: str) -> bool:
    assert f"AUTH={mechanism}" in connection.capabilities
    try:
        connection.authenticate(mechanism, _responder(mechanism, user, password))
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as refused:
        assert "[AUTHENTICATIONFAILED]" in str(refused) or "[UNAVAILABLE]" in str(refused)
        return False
    return connection.noop()[0] == "OK"


def _pop3_login(connection: poplib.POP3, mechanism: str, user: str, password: str) -> bool:
    try:
        if mechanism == "USER":
            connection.user(user)
            connection.pass_(password)
        elif mechanism == "APOP":
            connection.apop(user, password)
        else:
            respond = _responder(mechanism, user, password)
            answer = connection._shortcmd(f"AUTH {mechanism}")  # type: ignore[attr-defined]
            while answer.startswith(b"+ "):
                answer = connection._shortcmd(base64.b64encode(respond(base64.b64decode(answer[2:]))).decode())  # type: ignore[attr-defined]
    except poplib.error_proto as refused:
        assert b"[AUTH]" in refused.args[0]
        return False
    return connection.noop().startswith(b"+OK")


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
