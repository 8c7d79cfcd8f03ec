"""account set, copy and export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailpolicy.store.store import Store
from tests.helpers import MINIMAL, Run

STORE = (
    MINIMAL.replace("[defaults]\n", '[defaults]\nextra_lan = ["branch"]\n')
    + """\
[accounts."carol@other.example"]
template = "staff"
imap = false
suspended = true
smart_host_login = "=carol"
expires = 2099-12-31
[accounts."carol@other.example".temporary]
until = 2099-12-24
imap = true
[accounts."carol@other.example".sources.isp]
host = "pop.isp.example"
login = "c"
[templates.staff]
pop = true
[networks]
branch = ["203.0.113.0/24"]
"""
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAILPOLICY_FILE", "accounts.toml")
    path = tmp_path / "accounts.toml"
    path.write_text(STORE)
    return path


def test_set_changes_several_settings_at_once(run: Run, path: Path) -> None:
    words = ("account", "set", "alice@example.com", "bob@example.com", "--pop", "off", "--imap", "lan-only")
    assert run(*words, "--template", "staff", "--login", "relay").out == (
        "alice@example.com\taccount\ttemplate = 'staff', pop = false (was true), imap = true, imap_lan_only = true, "
        "smart_host_login = 'relay'\tchanged\n"
        "bob@example.com\taccount\ttemplate = 'staff', pop = false, imap = true, imap_lan_only = true, "
        "smart_host_login = 'relay'\tchanged\n"
    )
    again = run(*words)
    assert again.out == "".join(
        f"{who}@example.com\taccount\tpop = false, imap = true, imap_lan_only = true\tok\n" for who in ("alice", "bob")
    )
    whole = run("account", "set", "--domain", "other.example", "--imap", "off")
    assert whole.out == "carol@other.example\taccount\timap = false\tchanged\n"  # it was, but for the exception
    assert "also taken out of the exception until 2099-12-24: imap, for carol@other.example\n" in whole.err
    assert run("check", "carol@other.example", "imap", "10.0.0.1").status == 1
    assert run("account", "set", "--domain", "other.example", "--imap", "off").out.endswith("\tok\n")


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (["alice@example.com"], 2, "nothing to set: name a setting"),
        (["--pop", "on"], 2, "no targets"),
        (["alice@example.com", "--multipop", "lan-only"], 2, "--multipop must be on or off"),
        (["nora@example.com", "--pop", "on"], 4, "no account nora@example.com"),
        (["alice@example.com", "--template", "staf"], 4, "no template staf, did you mean staff?"),
        (["alice@example.com", "--smtp", "off"], 5, "smtp is not governed"),
        (["alice@example.com", "--imap", "off", "--outlook-connector", "on"], 5, "Outlook Connector needs IMAP"),
        (["carol@other.example", "--outlook-connector", "on", "--imap", "on"], 0, ""),
    ],
)
def test_what_set_refuses(run: Run, path: Path, words: list[str], status: int, why: str) -> None:
    before = path.read_bytes()
    result = run("account", "set", *words)
    assert result.status == status
    assert why in result.err
    assert (path.read_bytes() == before) is bool(status)


def test_set_takes_what_it_closes_out_of_an_exception(run: Run, path: Path) -> None:
    path.write_text(STORE.replace("imap = false\n", ""))
    told = run("account", "set", "carol@other.example", "--imap", "off").err
    assert "also taken out of the exception until 2099-12-24: imap, for carol@other.example" in told
    assert "temporary" not in path.read_text()


def test_copy_says_what_it_left(run: Run, path: Path) -> None:
    words = ("account", "copy", "carol@other.example", "dan@other.example", "eve@example.com")
    done = run(*words)
    assert done.err == "not copied from carol@other.example: suspended, expires, temporary, smart_host_login, sources\n"
    accounts = Store.read(str(path)).policy().accounts
    for address in words[3:]:
        assert (accounts[address].own, accounts[address].template) == ({"imap": False}, "staff")
        assert not accounts[address].suspended
    assert run(*words).out.count("\tok\n") == 2
    taken = run("account", "copy", "carol@other.example", "bob@example.com")
    assert (taken.status, "bob@example.com already exists with no" in taken.err) == (5, True)
    assert run("account", "copy", "nora@example.com", "x@example.com").status == 4


CSV = """\
address,pop,pop_lan_only,imap,imap_lan_only,multipop,outlook_connector,smtp,smtp_lan_only,sieve,sieve_lan_only,\
extra_lan,template,suspended,expires,smart_host_login
carol@other.example,inherit,inherit,false,inherit,inherit,inherit,inherit,inherit,inherit,inherit,\
inherit,staff,true,2099-12-31,=carol
"""
EFFECTIVE = """\
address,pop,pop_lan_only,imap,imap_lan_only,multipop,outlook_connector,extra_lan,template,suspended,expires,\
smart_host_login
carol@other.example,true,false,true,false,false,false,branch,staff,true,2099-12-31,=carol
"""


def test_export_as_csv(run: Run, path: Path) -> None:
    only = ("account", "export", "--domain", "other.example")
    said = (
        "CSV leaves out 1 exception and 1 source: for these use --format ndjson or --format toml\n"
        "warning: a spreadsheet would calculate the smart_host_login of carol@other.example\n"
    )
    assert run(*only) == (0, CSV, said)
    assert run(*only, "--format", "csv").out == CSV
    effective = run(*only, "--effective")
    assert effective.out == EFFECTIVE
    assert (
        "note: an exception is in force for 1 account; its settings are written as if they were permanent\n"
        in effective.err
    )
    nobody = run("account", "export", "--domain", "nosuch.example")
    assert (nobody.status, "there are no accounts in the domain nosuch.example" in nobody.err) == (4, True)
    path.write_text(STORE.replace("=carol", "inherit"))
    refused = run(*only)
    assert (refused.status, refused.out, "use --format ndjson" in refused.err) == (5, "", True)
    path.write_text("version = 1\n")
    assert run("account", "export").out == CSV.splitlines(keepends=True)[0]


def test_export_as_objects_and_as_toml(run: Run, path: Path) -> None:
    answer = [json.loads(line) for line in run("account", "export", "--json").out.splitlines()]
    assert answer[0]["schema"] == "mailpolicy.account-export/1"
    assert (answer[2]["temporary"], answer[2]["sources"], answer[2]["pop"]) == (
        {"until": "2099-12-24", "imap": True},
        {"isp": {"host": "pop.isp.example", "login": "c"}},
        None,
    )
    assert run("account", "export", "--format", "ndjson").out == run("account", "export", "--json").out
    assert (
        run("account", "export", "--format", "toml", "--domain", "other.example").out
        == """\
version = 1

[accounts."carol@other.example"]
imap = false
template = "staff"
suspended = true
expires = 2099-12-31
smart_host_login = "=carol"

[accounts."carol@other.example".temporary]
until = 2099-12-24
imap = true

[accounts."carol@other.example".sources.isp]
host = "pop.isp.example"
login = "c"
"""
    )
