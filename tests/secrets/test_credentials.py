"""Check that no call of a keyring lasts longer than its deadline."""

from __future__ import annotations

import fcntl
import threading
import time
from pathlib import Path

import pytest

from mailpolicy.errors import KeyringError, StillLocked
from mailpolicy.secrets.credentials import Credentials, KeyringConfig
from mailpolicy.system.keyrings.deadline import TimedCalls
from tests.machine import ALICE, FIRST, SECOND, Machine, user
from tests.sealing import BACKEND, sealed_file


def test_deadline() -> None:
    keyring = Credentials(KeyringConfig("tests.backends.Hanging", timeout=0.2), pytest.fail)
    start = time.monotonic()
    with pytest.raises(KeyringError, match=r"did not answer within 0\.2 s") as caught:
        keyring.get(user(ALICE))
    assert (caught.value.exit_status, caught.value.code) == (6, "keyring-locked")
    assert time.monotonic() - start < 10


def test_deadline_while_a_secret_is_set(changed: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it was kept is not known, so it is named as unsettled; and nobody waits a second time to put it back."""
    changed.here(monkeypatch)
    warned: list[str] = []
    keyring = Credentials(KeyringConfig("tests.backends.Stalling", timeout=0.5), warned.append)
    with pytest.raises(KeyringError, match="did not answer"), keyring.set_with_rollback({user(ALICE): SECOND}):
        pytest.fail("the secret was not kept")
    assert keyring.uncertain == {user(ALICE)}
    assert len(warned) == 1
    assert "cannot restore the old secret" in warned[0]
    assert len(changed.calls()) == 1


def test_another_writer_of_the_sealed_file_is_no_locked_keyring(tmp_path: Path) -> None:
    """It is waited for as long as was said, also beyond the deadline; nothing was written, so nothing is unsettled."""
    sealed_file(tmp_path).change("mailpolicy", {user(ALICE): FIRST})
    choice = KeyringConfig(
        BACKEND, timeout=0.5, secrets_file=f"{tmp_path}/secrets", key_file=f"{tmp_path}/key", lock_timeout=1.0
    )
    keyring = Credentials(choice, pytest.fail)
    with open(tmp_path / "secrets.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StillLocked, match="another writer"), keyring.set_with_rollback({user(ALICE): SECOND}):
            pytest.fail("the secret was not kept")
    assert keyring.uncertain == set()
    assert keyring.get(user(ALICE)) == FIRST


def test_a_call_that_a_signal_forestalled_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal came when all was made ready and the thread was not: nobody waits for it, and it does nothing later."""
    threads, done = [], []

    def forestalled(thread: threading.Thread) -> None:
        threads.append(thread)
        raise KeyboardInterrupt

    calls = TimedCalls(20)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", forestalled)
        with pytest.raises(KeyboardInterrupt):
            calls.run(lambda: done.append("late"))
    assert calls.run(lambda: "the next one") == "the next one"
    threads[0].start()
    threads[0].join()
    assert done == []
