"""Check that keyring and store change together, in which order, and what is put back if one of them fails."""

from __future__ import annotations

import fcntl
import grp
import os
import resource
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import Run
from tests.machine import ALICE, BOB, CAROL, FIRST, HAS_LOGIN, SECOND, Machine, user
from tests.sealing import host_config, sealed_file


def small_disk() -> None:
    """No file may grow larger than 64 KiB: as on a full disk, and for root too."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))


def writes(machine: Machine) -> list[tuple[str, str]]:
    return [(call["call"], call["user"]) for call in machine.calls() if call["call"] != "get"]


def test_set_keeps_the_secret_first(machine: Machine) -> None:
    """Asked, kept and read back before the store is written."""
    assert machine.set(ALICE).status == 0
    calls = machine.calls()
    assert calls[0]["call"] == "get"
    assert [(call["call"], call["user"]) for call in calls[-2:]] == [("set", user(ALICE)), ("get", user(ALICE))]
    assert all(HAS_LOGIN not in call["store"] for call in calls)
    assert HAS_LOGIN in machine.store.read_text()
    assert machine.kept() == {user(ALICE): FIRST}
    assert machine.pending() == []


@pytest.mark.parametrize("command", [("account", "remove", ALICE), ("smart-host", "clear", ALICE)], ids=" ".join)
def test_remove_edits_the_store_first(changed: Machine, command: tuple[str, ...]) -> None:
    assert changed.run(*command).status == 0
    calls = changed.calls()
    assert HAS_LOGIN in calls[0]["store"]  # unlocked before anything is written
    deleted = [call for call in calls if call["call"] == "delete"]
    assert [call["user"] for call in deleted] == [user(ALICE)]
    assert HAS_LOGIN not in deleted[0]["store"]
    assert changed.kept() == {}


def test_rename_copies_edits_and_deletes(changed: Machine) -> None:
    assert changed.run("account", "rename", ALICE, CAROL).status == 0
    calls = changed.calls()
    assert writes(changed) == [("set", user(CAROL)), ("delete", user(ALICE))]
    kept = next(index for index, call in enumerate(calls) if call["call"] == "set")
    assert (calls[kept + 1]["call"], calls[kept + 1]["user"]) == ("get", user(CAROL))  # read back
    deleted = next(call for call in calls if call["call"] == "delete")
    assert (ALICE in calls[kept + 1]["store"], ALICE in deleted["store"]) == (True, False)
    assert changed.kept() == {user(CAROL): FIRST}


def test_a_held_lock_touches_no_secret(changed: Machine) -> None:
    before = changed.untouched()
    with open(f"{changed.store}.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for command in (
            ["smart-host", "set", ALICE, "--login", "new", "--password-stdin"],
            ["account", "remove", ALICE],
        ):
            assert changed.run(*command, "--lock-timeout", "0.1", stdin=SECOND).status == 75
        assert changed.run("account", "rename", ALICE, CAROL, "--lock-timeout", "0.1").status == 75
    assert writes(changed) == []
    assert changed.untouched() == before
    assert changed.pending() == []


def test_a_lock_that_is_a_link_touches_no_secret(changed: Machine) -> None:
    lock = Path(f"{changed.store}.lock")
    lock.symlink_to("elsewhere")
    assert changed.run("smart-host", "set", ALICE, "--login", "new", "--password-stdin", stdin=SECOND).status == 5
    assert writes(changed) == []
    assert changed.kept() == {user(ALICE): FIRST}


def test_a_note_that_is_a_link_is_not_followed(changed: Machine) -> None:
    """In a directory like /tmp somebody else may have put it there."""
    other = changed.folder / "other"
    other.write_text("precious")
    Path(f"{changed.store}.pending").symlink_to(other)
    assert changed.run("smart-host", "set", ALICE, "--login", "new", "--password-stdin", stdin=SECOND).status == 5
    edited = changed.run("pop", "off", BOB)
    assert edited.status == 0
    assert "was not made by mailpolicy" in edited.err
    assert other.read_text() == "precious"
    assert writes(changed) == []


def test_a_store_locked_too_late(changed: Machine) -> None:
    """Another writer takes the lock when the new secret is kept already: the old one is put back."""
    before = changed.untouched()
    command = ["smart-host", "set", ALICE, "--login", "new", "--password-stdin", "--lock-timeout", "0.1"]
    result = changed.run(*command, "--keyring-backend", "tests.backends.Locking", stdin=SECOND)
    assert result.status == 75
    assert writes(changed) == [("set", user(ALICE)), ("set", user(ALICE))]
    assert changed.kept() == {user(ALICE): FIRST}
    assert changed.untouched() == before


@pytest.mark.parametrize("had_one", [True, False])
def test_a_write_that_fails(machine: Machine, had_one: bool) -> None:
    """The disk refuses the store's new text: the old secret, or none, is put back."""
    machine.store.write_text(machine.store.read_text() + "# padding\n" * 10000)
    if had_one:
        machine.give(ALICE)
    kept = machine.kept()
    before = machine.untouched()
    result = machine.set(ALICE, SECOND, "--login", "new", preexec_fn=small_disk)
    assert result.status == 7
    assert "the old file is intact" in result.err
    assert machine.kept() == kept == ({user(ALICE): FIRST} if had_one else {})
    assert ("set", user(ALICE)) in writes(machine)
    assert machine.untouched() == before
    assert machine.pending() == []


def test_a_write_that_fails_removes_no_secret(changed: Machine) -> None:
    changed.store.write_text(changed.store.read_text() + "# padding\n" * 10000)
    for command in (["account", "remove", ALICE], ["smart-host", "clear", ALICE], ["account", "rename", ALICE, CAROL]):
        result = changed.run(*command, preexec_fn=small_disk)
        assert result.status == 7
        assert changed.kept() == {user(ALICE): FIRST}
        assert changed.pending() == []


