"""MultiPOP sources: their commands, and the passwords that go with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import MINIMAL, Run
from tests.machine import ALICE, CAROL, FIRST, JSON, SECOND, Machine, user

GMX = f"multipop/{ALICE}/gmx/alice@pop.gmx.example:995/implicit"
ADD = ("multipop", "source", "add", ALICE, "gmx", "--host", "pop.gmx.example", "--login", "alice")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine with a keyring of the tests' own, where Alice may collect; no run may leak a secret."""
    machine = Machine(tmp_path, JSON)
    machine.store.write_text(machine.store.read_text().replace("\npop = true\n", "\npop = true\nmultipop = true\n", 1))
    yield machine
    assert machine.leaks() == []


def test_add_with_a_password_keeps_both(machine: Machine) -> None:
    added = machine.run(*ADD, "--password-stdin", stdin=FIRST)
    assert added.status == 0
    assert machine.kept() == {GMX: FIRST}
    again = machine.run(*ADD, "--password-stdin", stdin=FIRST)
    assert [line.rpartition("\t")[2] for line in again.out.splitlines()] == ["ok", "ok"]
    assert machine.pending() == []


def test_add_without_one_says_what_is_missing(machine: Machine) -> None:
    added = machine.run(*ADD)
    assert "mailpolicy multipop source set-password alice@example.com gmx" in added.err
    found = machine.run("validate", "--secrets", "--json")
    (finding,) = json.loads(found.out)["files"][0]["findings"]
    assert finding["code"] == "MP060"
    assert finding["message"].endswith("mailpolicy multipop source set-password alice@example.com gmx")
    assert machine.run("multipop", "source", "set-password", ALICE, "gmx", "--password-stdin", stdin=SECOND).status == 0
    assert machine.kept() == {GMX: SECOND}
    assert machine.run("validate", "--secrets", "--strict").status == 0


def test_a_password_is_typed_at_a_prompt_that_names_the_source(machine: Machine) -> None:
    machine.run(*ADD)
    typed = machine.type("multipop", "source", "set-password", ALICE, "gmx", answer=FIRST)
    assert typed.status == 0
    assert f"password for the source gmx of {ALICE}: " in typed.out
    assert machine.kept() == {GMX: FIRST}


def test_rename_takes_all_passwords_along(machine: Machine) -> None:
    machine.run(*ADD, "--password-stdin", stdin=FIRST)
    machine.give(ALICE, SECOND)
    renamed = machine.run("account", "rename", ALICE, CAROL)
    assert renamed.status == 0
    assert machine.kept() == {GMX.replace(ALICE, CAROL): FIRST, user(CAROL): SECOND}
    assert "source gmx password\tmoved in the keyring\tchanged" in renamed.out
    assert machine.pending() == []


@pytest.mark.parametrize("command", [("account", "remove", ALICE), ("multipop", "source", "remove", ALICE, "gmx")])
def test_remove_forgets_the_password(machine: Machine, command: tuple[str, ...]) -> None:
    machine.run(*ADD, "--password-stdin", stdin=FIRST)
    assert machine.run(*command).status == 0
    assert machine.kept() == {}
    assert "sources" not in machine.store.read_text()
    assert machine.run(*command).status == 4
    assert machine.run(*command, "--if-exists").status == 0


def test_print_password_only_of_what_is_polled(machine: Machine) -> None:
    secret = "q\"uote\\back' sp ace ü"
    ask = ("multipop", "source", "print-password", ALICE)
    machine.run(*ADD, "--password-stdin", stdin=secret)
    assert machine.run(*ask, "gmx").out == f"{secret}\n"
    assert machine.run(*ask, "old").status == 4
    machine.run("multipop", "source", "add", ALICE, "old", "--host", "192.0.2.7", "--login", "a", "--disabled")
    assert (machine.run(*ask, "old").status, machine.run(*ask, "old").out) == (5, "")
    machine.run("account", "suspend", ALICE)
    refused = machine.run(*ask, "gmx")
    assert (refused.status, refused.out) == (5, "")
    assert "account-suspended" in refused.err
    machine.run("account", "resume", ALICE)
    machine.seen = machine.seen.replace(secret, "")  # printed, as it was asked for
    assert machine.run(*ask, "gmx", "--json").status == 2


def test_print_password_refuses_a_terminal(machine: Machine) -> None:
    import pexpect

    machine.run(*ADD, "--password-stdin", stdin=FIRST)
    program, *rest = machine.command("multipop", "source", "print-password", ALICE, "gmx")
    child = pexpect.spawn(program, rest, cwd=str(machine.folder), env=machine.environment, encoding="utf-8", timeout=30)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 5
    assert FIRST not in child.before


