"""Keyring and store change together: the order, what is put back, and no secret in any output. Needs no daemon."""

from __future__ import annotations

import fcntl
import grp
import json
import os
import resource
import signal
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailpolicy.errors import KeyringError, StillLocked
from mailpolicy.secrets.credentials import Choice, Credentials
from mailpolicy.system.keyrings.deadline import Calls
from tests.helpers import Run
from tests.machine import ALICE, BOB, CAROL, FIRST, HAS_LOGIN, SECOND, Machine, user
from tests.sealing import BACKEND, host_config, sealed_file


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
    assert "is not a file that mailpolicy made" in edited.err
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
    machine.store.write_text('version = 1\nserver = { edition = "pro" }\n')
    before = machine.untouched()
    result = machine.set("--server")
    assert result.status == 5
    assert "edit it by hand" in result.err
    assert machine.kept() == {}
    assert machine.untouched() == before
    assert machine.pending() == []


def test_sigterm_puts_the_old_secret_back(changed: Machine) -> None:
    before = changed.untouched()
    command = ["smart-host", "set", ALICE, "--login", "new", "--password-stdin"]
    result = changed.run(*command, "--keyring-backend", "tests.backends.Terminating", stdin=SECOND)
    assert result.status == 128 + signal.SIGTERM
    assert changed.kept() == {user(ALICE): FIRST}
    assert changed.untouched() == before
    assert changed.pending() == []


def test_sigterm_while_the_keyring_is_at_work(changed: Machine) -> None:
    """What it was asked it may still do: it is waited for before the old secret is put back."""
    before = changed.untouched()
    command = ["smart-host", "set", ALICE, "--login", "new", "--password-stdin"]
    result = changed.run(*command, "--keyring-backend", "tests.backends.Late", stdin=SECOND)
    assert result.status == 128 + signal.SIGTERM
    assert changed.kept() == {user(ALICE): FIRST}
    assert changed.untouched() == before
    assert changed.pending() == []


def test_a_second_sigterm(changed: Machine) -> None:
    """It comes while the old secret is put back: what is there is not known, and written down."""
    before = changed.untouched()
    command = ["smart-host", "set", ALICE, "--login", "new", "--password-stdin"]
    result = changed.run(*command, "--keyring-backend", "tests.backends.TerminatingTwice", stdin=SECOND)
    assert result.status == 128 + signal.SIGTERM
    assert changed.untouched() == before
    assert changed.pending() == [user(ALICE)]


