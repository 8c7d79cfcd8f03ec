"""The real mpop and getmail, run with the exported files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

from tests.helpers import Result
from tests.real.collecting.collector import Collecting
from tests.real.loopback import need


class Named(Protocol):
    """A source of an account."""

    @property
    def address(self) -> str: ...

    @property
    def name(self) -> str: ...


def sendmail(collector: Collecting) -> Path:
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


def mpop(collector: Collecting, which: str, *, trusted: bool = True) -> Result:
    """Run mpop with its exported file, told where the tests' authority and sendmail are."""
    program = need("mpop", "mpop")
    lines = collector.run("export", "mpop").out.replace("/usr/sbin/sendmail", str(sendmail(collector)))
    settings = collector.home / "mpoprc"
    trust = f"defaults\ntls_trust_file {collector.certificate.authority}\n" if trusted else ""
    settings.write_text(trust + lines, encoding="utf-8")
    settings.chmod(0o600)
    return collector.collect(program, "-C", str(settings), which)


def getmail(collector: Collecting, source: Named, *, program: str | None = None, trusted: bool = True) -> Result:
    """Run getmail with its exported file, told the same, and that root may run commands; by default the installed one."""
    program = program or need("getmail", "getmail6")
    lines = collector.run("export", "getmail", "--source", f"{source.address}/{source.name}").out
    lines = lines.replace("/usr/sbin/sendmail", str(sendmail(collector)))
    lines = lines.replace("[destination]", "[destination]\nallow_root_commands = true")
    if trusted:
        lines = lines.replace("/etc/ssl/certs/ca-certificates.crt", str(collector.certificate.authority))
    settings = collector.home / f"getmailrc-{source.address}"
    settings.write_text(lines, encoding="utf-8")
    settings.chmod(0o600)
    return collector.collect(program, "--rcfile", str(settings), "--getmaildir", str(collector.home))
