"""Real fetchmail, mpop and getmail with the exported files: what they collect over POP3, and for whom."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from mailpolicy.store.store import Store
from tests.helpers import Result, Run
from tests.machine import JSON, Machine
from tests.real.loopback import Certificate, folder, need
from tests.real.pop3 import Dovecot
from tests.real.smarthost import SmartHost

pytestmark = pytest.mark.real

_NOBODY = "nobody"
_DONE = 0  # fetchmail's exit status


class Source(NamedTuple):
    """A mailbox elsewhere; `more` is what else the store says about it, `account` about the account."""

    address: str
    login: str
    password: str
    more: str = ""
    account: str = "multipop = true"
    secure: bool = True

    @property
    def name(self) -> str:
        return "elsewhere"


PASSWORDS = {
    "quotes": 'it\'s "quoted" `here`"',
    "backslashes": "\\back\\n\\0\\x41\\",
    "blanks": "  two before, one inside and one after ",
    "utf8": "pässwörd-密码-🔑",
    "comment": "# no = comment [x]; {y}",
    "shell": "$HOME $(id) ${x} %s %(x)s ! & | * ~ < > ?",
    "digits": "\\x4",
    "dash": "-n",
}
AWKWARD = [
    Source(f"{name}@example.com", f"{login}@elsewhere.test", password)
    for (name, password), login in zip(
        PASSWORDS.items(), ["it's", "dom\\user", 'a"b', "x#y", "p$1", "q%s", "r", "s"], strict=True
    )
]
POLICY = [
    Source("keeps@example.com", "keeps", PASSWORDS["quotes"], "keep = true"),
    Source("takes@example.com", "takes", PASSWORDS["backslashes"], "keep = false"),
    Source("limits@example.com", "limits", PASSWORDS["utf8"], "max_size_kb = 2"),
    Source("starttls@example.com", "starttls", PASSWORDS["shell"], 'tls = "starttls"', secure=False),
    Source("plain@example.com", "plain", PASSWORDS["comment"], 'tls = "none"', secure=False),
    Source("off@example.com", "off", "x", account="multipop = false"),
    Source("suspended@example.com", "suspended", "x", account="multipop = true\nsuspended = true"),
    Source("disabled@example.com", "disabled", "x", "enabled = false"),
    Source("idn@xn--bcher-kva.example", "idn", PASSWORDS["blanks"]),
]
LEFT = {source.login: 1 for source in POLICY} | {"takes": 0, "limits": 2}
CLOSED = ("off", "suspended", "disabled")


class Collector:
    """A machine that collects from a Dovecot elsewhere; what it hands in is at `inbox`."""

    def __init__(self, programs: ExitStack, run: Run, sources: list[Source]) -> None:
        self._run = run
        self.sources = sources
        self.folder = programs.enter_context(folder())
        self.certificate = Certificate(self.folder)
        passwords = {source.login: source.password for source in sources}
        (self.folder / "elsewhere").mkdir()
        self.elsewhere = programs.enter_context(Dovecot(self.folder / "elsewhere", self.certificate, passwords))
        self.inbox = programs.enter_context(SmartHost())
        self.machine = Machine(self.folder, JSON)
        self.home = self.folder / "collecting"
        self.home.mkdir(mode=0o700)
        for source in sources:
            self.elsewhere.deliver(source.login, "first", _mail(source.login))
        self.write("multipop = true")
        accounts = Store.read(str(self.machine.store)).policy().accounts
        kept = {}
        for source in sources:
            there = accounts[source.address].sources[source.name]
            bound = f"{there.login}@localhost:{there.port}/{there.tls}"
            kept[f"multipop/{source.address}/{source.name}/{bound}"] = source.password
        self.machine.keyring.write_text(json.dumps({"mailpolicy": kept}), encoding="utf-8")

    def write(self, server: str) -> None:
        """The store; `server` says whether the server collects at all."""
        lines = [f"version = 1\n[server]\nlan = ['10.0.0.0/8']\n{server}\n"]
        for source in self.sources:
            port = self.elsewhere.secure if source.secure else self.elsewhere.plain
            lines += [
                f"[accounts.'{source.address}']\n{source.account}\n",
                f"[accounts.'{source.address}'.sources.{source.name}]\n",
                f"host = 'localhost'\nport = {port}\nlogin = {json.dumps(source.login)}\n{source.more}\n",
            ]
        self.machine.store.write_text("".join(lines), encoding="utf-8")

    def run(self, *arguments: str) -> Result:
        """Run mailpolicy on the machine."""
        result = self._run(*self.machine.options(), *arguments)
        assert result.status == 0, result.err
        return result

    def collect(self, *command: str, stdin: str = "", trusted: bool = True, user: str | None = None) -> Result:
        """Run a program that collects."""
        trust = {"SSL_CERT_FILE": str(self.certificate.authority)} if trusted else {}
        scripts = Path(sys.executable).parent
        environment = {
            **self.machine.environment,
            **trust,
            "HOME": str(self.home),
            "FETCHMAILHOME": str(self.home),
            "PATH": f"{scripts}:{os.environ['PATH']}",
        }
        whose = {}
        if user:
            whose = {"user": user, "group": "nogroup", "extra_groups": ()}
            shutil.chown(self.home, user)
        done = subprocess.run(
            command,
            input=stdin.encode(),
            capture_output=True,
            cwd=self.home,
            env=environment,
            timeout=60,
            check=False,
            **whose,  # type: ignore[call-overload]
        )
        return Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def fetchmail(self, *options: str, stdin: str = "", trusted: bool = True) -> Result:
        """Run fetchmail, which does not like root."""
        program = need("fetchmail", "fetchmail")
        command = [program, "--nosyslog", "--nodetach", "--pidfile", str(self.home / "pid"), *options]
        return self.collect(*command, stdin=stdin, trusted=trusted, user=_NOBODY)

    def left(self) -> dict[str, int]:
        """How many mails are left in each mailbox of POLICY."""
        return {source.login: len(self.elsewhere.mails(source.login)) for source in POLICY}

    def handed_in(self) -> list[tuple[str, str]]:
        """For whom each mail was handed in, and in which mailbox it was."""
        return sorted((", ".join(mail.recipients), _mailbox(mail.content)) for mail in self.inbox.mails)


def _mail(login: str, size: int = 0) -> bytes:
    return f"From: someone@far.test\nTo: {login}\nSubject: test\nX-Mailbox: {login}\n\n{'x' * 70}\n".encode() + (
        b"y" * 70 + b"\n"
    ) * (size // 71)


def _mailbox(content: bytes) -> str:
    found = re.search(rb"X-Mailbox: (.*?)\r?\n", content)
    assert found is not None
    return found[1].decode()


@pytest.fixture
def programs() -> Iterator[ExitStack]:
    with ExitStack() as programs:
        yield programs


@pytest.fixture
def awkward(programs: ExitStack, run: Run, monkeypatch: pytest.MonkeyPatch) -> Collector:
    collector = Collector(programs, run, AWKWARD)
    collector.machine.here(monkeypatch)
    return collector


@pytest.fixture
def policy(programs: ExitStack, run: Run, monkeypatch: pytest.MonkeyPatch) -> Collector:
    collector = Collector(programs, run, POLICY)
    collector.elsewhere.deliver("limits", "large", _mail("limits", 3000))
    collector.machine.here(monkeypatch)
    return collector


def polled(sources: list[Source]) -> list[tuple[str, str]]:
    """Who gets the mail of which mailbox."""
    return sorted((source.address, source.login) for source in sources if source.login not in CLOSED)


def test_fetchmail_with_awkward_passwords_from_a_file(awkward: Collector) -> None:
    path = awkward.folder / "exported/fetchmailrc"
    awkward.machine.host_config.write_text(
        f'[exports.collect]\ntarget = "fetchmail"\npath = "{path}"\nowner = "{_NOBODY}"\n'
        f'smtp = "127.0.0.1/{awkward.inbox.port}"\n'
    )
    awkward.run("deploy")
    assert path.stat().st_mode & 0o777 == 0o600
    result = awkward.fetchmail("-f", str(path))
    assert result.status == _DONE, result.out + result.err
    assert awkward.handed_in() == polled(AWKWARD)


def test_fetchmail_from_stdin_does_what_the_policy_says(policy: Collector) -> None:
    exported = ["export", "fetchmail", "--smtp", f"127.0.0.1/{policy.inbox.port}"]

    def collect(*, trusted: bool = True) -> Result:
        return policy.fetchmail("-f", "-", stdin=policy.run(*exported).out, trusted=trusted)

    unprotected = [(source.address, source.login) for source in POLICY if "none" in source.more]
    assert "certificate" in collect(trusted=False).err
    assert policy.handed_in() == unprotected

    policy.write("multipop = false")
    assert "poll " not in policy.run(*exported).out
    assert collect().status != _DONE
    assert policy.handed_in() == unprotected

    policy.write("multipop = true")
    result = collect()
    assert policy.handed_in() == polled(POLICY), result.err
    assert policy.left() == LEFT

    # What was kept is not fetched again, what came since is.
    policy.elsewhere.deliver("keeps", "second", _mail("keeps"))
    collect()
    assert policy.handed_in() == sorted([*polled(POLICY), ("keeps@example.com", "keeps")])
    for login in CLOSED:
        assert f"Login: user=<{login}>" not in policy.elsewhere.log()
    assert not [path for path in policy.home.rglob("*") if path.is_file() and b"there with" in path.read_bytes()]


def sendmail(collector: Collector) -> Path:
    """A sendmail that hands mail in at the inbox."""
    script = collector.folder / "sendmail"
    script.write_text(
        f"""#!{sys.executable}