def test_a_signal_while_the_keyring_hangs(changed: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it kept the secret, or will, is not known."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    changed.here(monkeypatch)
    old = signal.signal(signal.SIGUSR1, stop)
    warned: list[str] = []
    vault = Credentials(Choice("tests.backends.Interrupted", deadline=0.5), warned.append)
    try:
        with pytest.raises(KeyboardInterrupt), vault.changed({user(ALICE): SECOND}):
            pytest.fail("the secret was not kept")
    finally:
        signal.signal(signal.SIGUSR1, old)
    assert vault.unsettled == {user(ALICE)}
    assert len(warned) == 1
    assert "could not be put back" in warned[0]


@pytest.mark.parametrize("command", ["set", "rename"])
def test_a_signal_when_the_store_is_in_place(
    changed: Machine, run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The new store needs the new secret, so that is not taken back; nor is it forgotten that it was cut short."""
    real_rename = os.rename

    def rename(source: str, target: str, **folders: int) -> None:
        real_rename(source, target, **folders)
        if target == changed.store.name:
            raise KeyboardInterrupt

    changed.here(monkeypatch)
    given = changed.folder / "given"
    given.write_text(SECOND)
    arguments = ["account", "rename", ALICE, CAROL]
    if command == "set":
        arguments = ["smart-host", "set", ALICE, "--login", "new", "--password-file", str(given)]
    with monkeypatch.context() as failing:
        failing.setattr(os, "rename", rename)
        assert run(*changed.command(*arguments)[3:]).status == 130
    if command == "set":
        assert 'smart_host_login = "new"' in changed.store.read_text()
        assert changed.kept() == {user(ALICE): SECOND}
    else:
        assert CAROL in changed.store.read_text()
        assert changed.kept() == {user(ALICE): FIRST, user(CAROL): FIRST}
    assert user(ALICE) in changed.pending()


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
    kept = keyring.several("mailpolicy", [user(ALICE), user(CAROL)])
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


@pytest.mark.parametrize("backend", ["Losing", "Cutting"])
def test_a_secret_that_is_not_kept(changed: Machine, backend: str) -> None:
    """What was read back differs: exit 6, the store is not written."""
    before = changed.untouched()
    command = ["smart-host", "set", ALICE, "--login", "new", "--password-stdin"]
    result = changed.run(*command, "--keyring-backend", f"tests.backends.{backend}", stdin=SECOND)
    assert (result.status, result.out) == (6, "")
    assert "what was read back differs" in result.err
    assert changed.untouched() == before
    if backend == "Losing":
        assert changed.kept() == {user(ALICE): FIRST}
        assert changed.pending() == []
    else:  # and the old one could not be kept either, which must not be forgotten
        assert "could not be put back" in result.err
        assert changed.pending() == [user(ALICE)]
        assert "MP061" in changed.run("validate", "--secrets").out


@pytest.mark.parametrize("command", [("account", "remove", ALICE), ("account", "rename", ALICE, CAROL)], ids=" ".join)
def test_a_secret_that_stays(changed: Machine, command: tuple[str, ...]) -> None:
    """The store is changed and the secret does not go: what was done is told, exit 6, and it is not forgotten."""
    result = changed.run(*command, "--keyring-backend", "tests.backends.Clinging")
    assert result.status == 6
    assert "\taccount\tre" in result.out
    assert f"the store is changed, the secret {user(ALICE)} is left in the keyring" in result.err
    assert HAS_LOGIN not in changed.store.read_text() or CAROL in changed.store.read_text()
    assert changed.pending() == [user(ALICE)]
    assert f"smart-host clear {ALICE}" in changed.run("validate", "--secrets").out
    assert changed.run("smart-host", "clear", ALICE).status == 0
    assert changed.pending() == []


def test_one_secret_of_several_that_stays(changed: Machine) -> None:
    """What went is told and settled, what stays is named."""
    changed.give(BOB)
    result = changed.run("account", "remove", ALICE, BOB, "--keyring-backend", "tests.backends.Picky")
    assert result.status == 6
    assert f"the secret {user(BOB)} is left in the keyring: the keyring refused (ValueError)" in result.err
    removed = [line for line in result.out.splitlines() if "removed from the keyring" in line]
    assert [line.split("\t")[0] for line in removed] == [ALICE]
    assert changed.kept() == {user(BOB): FIRST}
    assert changed.pending() == [user(BOB)]


RAISED = ["set RuntimeError", "set EOFError", "set CalledProcessError", "set ValueError", "set SystemExit"]


@pytest.mark.parametrize("raised", [*RAISED, "get ValueError", "delete CalledProcessError"])
@pytest.mark.parametrize("form", ["--verbose", "--json"])
def test_foreign_exceptions(changed: Machine, raised: str, form: str) -> None:
    """A backend raises and logs the secret: exit 6, one line that names the exception's kind, the secret nowhere."""
    before = changed.untouched()
    command = ["smart-host", "set", ALICE, "--login", "new", "--password-stdin", form]
    if raised.startswith("delete"):
        command = ["account", "remove", ALICE, form]
    options = ["--keyring-backend", "tests.backends.Raising"]
    result = changed.run(*command, *options, stdin=SECOND, environment={"TEST_RAISE": raised})
    assert result.status == 6
    if form == "--json":
        error = json.loads(result.out.splitlines()[-1])
        assert (error["schema"], error["exit"], result.err) == ("mailpolicy.error/1", 6, "")
    else:
        assert f"the keyring refused ({raised.split()[1]})" in result.err
    assert changed.kept() == {user(ALICE): FIRST}
    assert changed.pending() == ([user(ALICE)] if raised.startswith("delete") else [])
    assert (changed.untouched() == before) is not raised.startswith("delete")


@pytest.fixture
def without_key(tmp_path: Path) -> Machine:
    """A server whose master key is only in an encrypted credential, seen from a shell, which does not get it."""
    machine = Machine(tmp_path)
    sealed_file(tmp_path).change("mailpolicy", {user(ALICE): FIRST})
    machine.give(ALICE)
    machine.keyring.unlink()
    config = host_config(tmp_path)
    machine.host_config.write_text(config.replace("key_file", "# key_file"))
    (tmp_path / "key").rename(tmp_path / "credential")
    return machine


WITHOUT_KEY = [
    ("account", "rename", ALICE, CAROL),
    ("account", "remove", ALICE),
    ("smart-host", "clear", ALICE),
    ("smart-host", "set", ALICE, "--login", "new", "--password-stdin"),
    ("secrets", "verify"),
    ("secrets", "list"),
    ("secrets", "rotate"),
    ("secrets", "init"),
]


@pytest.mark.parametrize("command", WITHOUT_KEY, ids=" ".join)
def test_a_sealed_file_whose_key_is_not_here(without_key: Machine, command: tuple[str, ...]) -> None:
    """It is there, so it is not as if there were no keyring: nothing is changed, and what is said brings the key."""
    before = without_key.untouched()
    result = without_key.run(*command, stdin=SECOND)
    assert (result.status, result.out) == (6, "")
    assert (
        f"{without_key.folder / 'secrets'}: this file of sealed secrets is there, and its master key is not"
        in result.err
    )
    assert "name the key's file as key_file in host.toml" in result.err
    assert (
        "try: systemd-run --pty --wait -p LoadCredentialEncrypted=mailpolicy.key mailpolicy secrets verify"
        in result.err
    )
    assert "secrets init" not in result.err
    assert without_key.untouched() == before
    assert without_key.pending() == []


@pytest.mark.parametrize("command", WITHOUT_KEY[:3], ids=" ".join)
def test_a_named_keyring_that_is_not_here(changed: Machine, command: tuple[str, ...]) -> None:
    before = changed.untouched()
    assert changed.run(*command, "--keyring-backend", "keyring.backends.fail.Keyring").status == 6
    assert changed.untouched() == before


def test_doctor_of_a_sealed_file_whose_key_is_not_here(without_key: Machine) -> None:
    told = json.loads(without_key.run("doctor", "--json").out)
    (ill,) = [check for check in told["checks"] if check["state"] == "error" and check["check"] != "permissions"]
    assert ill["check"] == "sealed file"
    assert "its master key is not" in ill["message"]
    assert "LoadCredentialEncrypted=mailpolicy.key" in ill["fix"]
    (skipped,) = [check for check in told["checks"] if check["state"] == "skipped"]
    assert (skipped["check"], skipped["message"]) == ("secrets", "the sealed file cannot be opened")


def test_many_accounts_are_forgotten_in_one_step(machine: Machine) -> None:
    machine.backend = None
    keyring = sealed_file(machine.folder)
    machine.host_config.write_text(host_config(machine.folder))
    addresses = [f"user{number}@many.example" for number in range(30)]
    keyring.change("mailpolicy", {user(address): FIRST for address in [*addresses, ALICE]})
    tables = (f'\n[accounts."{address}"]\nsmart_host_login = "ours"\n' for address in addresses)
    machine.store.write_text(machine.store.read_text() + "".join(tables))
    before = keyring.facts().writes
    removed = machine.run("account", "remove", *addresses)
    assert (removed.status, removed.out.count("\tremoved from the keyring\tchanged\n")) == (0, 30)
    assert keyring.facts().writes == before + 1
    assert keyring.several("mailpolicy", [user(address) for address in [*addresses, ALICE]]) == {user(ALICE): FIRST}
    assert machine.pending() == []


def test_deadline() -> None:
    vault = Credentials(Choice("tests.backends.Hanging", deadline=0.2), pytest.fail)
    start = time.monotonic()
    with pytest.raises(KeyringError, match=r"did not answer within 0\.2 s") as caught:
        vault.get(user(ALICE))
    assert (caught.value.exit_status, caught.value.code) == (6, "keyring-locked")
    assert time.monotonic() - start < 10


def test_deadline_while_a_secret_is_set(changed: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it was kept is not known, so it is named as unsettled; and nobody waits a second time to put it back."""
    changed.here(monkeypatch)
    warned: list[str] = []
    vault = Credentials(Choice("tests.backends.Stalling", deadline=0.5), warned.append)
    with pytest.raises(KeyringError, match="did not answer"), vault.changed({user(ALICE): SECOND}):
        pytest.fail("the secret was not kept")
    assert vault.unsettled == {user(ALICE)}
    assert len(warned) == 1
    assert "could not be put back" in warned[0]
    assert len(changed.calls()) == 1


def test_another_writer_of_the_sealed_file_is_no_locked_keyring(tmp_path: Path) -> None:
    """It is waited for as long as was said, also beyond the deadline; nothing was written, so nothing is unsettled."""
    sealed_file(tmp_path).change("mailpolicy", {user(ALICE): FIRST})
    choice = Choice(
        BACKEND, deadline=0.5, secrets_file=f"{tmp_path}/secrets", key_file=f"{tmp_path}/key", lock_timeout=1.0
    )
    vault = Credentials(choice, pytest.fail)
    with open(tmp_path / "secrets.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StillLocked, match="another writer"), vault.changed({user(ALICE): SECOND}):
            pytest.fail("the secret was not kept")
    assert vault.unsettled == set()
    assert vault.get(user(ALICE)) == FIRST


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


def test_a_call_that_a_signal_forestalled_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal came when all was made ready and the thread was not: nobody waits for it, and it does nothing later."""
    threads, done = [], []

    def forestalled(thread: threading.Thread) -> None:
        threads.append(thread)
        raise KeyboardInterrupt

    calls = Calls(20)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", forestalled)
        with pytest.raises(KeyboardInterrupt):
            calls.make(lambda: done.append("late"))
    assert calls.make(lambda: "the next one") == "the next one"
    threads[0].start()
    threads[0].join()
    assert done == []
