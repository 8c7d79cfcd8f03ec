"""What smart-host takes as a password, what it changes, and what a dry run does not do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.machine import ALICE, BOB, FIRST, SECOND, Machine, user

SET = ("smart-host", "set", ALICE, "--login", "ours")
STDIN = (*SET, "--password-stdin")
UNKNOWN = "zoe@example.com"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("way", ["stdin", "file"])
def test_one_newline_at_the_end_is_not_the_passwords(machine: Machine, end: str, way: str) -> None:
    given = machine.folder / "given"
    given.write_bytes(f" {FIRST} {end}".encode())
    source = ["--password-stdin"] if way == "stdin" else ["--password-file", str(given)]
    assert machine.run(*SET, *source, stdin=given.read_bytes()).status == 0
    assert machine.kept() == {user(ALICE): f" {FIRST} "}


REFUSED = {
    "empty": (b"", "the password is empty"),
    "a newline only": (b"\n", "the password is empty"),
    "two newlines": (b"s3cret-of-today\n\n", "contains a newline or a NUL"),
    "two lines": (b"s3cret-of-today\ns3cret-of-yesterday", "contains a newline or a NUL"),
    "a carriage return": (b"s3cret-of-today\r", "contains a newline or a NUL"),
    "a NUL": (b"s3cret-of-today\0", "contains a newline or a NUL"),
    "not UTF-8": (b"s3cret-of-today\xff", "not UTF-8"),
    "too long": (b"x" * 65537, "longer than 65536 bytes"),
    "cut between two characters": (b"x" + "ä".encode() * 40000, "longer than 65536 bytes"),
    "cut inside a character": ("ä".encode() * 40000, "longer than 65536 bytes"),
}


@pytest.mark.parametrize(("secret", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("way", ["stdin", "file"])
def test_refused(machine: Machine, secret: bytes, message: str, way: str) -> None:
    given = machine.folder / "given"
    given.write_bytes(secret)
    source = ["--password-stdin"] if way == "stdin" else ["--password-file", str(given)]
    before = machine.untouched()
    result = machine.run(*SET, *source, stdin=secret)
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert machine.calls() == []
    assert machine.untouched() == before


def test_two_passwords_that_differ_at_the_prompt(machine: Machine) -> None:
    before = machine.untouched()
    result = machine.type(*SET, answer=FIRST, again=SECOND)
    assert result.status == 2
    assert "the two passwords differ; nothing was changed" in result.out
    assert machine.kept() == {}
    assert machine.untouched() == before


LOGINS = {
    "an account": (
        ("account", "add", UNKNOWN, "--login", "z"),
        f"set the smart-host password of {UNKNOWN}: mailpolicy smart-host set",
    ),
    "several": (("account", "add", UNKNOWN, "yan@x.example", "--login", "z"), " and those of 1 more: "),
    "the server": (
        ("smart-host", "set", "--server", "--login", "s"),
        "set the smart-host password of server: mailpolicy smart-host set",
    ),
    "a source": (
        ("multipop", "source", "add", ALICE, "gmx", "--host", "pop.gmx.example", "--login", "a"),
        ": mailpolicy multipop source set-password",
    ),
}


@pytest.mark.parametrize(("command", "said"), LOGINS.values(), ids=LOGINS)
def test_a_login_without_a_password_is_told(machine: Machine, command: tuple[str, ...], said: str) -> None:
    """Without the keyring being asked; and not again where nothing is changed."""
    for more in (["--dry-run"], []):
        assert said in machine.run(*command, *more).err
    assert machine.calls() == []
    assert "this does not set a password" not in machine.run(*command).err


def test_another_login_of_the_server_is_told(machine: Machine) -> None:
    machine.set("--server")
    told = machine.run("smart-host", "set", "--server", "--login", "theirs")
    assert "the password in the keyring is still the one of ours: mailpolicy smart-host set --server" in told.err


ADD_SOURCE = (
    *("multipop", "source", "add", ALICE, "gmx"),
    *("--host", "p.example", "--login", "a", "--password-stdin"),
)
FORGETTING = {
    "account remove": ("account", "remove", ALICE),
    "smart-host clear": ("smart-host", "clear", ALICE),
    "multipop source remove": ("multipop", "source", "remove", ALICE, "gmx"),
}


@pytest.mark.parametrize("command", FORGETTING.values(), ids=FORGETTING)
def test_a_password_that_goes_is_told_and_asked_about(machine: Machine, command: tuple[str, ...]) -> None:
    import pexpect

    machine.give(ALICE)
    machine.run(*ADD_SOURCE, stdin=SECOND)
    kept, before = machine.kept(), machine.untouched()
    dry = machine.run(*command, "--dry-run")
    assert f"password of {ALICE} would be deleted, if it is in the keyring (not checked by a dry run)" in dry.err
    for answer, status in (("n", 5), ("y", 0)):
        program, *rest = machine.command(*command)
        child = pexpect.spawn(
            program, rest, cwd=str(machine.folder), env=machine.environment, encoding="utf-8", timeout=30
        )
        child.expect(r"delete [12] passwords?\? \[y/N\]: ")
        assert f"password of {ALICE} would be deleted" in child.before
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == status
        assert (machine.kept() == kept, machine.untouched() == before) == (answer == "n", answer == "n")


@pytest.mark.parametrize("command", FORGETTING.values(), ids=FORGETTING)
def test_nobody_is_asked_without_a_terminal(machine: Machine, command: tuple[str, ...]) -> None:
    machine.give(ALICE)
    machine.run(*ADD_SOURCE, stdin=SECOND)
    assert machine.run(*command).status == 0


def test_refused_at_the_prompt(machine: Machine) -> None:
    result = machine.type(*SET, answer="")
    assert result.status == 2
    assert "the password is empty" in result.out
    assert machine.kept() == {}


def test_the_longest(machine: Machine) -> None:
    assert machine.run(*STDIN, stdin="x" * 65536 + "\r\n").status == 0
    assert machine.kept() == {user(ALICE): "x" * 65536}


@pytest.mark.parametrize("whose", [(ALICE,), (ALICE, "--login", "ours"), ("--server",)], ids=" ".join)
def test_without_a_terminal_and_a_source_nothing_is_read(machine: Machine, whose: tuple[str, ...]) -> None:
    before = machine.untouched()
    given = machine.folder / "given"
    given.write_text(FIRST)
    with open(given, "rb") as stdin:
        result = machine.run("smart-host", "set", *whose, source=stdin)
        assert stdin.tell() == 0
    assert (result.status, result.out) == (2, "")
    assert "--password-stdin or --password-file PATH" in result.err
    assert machine.calls() == []
    assert machine.untouched() == before


def test_bad_sources(machine: Machine) -> None:
    given = machine.folder / "given"
    given.write_text(FIRST)
    for source, message in {
        ("--password-stdin", "--password-file", str(given)): "cannot be combined",
        ("--password-file", str(machine.folder / "missing")): "missing: cannot read the password: no such file",
        ("--password-file", str(machine.folder)): "cannot read the password: this is a directory",
        ("--password", FIRST[:3]): "no such option",
    }.items():
        result = machine.run(*SET, *source, stdin=SECOND)
        assert (result.status, result.out) == (2, "")
        assert message in result.err.lower()
    assert machine.calls() == []


CASES: dict[str, tuple[tuple[str, ...], str, int]] = {
    "a new login": (STDIN, FIRST, 0),
    "a password alone": (("smart-host", "set", BOB, "--password-stdin"), FIRST, 0),
    "the server's": (
        ("smart-host", "set", "--server", "--login", "x", "--port", "25", "--yes", "--password-stdin"),
        FIRST,
        0,
    ),
    "the server's port": (("smart-host", "set", "--server", "--port", "25", "--yes"), "", 0),
    "clear": (("smart-host", "clear", BOB), "", 0),
    "remove": (("account", "remove", BOB), "", 0),
    "rename": (("account", "rename", BOB, UNKNOWN), "", 0),
    "a bad password": (STDIN, "two\nlines", 2),
    "no password": (STDIN, "", 2),
    "no source": (SET, FIRST, 2),
    "unknown to set": (("smart-host", "set", UNKNOWN, "--login", "x", "--password-stdin"), FIRST, 4),
    "unknown to clear": (("smart-host", "clear", UNKNOWN), "", 4),
    "unknown to remove": (("account", "remove", UNKNOWN), "", 4),
    "rename to one that exists": (("account", "rename", BOB, ALICE), "", 5),
    "no login yet": (("smart-host", "set", ALICE, "--password-stdin"), FIRST, 5),
    "no login of the server's yet": (("smart-host", "set", "--server", "--password-stdin"), FIRST, 5),
}


@pytest.mark.parametrize(("command", "stdin", "status"), CASES.values(), ids=CASES)
def test_dry_run(machine: Machine, command: tuple[str, ...], stdin: str, status: int) -> None:
    """The exit code is the real run's; no keyring is asked, nothing is written, no lock is taken."""
    machine.give(BOB, SECOND)
    before = machine.untouched()
    dry = machine.run(*command, "--dry-run", stdin=stdin)
    assert dry.status == status
    assert machine.calls() == []
    assert machine.untouched() == before
    assert not Path(f"{machine.store}.lock").exists()
    assert machine.run(*command, stdin=stdin).status == status