def test_an_account_that_went_meanwhile(changed: Machine) -> None:
    """Another writer removed the account while its secret was kept: the old secret is back, nothing is written."""
    rival = changed.folder / "rival.toml"
    rival.write_text(changed.store.read_text().replace(ALICE, CAROL))
    gone = rival.read_bytes()
    command = ["smart-host", "set", ALICE, "--login", "new", "--password-stdin"]
    environment = {"TEST_RIVAL": str(rival)}
    result = changed.run(*command, "--keyring-backend", "tests.backends.Racing", stdin=SECOND, environment=environment)
    assert result.status == 4
    assert changed.kept() == {user(ALICE): FIRST}
    assert changed.store.read_bytes() == gone
    assert changed.pending() == []


def test_an_edit_that_needs_a_hand(machine: Machine) -> None:
    machine.store.write_text("version = 1\nserver = {\n  # nothing\n}\n")
    before = machine.untouched()
    result = machine.set("--server")
    assert result.status == 5
    assert "edit it by hand" in result.err
    assert machine.kept() == {}
    assert machine.untouched() == before
    assert machine.pending() == []


def failing_folder(folder: Path) -> Callable[[int], None]:
    """An fsync that fails for one directory."""
    real_fsync, facts = os.fsync, folder.stat()

    def fsync(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), facts):
            raise OSError(5, "Input/output error")
        real_fsync(descriptor)

    return fsync


UNCONFIRMED = [
    ("smart-host", "set", ALICE, "--login", "new", "--password-file", "given"),
    ("smart-host", "set", ALICE, "--password-file", "given"),
    ("account", "rename", ALICE, CAROL),
    ("account", "remove", ALICE),
]


@pytest.mark.parametrize("command", UNCONFIRMED, ids=" ".join)
def test_a_disk_that_does_not_confirm_the_sealed_file(
    machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """What was sealed is in place, so the store follows it, and the command ends with 8."""
    machine.backend = None
    folder = machine.folder / "sealed"
    folder.mkdir()
    keyring = sealed_file(folder)
    keyring.change("mailpolicy", {user(ALICE): FIRST})
    machine.give(ALICE)
    machine.keyring.unlink()
    machine.host_config.write_text(host_config(folder))
    (machine.folder / "given").write_text(SECOND)
    monkeypatch.chdir(machine.folder)
    with monkeypatch.context() as failing:
        failing.setattr(os, "fsync", failing_folder(folder))
        result = run(*machine.command(*command)[3:])
    assert (result.status, result.err.count("the disk did not confirm it")) == (8, 1)
    assert "put back" not in result.err
    kept = keyring.get_many("mailpolicy", [user(ALICE), user(CAROL)])
    text = machine.store.read_text()
    if command[1] == "set":
        assert kept == {user(ALICE): SECOND}
        assert ('smart_host_login = "new"' in text) is ("--login" in command)
    elif command[1] == "rename":
        assert (kept[user(CAROL)], CAROL in text) == (FIRST, True)
    else:
        assert (kept, ALICE in text) == ({}, False)
    # After a rename the former secret is still there, as nobody knows whether the new one is on the disk.
    assert bool(machine.pending()) is (command[1] == "rename")
    assert run(*machine.command("secrets", "verify")[3:]).status == 0


def test_a_disk_that_does_not_confirm(changed: Machine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new store is in place, so the new secret stays; as the two fit, no note does."""
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(5, "Input/output error")
        real_fsync(descriptor)

    changed.here(monkeypatch)
    given = changed.folder / "given"
    given.write_text(SECOND)
    arguments = ["smart-host", "set", ALICE, "--login", "new", "--password-file", str(given)]
    with monkeypatch.context() as failing:
        failing.setattr(os, "fsync", fsync)
        assert run(*changed.command(*arguments)[3:]).status == 8
    assert 'smart_host_login = "new"' in changed.store.read_text()
    assert changed.kept() == {user(ALICE): SECOND}
    assert changed.pending() == []


def test_many_accounts_are_forgotten_in_one_step(machine: Machine) -> None:
    machine.backend = None
    keyring = sealed_file(machine.folder)
    machine.host_config.write_text(host_config(machine.folder))
    addresses = [f"user{number}@many.example" for number in range(30)]
    keyring.change("mailpolicy", {user(address): FIRST for address in [*addresses, ALICE]})
    tables = (f'\n[accounts."{address}"]\nsmart_host_login = "ours"\n' for address in addresses)
    machine.store.write_text(machine.store.read_text() + "".join(tables))
    before = keyring.header().writes
    removed = machine.run("account", "remove", *addresses)
    assert (removed.status, removed.out.count("\tremoved from the keyring\tchanged\n")) == (0, 30)
    assert keyring.header().writes == before + 1
    assert keyring.get_many("mailpolicy", [user(address) for address in [*addresses, ALICE]]) == {user(ALICE): FIRST}
    assert machine.pending() == []


def test_the_note_can_be_read_by_whoever_reads_the_store(changed: Machine) -> None:
    """Several people may edit a group's store, and each must see what another one's killed edit left."""
    os.chmod(changed.store, 0o660)
    host = changed.folder / "host.toml"
    host.write_text(f'trusted_group = "{grp.getgrgid(changed.store.stat().st_gid).gr_name}"\n')
    options = ["--keyring-backend", "tests.backends.Clinging", "--host-config", str(host)]
    assert changed.run("smart-host", "clear", ALICE, *options).status == 6
    facts = os.stat(f"{changed.store}.pending")
    assert stat.S_IMODE(facts.st_mode) == 0o660
    assert facts.st_gid == changed.store.stat().st_gid
