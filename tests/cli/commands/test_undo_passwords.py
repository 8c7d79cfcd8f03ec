"""Passwords and undo: none is brought back, and those of what an undo takes away or renames go along."""

from __future__ import annotations

import pytest

from tests.cli.commands.desk import Desk, ended
from tests.cli.commands.test_undo import WHOLE
from tests.helpers import MINIMAL, Run
from tests.machine import ALICE, BOB, FIRST, SECOND, Machine


def test_a_removed_password_is_not_brought_back(machine: Machine) -> None:
    machine.host_config.write_text("journal = true\n")
    machine.set(ALICE)
    assert machine.run("account", "remove", ALICE, "--yes").status == 0
    assert machine.kept() == {}
    back = machine.run("undo")
    assert back.status == 0
    assert (
        f"passwords are not brought back; to set the smart-host password of {ALICE}: mailpolicy smart-host set {ALICE}"
        in (back.err)
    )
    assert 'smart_host_login = "ours"' in machine.store.read_text()
    assert machine.kept() == {}


@pytest.mark.parametrize(
    ("commands", "noted"),
    [
        ("multipop source add alice@example.com isp --host h.example --login l", None),
        ("multipop source set bob@example.com isp --port 110 --yes", None),  # it is moved
        ("smart-host set --server --port 465 --yes", None),
        ("account rename bob@example.com rob@example.com", None),
        ("smart-host set --server --login other --yes", "the smart-host password of server"),
        ("smart-host set bob@example.com --login other --password-stdin", "the smart-host password of bob@example.com"),
        ("multipop source remove bob@example.com isp --yes", "the source isp password of bob@example.com"),
        ("account remove bob@example.com --yes", "the smart-host password of bob@example.com, and those of 2 more"),
    ],
)
def test_the_note_about_passwords_is_about_those_that_are_missing(
    machine: Machine, commands: str, noted: str | None
) -> None:
    machine.host_config.write_text("journal = true\n")
    machine.store.write_text(WHOLE.replace("suspended = true\n", 'suspended = true\nsmart_host_login = "b"\n', 1))
    for words in ("multipop source set-password bob@example.com isp", "smart-host set --server"):
        assert machine.run(*words.split(), "--password-stdin", stdin=FIRST).status == 0
    assert machine.run(*commands.split(), stdin=SECOND).status == 0
    undone = machine.run("undo", "--yes")
    assert undone.status == 0
    notes = [line for line in undone.err.splitlines() if "passwords are not brought back" in line]
    assert [note.split("to set ")[1].split(":")[0] for note in notes] == ([noted] if noted else [])


def test_a_password_without_an_owner_goes(machine: Machine) -> None:
    machine.host_config.write_text("journal = true\n")
    machine.set(ALICE)
    undone = machine.run("undo", "--yes")
    assert undone.status == 0
    assert "smart-host password\tremoved from the keyring\tchanged" in undone.out
    assert machine.kept() == {}


def test_a_renamed_account_gets_its_password_back(machine: Machine) -> None:
    machine.host_config.write_text("journal = true\n")
    machine.set(ALICE)
    machine.set(BOB, SECOND)
    kept = machine.kept()
    assert machine.run("account", "rename", ALICE, "al@example.com").status == 0
    assert machine.kept() != kept
    assert machine.run("undo").status == 0
    assert machine.kept() == kept
    assert set(kept.values()) == {FIRST, SECOND}


@pytest.mark.parametrize("login", ["", 'smart_host_login = "al"\n'])
def test_more_than_twenty_accounts_are_asked_about(desk: Desk, run: Run, login: str) -> None:
    more = "".join(f'\n[accounts."u{number}@example.com"]\n{login}' for number in range(19))
    desk.store.write_text(MINIMAL + more)
    assert run(*desk.options, "pop", "off", "--all").status == 0
    before = desk.store.read_bytes()
    for answer, status in (("n", 5), ("y", 0)):
        assert desk.store.read_bytes() == before
        person = desk.sit("true", command="undo")
        person.expect(r"Change 21 accounts in .*accounts.toml\? \[y/N\]: ")
        person.sendline(answer)
        assert ended(person) == status
    assert desk.store.read_text() == MINIMAL + more