def test_dry_run_at_a_terminal_asks_nobody(machine: Machine) -> None:
    import pexpect

    for source in ([], ["--password-stdin"]):
        program, *rest = machine.command(*SET, *source, "--dry-run")
        child = pexpect.spawn(program, rest, cwd=str(machine.folder), env=machine.environment, timeout=30)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
        assert b"password for alice@example.com:" not in child.before
        assert b"+smart_host_login" in child.before


def test_the_servers_options_one_by_one(machine: Machine) -> None:
    """Each changes its own line, and a password alone changes no byte."""
    machine.set("--server")
    text = machine.store.read_text()
    assert 'login = "ours"' in text
    for option, old, new, relay in [
        (["--port", "25", "--yes"], "port = 587", "port = 25", "smtp.relay.example:25"),
        (["--host", "mx.example", "--yes"], 'host = "smtp.relay.example"', 'host = "mx.example"', "mx.example:25"),
        (["--per-account", "off"], "per_account_auth = true", "per_account_auth = false", "mx.example:25"),
        (["--login", "theirs"], 'login = "ours"', 'login = "theirs"', "mx.example:25"),
    ]:
        assert text.count(old) == 1
        calls = machine.calls()
        assert machine.run("smart-host", "set", "--server", *option).status == 0
        text = text.replace(old, new)
        assert machine.store.read_text() == text
        assert (machine.calls() == calls) is ("--yes" not in option)
        assert machine.kept() == {user("--server", relay): FIRST}
    before = machine.untouched()
    assert machine.run("smart-host", "set", "--server", "--password-stdin", stdin=SECOND).status == 0
    assert machine.kept() == {user("--server", "mx.example:25"): SECOND}
    assert machine.untouched() == before


def test_a_password_alone_keeps_the_login(machine: Machine) -> None:
    machine.give(ALICE)
    before = machine.untouched()
    result = machine.run("smart-host", "set", ALICE, "--password-stdin", "--json", stdin=SECOND)
    assert (result.status, json.loads(result.out)["changed"]) == (0, True)
    assert machine.kept() == {user(ALICE): SECOND}
    assert machine.untouched() == before


def test_a_login_alone_needs_its_password(machine: Machine) -> None:
    """An account's other login comes with a password: the old one belongs to the old login."""
    machine.give(ALICE)
    result = machine.run("smart-host", "set", ALICE, "--login", "other")
    assert result.status == 2
    assert "no terminal to ask for the password" in result.err
    assert machine.kept() == {user(ALICE): FIRST}
