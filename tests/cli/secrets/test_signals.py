"""Check that a signal leaves keyring and store together, wherever it arrives."""

from __future__ import annotations

import os
import signal

import pytest

from mailpolicy.secrets.credentials import Credentials, KeyringConfig
from tests.helpers import Run
from tests.machine import ALICE, CAROL, FIRST, SECOND, Machine, user


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
    keyring = Credentials(KeyringConfig("tests.backends.Interrupted", timeout=0.5), warned.append)
    try:
        with pytest.raises(KeyboardInterrupt), keyring.set_with_rollback({user(ALICE): SECOND}):
            pytest.fail("the secret was not kept")
    finally:
        signal.signal(signal.SIGUSR1, old)
    assert keyring.uncertain == {user(ALICE)}
    assert len(warned) == 1
    assert "cannot restore the old secret" in warned[0]


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