def test_a_missing_password_is_no_empty_one(machine: Machine) -> None:
    machine.run(*ADD)
    asked = machine.run("multipop", "source", "print-password", ALICE, "gmx")
    assert (asked.status, asked.out) == (6, "")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--tls", "ssl"),
        ("--port", "0"),
        ("--host", "pop.gmx.example:995"),
        ("--login", " alice"),
        ("--no-keep", "--delete-after-days", "3"),
        ("--max-size-kb", "0"),
        ("--password-stdin", "--password-file", "x"),
    ],
)
def test_bad_sources_are_usage_errors(wrong: tuple[str, ...], run: Run, store: Path) -> None:
    before = store.read_bytes()
    assert run("--file", str(store), *ADD, *wrong).status == 2
    assert run("--file", str(store), *ADD[:4], "G M X", *ADD[5:]).status == 2
    assert store.read_bytes() == before


def test_check_says_how_many_would_be_polled(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    source = '\n[accounts."{0}".sources.{1}]\nhost = "pop.gmx.example"\nlogin = "a"\n'
    text = MINIMAL.replace("\npop = true\n", "\npop = true\nmultipop = true\n", 1)
    store.write_text(text + "".join(source.format("alice@example.com", name) for name in ("gmx", "old", "web")))
    store.write_text(store.read_text() + "enabled = false\n" + source.format("bob@example.com", "gmx"))
    check = ("--file", str(store), "check")
    assert run(*check, "alice@example.com", "multipop").out == "allow\n  2 of 3 sources would be polled\n"
    assert json.loads(run(*check, "alice@example.com", "multipop", "--json").out)["sources"] == 2
    denied = run(*check, "bob@example.com", "multipop")
    assert denied.out.startswith("deny: service-off\n")
    assert denied.out.endswith("\n  0 of 1 sources would be polled\n")
    assert "sources" not in json.loads(run(*check, "alice@example.com", "imap", "10.0.0.1", "--json").out)


def test_set_changes_the_options_given(run: Run, store: Path) -> None:
    use = ("--file", str(store), "multipop", "source")
    before = store.read_text()
    assert run(*use, "add", "alice@example.com", "gmx", "--host", "pop.gmx.example", "--login", "a").status == 0
    added = store.read_text()
    changes = ("--disabled", "--tls", "starttls", "--max-size-kb", "500", "--delete-after-days", "7")
    result = run(*use, "set", "alice@example.com", "gmx", *changes)
    assert result.out.splitlines() == [
        "alice@example.com\tsource gmx tls\tstarttls\tchanged",
        "alice@example.com\tsource gmx enabled\toff\tchanged",
        "alice@example.com\tsource gmx max-size-kb\t500\tchanged",
        "alice@example.com\tsource gmx delete-after-days\t7\tchanged",
    ]
    changed = store.read_text()
    assert 'host = "pop.gmx.example"\nlogin = "a"\ntls = "starttls"\nenabled = false\nmax_size_kb = 500\n' in changed
    again = run(*use, "set", "alice@example.com", "gmx", *changes)
    assert all(line.endswith("\tok") for line in again.out.splitlines())
    assert store.read_text() == changed
    refused = run(*use, "set", "alice@example.com", "gmx", "--no-keep")
    assert (refused.status, "has no effect with `keep = false`" in refused.err) == (5, True)
    assert run(*use, "set", "alice@example.com", "gmx", "--any-size", "--never-delete", "--no-keep").status == 0
    assert "max_size" not in store.read_text()
    assert (
        run(*use, "remove", "alice@example.com", "gmx", "--keyring-backend", "keyring.backends.null.Keyring").status
        == 0
    )
    assert store.read_text() == before
    assert added != before
    for wrong, status in (
        (("alice@example.com", "gmx"), 2),
        (("alice@example.com", "gmx", "--any-size", "--max-size-kb", "1"), 2),
        (("alice@example.com", "gmx", "--tls", "no"), 2),
        (("alice@example.com", "gmx", "--host", "a b"), 2),
        (("alice@example.com", "gmx", "--enabled"), 4),
        (("nobody@example.com", "gmx", "--enabled"), 4),
    ):
        assert run(*use, "set", *wrong).status == status, wrong


def test_list(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(MINIMAL)
    assert run("--file", str(store), *ADD, "--tls", "starttls").status == 0
    listed = run("--file", str(store), "multipop", "source", "list")
    row = "alice@example.com\tgmx\tpop.gmx.example\t110\talice\tstarttls\tkeep\tnot polled: service-off\tpassword\n"
    assert listed.out == row
    shown = json.loads(run("--file", str(store), "multipop", "source", "list", "alice@example.com", "--json").out)
    assert (shown["schema"], shown["line"], shown["polled"]) == ("mailpolicy.source/1", 20, False)
    assert run("--file", str(store), "multipop", "source", "list", "bob@example.com").out == ""
    assert run("--file", str(store), "multipop", "source", "list", "eve@example.com").status == 4
