"""What people write in place of a command, and the line that they are told."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from mailpolicy.policy.nearest import nearest, nearest_address, nearest_key
from tests.helpers import MINIMAL, Run

TRIED = [
    ("enable pop alice@x", "pop on alice@x"),
    ("disable imap --domain x.example", "imap off --domain x.example"),
    ("on pop alice@x", "pop on alice@x"),
    ("lan-only imap alice@x", "imap lan-only alice@x"),
    ("pop alice@x on", "pop on alice@x"),
    ("pop alice@x on --lan-only", "pop on alice@x --lan-only"),
    ("pop alice@x bob@x lan-only", "pop lan-only alice@x bob@x"),
    ("imap alice@x enable", "imap on alice@x"),
    ("imap disable alice@x", "imap off alice@x"),
    ("pop everywhere alice@x", "pop anywhere alice@x"),
    ("pop onn alice@x", "pop on alice@x"),
    ("suspend alice@x", "account suspend alice@x"),
    ("resume alice@x", "account resume alice@x"),
    ("unsuspend alice@x", "account resume alice@x"),
    ("delete alice@x", "account remove alice@x"),
    ("create alice@x --pop on", "account add alice@x --pop on"),
    ("list", "account list"),
    ("create account alice@x", "account add alice@x"),
    ("add template t", "template add t"),
    ("account create alice@x --pop on", "account add alice@x --pop on"),
    ("account delete alice@x", "account remove alice@x"),
    ("account unsuspend alice@x", "account resume alice@x"),
    ("account enable alice@x", "account resume alice@x"),
    ("account disable o'neil@x", "account suspend 'o'\"'\"'neil@x'"),
    ("account suspnd alice@x", "account suspend alice@x"),
    ("account ls", "account list"),
    ("account mv a@x b@x", "account rename a@x b@x"),
    ("users list", "account list"),
    ("acount list", "account list"),
    ("chek alice@x pop 10.0.0.1", "check alice@x pop 10.0.0.1"),
    ("vaildate a.toml", "validate a.toml"),
    ("lint a.toml", "validate a.toml"),
    ("pop3 on alice@x", "pop on alice@x"),
    ("connector off alice@x", "outlook-connector off alice@x"),
    ("lan delete 10.0.0.0/8", "lan remove 10.0.0.0/8"),
    ("template create t", "template add t"),
    ("network create home 192.0.2.1", "network add home 192.0.2.1"),
    ("network grant home a@x", "network assign home a@x"),
    ("network revoke home a@x", "network unassign home a@x"),
    ("network delete home", "network remove home"),
    ("subnet list", "network list"),
    ("networks", "network list"),
    ("smart-host delete alice@x", "smart-host clear alice@x"),
    ("server multipop on", "server set multipop on"),
    ("server set-edition pro", "server set edition pro"),
    ("govern smtp", "server govern smtp"),
    ("server enable smtp", "server govern smtp"),
    ("server remove sieve", "server ungovern sieve"),
    ("server add govern smtp", "server govern smtp"),
    ("assign staff alice@x", "--help"),  # a template, or a network
    ("multipop source delete a@x gmx", "multipop source remove a@x gmx"),
    ("multipop sorce list", "multipop source list"),
    ("secrets ls", "secrets list"),
    ("foo", "--help"),
    ("foo bar", "--help"),
    ("enable", "--help"),
    ("suspend", "account suspend"),
    ("account foo", "account --help"),
    ("lan clear", "lan --help"),
    ("a", "--help"),
]


@pytest.mark.parametrize(("tried", "right"), TRIED)
def test_the_right_line_is_told(tried: str, right: str, run: Run, store: Path) -> None:
    before = store.read_bytes()
    arguments = shlex.split(tried) if "'" not in tried else tried.split()
    told = run(*arguments)
    assert told.status == 2
    assert told.out == ""
    assert told.err.startswith("mailpolicy: unknown command ")
    assert told.err.splitlines()[1:] == [f"  try: mailpolicy {right}"]
    named = run("--file", str(store), *arguments, "--json")
    assert json.loads(named.out)["exit"] == 2
    assert store.read_bytes() == before
    # What is told is a command that there is.
    shown = run(*shlex.split(right), "--help")
    assert shown.status == 0
    assert shown.out.startswith("Usage: mailpolicy")


ROSA = "rosa@acme.example"
ACCOUNTS = [ROSA, "alice@acme.example", "bob@acme.example", "maria@acme.example", "user0001@d1.example", "o'neil@x.org"]
MISTYPED = [
    ("nobody@acme.example", None),
    ("carl@acme.example", None),
    ("anna@acme.example", None),
    ("rob@acme.example", None),
    ("user0002@d1.example", None),
    ("user0001@d2.example", None),
    ("rosa@gmail.example", None),
    ("a@acme.example", None),
    ("rsoa@acme.example", ROSA),
    ("ros@acme.example", ROSA),
    ("rosaa@acme.example", ROSA),
    ("rosa@acme.exmaple", ROSA),
    ("rosa@acne.example", ROSA),
    ("ros@acme.exmaple", None),
    ("alcie@acme.example", "alice@acme.example"),
    ("oneil@x.org", "o'neil@x.org"),
    ("maria@acme.example.", "maria@acme.example"),
]


@pytest.mark.parametrize(("wrong", "right"), MISTYPED)
def test_nobody_else_is_suggested(wrong: str, right: str | None) -> None:
    assert nearest_address(wrong, ACCOUNTS) == right


def test_between_two_that_are_as_near_none_is_suggested() -> None:
    assert nearest_address("mari@x.example", ["maria@x.example", "marie@x.example"]) is None
    assert nearest("sale", ["sales", "sal"]) is None
    assert nearest("contracter", ["contractor", "sales"]) == "contractor"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("pop_lanonly", "pop_lan_only"),
        ("pop-lan-only", "pop_lan_only"),
        ("lan_only", "pop_lan_only"),
        ("smtp_lan_only", None),
        ("IMAP", "imap"),
        ("suspend", "suspended"),
        ("quota", None),
    ],
)
def test_a_key_of_another_service_is_not_suggested(wrong: str, right: str | None) -> None:
    assert nearest_key(wrong, ["pop", "imap", "pop_lan_only", "imap_lan_only", "suspended", "template"]) == right


def test_no_command_suggests_somebody_else(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(
        f'{MINIMAL}[accounts."rosa@acme.example"]\nsources.gmx = {{host = "pop.gmx.example", login = "r"}}\n'
    )
    file = ("--file", str(store))
    for command in (
        ("account", "suspend", "nobody@acme.example"),
        ("account", "show", "nobody@acme.example"),
        ("account", "rename", "nobody@acme.example", "x@acme.example"),
        ("check", "nobody@acme.example", "pop", "10.0.0.1"),
        ("pop", "on", "nobody@acme.example"),
        ("smart-host", "clear", "nobody@acme.example"),
        ("multipop", "source", "remove", "rosa@acme.example", "web"),
        ("pop", "on", "--in-template", "rosa"),
    ):
        said = run(*file, *command)
        assert said.status in (1, 4), (command, said)
        assert "rosa@acme.example," not in said.err.replace("did you mean", "")
        assert "did you mean" not in said.err
        assert "nearest" not in said.err


def test_what_stood_behind_two_dashes_stays_behind_them(run: Run) -> None:
    told = run("--", "enable", "pop", "a@x", "--format").err
    assert told.splitlines()[1:] == ["  try: mailpolicy pop on a@x -- --format"]
