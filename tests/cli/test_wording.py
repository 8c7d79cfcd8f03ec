"""What a person reads holds nothing of how the program is written, and nothing that is not so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers import ROOT, Run

STORE = """\
version = 1
[server]
edition = "pro"
multipop = true
lan = ["192.0.2.0/24"]
[defaults]
pop_lan_only = true
[accounts."a@x.example"]
template = "t"
pop = true
multipop = true
smart_host_login = "one"
[accounts."a@x.example".sources.gmx]
host = "pop.gmx.example"
login = "anna"
tls = "implicit"
[templates.t]
"""
SOURCE = ("multipop", "source", "add", "a@x.example", "gmx", "--host", "pop.gmx.example", "--login", "anna")
# Python's and Typer's own forms, a list with a gap in it, a number with the wrong noun.
INSIDES = re.compile(
    r"<[A-Z]\w*|\bTrue\b|\bFalse\b|\bNone\b|  or |choose or|, not$|\b1 (?:accounts|secrets|lines|logins)\b|\[\]|\{\}"
)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ((*SOURCE, "--tls", "starttls"), "exists with tls = 'implicit'"),
        ((*SOURCE, "--tls", "none", "--login", "b"), "exists with login = 'anna', tls = 'implicit'"),
        ((*SOURCE, "--no-keep"), "exists with keep = true"),
        ((*SOURCE, "--max-size-kb", "5"), "exists with no max_size_kb"),
        ((*SOURCE, "--tls", "foo"), "--tls is implicit, starttls or none, not 'foo'"),
        (("account", "add", "a@x.example", "--pop", "off"), "a@x.example already exists with pop = true"),
        (("account", "add", "a@x.example", "--login", "two"), "exists with smart_host_login = 'one'"),
        (("account", "add", "a@x.example", "--template", "u"), ""),
        (("multipop", "source", "print-password", "a@x.example", "gmx", "--json"), "it is always text"),
        (("account", "list", "--format", "sarif"), "use text or json"),
        (("validate", "--strict"), "192.0.2.0/24 is not entirely within"),
        (("check", "a@x.example", "pop", "10.0.0.1"), "# lets in 1 account\n"),
        (("pop", "off", "--in-template", "t"), "applies to 0 accounts"),
        (("pop", "off", "--in-defaults"), "applies to 0 accounts"),
        (("lan", "add", "10.0.0.0/8"), "1 account is restricted"),
        (("server", "set", "edition", "foo"), "edition must be pro or standard"),
        (("server", "show"), "pro"),
        (("account", "show", "a@x.example"), "on"),
        (("who", "pop"), "LAN"),
        (("export", "dovecot", "--strategy", "foo"), "allow-list or deny-list"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_nothing_of_the_inside_is_shown(command: tuple[str, ...], told: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(STORE)
    done = run("--file", "accounts.toml", *command)
    assert done.status not in (70, 141)
    said = done.out + done.err
    assert told in said
    assert not INSIDES.search(said), said


def test_what_suspending_does_not_stop(run: Run, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(STORE)
    told = run("--file", "accounts.toml", "account", "suspend", "a@x.example").err
    assert "but not sending (SMTP), open sessions, or webmail that does not log in over IMAP" in told
    for page in ("README.md", "docs/policy.md", "docs/enforcement.md"):
        assert "webmail and open sessions go on" not in (ROOT / page).read_text(encoding="utf-8")


def test_which_page_governs_what(run: Run, store: Path) -> None:
    for name in ("webmail", "https"):
        assert "governed by the Web Services page" in run("--file", str(store), "check", "a@x", name, "::1").err
    other = run("--file", str(store), "check", "a@x", "ActiveSync", "::1")
    assert other == (2, "", "mailpolicy: ActiveSync is not governed by mailpolicy, which gives no verdict on it\n")


def test_doctor_counts_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text('version = 1\n[accounts."a@x.example"]\n')
    assert "accounts.toml, 1 account\t" in run("--file", "accounts.toml", "doctor").out
