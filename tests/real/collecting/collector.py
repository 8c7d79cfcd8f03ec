"""A machine that collects mail over POP3 from a real Dovecot and hands it in by SMTP."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from mailpolicy.store.store import Store
from tests.helpers import Result, Run
from tests.machine import JSON, Machine
from tests.real.loopback import Certificate, folder, need
from tests.real.pop3 import Dovecot
from tests.real.smarthost import SmartHost

NOBODY = "nobody"


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


class Collecting:
    """A machine that collects from elsewhere; what it hands in is at `inbox`."""

    def __init__(self, programs: ExitStack, run: Run) -> None:
        self._run = run
        self.folder = programs.enter_context(folder())
        self.certificate = Certificate(self.folder)
        self.inbox = programs.enter_context(SmartHost())
        self.machine = Machine(self.folder, JSON)
        self.home = self.folder / "collecting"
        self.home.mkdir(mode=0o700)

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
        return self.collect(*command, stdin=stdin, trusted=trusted, user=NOBODY)

    def handed_in(self) -> list[tuple[str, str]]:
        """For whom each mail was handed in, and in which mailbox it was."""
        return sorted((", ".join(mail.recipients), mailbox_of(mail.content)) for mail in self.inbox.mails)


class Collector(Collecting):
    """A machine that collects from a Dovecot elsewhere with passwords."""

    def __init__(self, programs: ExitStack, run: Run, sources: list[Source]) -> None:
        super().__init__(programs, run)
        self.sources = sources
        passwords = {source.login: source.password for source in sources}
        (self.folder / "elsewhere").mkdir()
        self.elsewhere = programs.enter_context(Dovecot(self.folder / "elsewhere", self.certificate, passwords))
        for source in sources:
            self.elsewhere.deliver(source.login, "first", mail_of(source.login))
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

    def left(self) -> dict[str, int]:
        """How many mails are left in each mailbox of POLICY."""
        return {source.login: len(self.elsewhere.mails(source.login)) for source in POLICY}


def mail_of(login: str, size: int = 0) -> bytes:
    return f"From: someone@far.test\nTo: {login}\nSubject: test\nX-Mailbox: {login}\n\n{'x' * 70}\n".encode() + (
        b"y" * 70 + b"\n"
    ) * (size // 71)


def mailbox_of(content: bytes) -> str:
    found = re.search(rb"X-Mailbox: (.*?)\r?\n", content)
    assert found is not None
    return found[1].decode()


def polled(sources: list[Source]) -> list[tuple[str, str]]:
    """Who gets the mail of which mailbox."""
    return sorted((source.address, source.login) for source in sources if source.login not in CLOSED)