import smtplib, sys
assert sys.argv[1] == "-i" and sys.argv[2] == "-f" and sys.argv[4] == "--", sys.argv
with smtplib.SMTP("127.0.0.1", {collector.inbox.port}) as client:
    client.sendmail(sys.argv[3], sys.argv[5:], sys.stdin.buffer.read())
"""
    )
    script.chmod(0o755)
    return script


def mpop(collector: Collector, which: str, *, trusted: bool = True) -> Result:
    """Run mpop with its exported file, told where the tests' authority and sendmail are."""
    program = need("mpop", "mpop")
    lines = collector.run("export", "mpop").out.replace("/usr/sbin/sendmail", str(sendmail(collector)))
    settings = collector.home / "mpoprc"
    trust = f"defaults\ntls_trust_file {collector.certificate.authority}\n" if trusted else ""
    settings.write_text(trust + lines, encoding="utf-8")
    settings.chmod(0o600)
    return collector.collect(program, "-C", str(settings), which)


def getmail(collector: Collector, source: Source, *, trusted: bool = True) -> Result:
    """Run getmail with its exported file, told the same, and that root may run commands."""
    program = need("getmail", "getmail6")
    lines = collector.run("export", "getmail", "--source", f"{source.address}/{source.name}").out
    lines = lines.replace("/usr/sbin/sendmail", str(sendmail(collector)))
    lines = lines.replace("[destination]", "[destination]\nallow_root_commands = true")
    if trusted:
        lines = lines.replace("/etc/ssl/certs/ca-certificates.crt", str(collector.certificate.authority))
    settings = collector.home / f"getmailrc-{source.login}"
    settings.write_text(lines, encoding="utf-8")
    settings.chmod(0o600)
    return collector.collect(program, "--rcfile", str(settings), "--getmaildir", str(collector.home))


