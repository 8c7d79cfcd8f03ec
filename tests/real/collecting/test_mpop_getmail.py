"""Check what a real mpop and a real getmail collect with the exported files, and for whom."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.helpers import Result
from tests.real.collecting.collector import CLOSED, LEFT, POLICY, Collector, Source, polled
from tests.real.loopback import need

pytestmark = pytest.mark.real


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