def test_mpop(policy: Collector) -> None:
    refused = mpop(policy, "keeps@example.com/elsewhere", trusted=False)
    assert refused.status != 0
    assert "certificate" in refused.err
    assert policy.handed_in() == []
    result = mpop(policy, "-a")
    assert result.status == 0, result.out + result.err
    assert policy.handed_in() == polled(POLICY)
    assert mpop(policy, "keeps@example.com/elsewhere").status == 0
    assert len(policy.inbox.mails) == len(polled(POLICY))
    assert policy.left() == LEFT
    for login in CLOSED:
        assert f"Login: user=<{login}>" not in policy.elsewhere.log()


def test_getmail(policy: Collector) -> None:
    keeps, takes, limits = POLICY[:3]
    (plain,) = [source for source in POLICY if source.login == "plain"]
    (blanks,) = [source for source in POLICY if source.password.startswith(" ")]
    assert getmail(policy, keeps, trusted=False).status != 0
    assert policy.handed_in() == []
    chosen = [keeps, takes, limits, plain]  # getmail has no STARTTLS
    for source in chosen:
        result = getmail(policy, source)
        assert result.status == 0, result.out + result.err
    assert policy.handed_in() == polled(chosen)
    assert getmail(policy, keeps).status == 0
    assert len(policy.inbox.mails) == len(chosen)
    assert policy.left() == LEFT
    # White space at the ends of a password is what getmail does not keep; it has no other to log in with.
    assert getmail(policy, blanks).status != 0
    assert len(policy.inbox.mails) == len(chosen)
