"""smart-host and account where the real keyring is locked, does not answer, or is not there."""

from __future__ import annotations

import shutil
import signal
import time

import pytest

from mailpolicy.errors import KeyringError
from mailpolicy.secrets.credentials import Credentials, KeyringConfig
from tests.machine import ALICE, BOB, CAROL, FIRST, SECOND, Machine, user
from tests.real.desktop import Desktop

pytestmark = pytest.mark.real

BOUND = 30  # seconds: a hang is longer, and a slow machine is not
EDITS = {
    "set": ["smart-host", "set", ALICE, "--login", "another", "--password-stdin"],
    "set a password alone": ["smart-host", "set", ALICE, "--password-stdin"],
    "clear": ["smart-host", "clear", ALICE],
    "remove": ["account", "remove", ALICE],
    "rename": ["account", "rename", ALICE, CAROL],
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_locked(desktop: Desktop, edit: list[str]) -> None:
    desktop.give(ALICE)
    desktop.lock()
    before = desktop.untouched()
    start = time.monotonic()
    result = desktop.run(*edit, stdin=SECOND)
    assert time.monotonic() - start < BOUND
    assert (result.status, result.out) == (6, "")
    assert result.err == "mailpolicy: the keyring is locked: unlock it and try again\n"
    assert desktop.untouched() == before
    assert desktop.pending() == []
    desktop.unlock()
    assert desktop.secrets() == {user(ALICE): FIRST}


def test_locked_asks_nobody_to_type_for_nothing(desktop: Desktop) -> None:
    """At a terminal the keyring is unlocked first: no prompt, exit 6 at once."""
    import pexpect

    desktop.give(ALICE)
    desktop.lock()
    program, *rest = desktop.command("smart-host", "set", ALICE)
    child = pexpect.spawn(program, rest, env=desktop.environment, cwd=str(desktop.folder), timeout=BOUND)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 6
    assert b"password for" not in child.before


def test_locked_show_and_validate(desktop: Desktop) -> None:
    desktop.give(ALICE)
    desktop.lock()
    shown = desktop.run("smart-host", "show", ALICE)
    assert shown.status == 0
    assert "password\tunknown\n" in shown.out
    assert "locked" in shown.err
    assert desktop.run("validate", "--secrets").status == 6
    assert desktop.run("validate").status == 0
    assert desktop.run("pop", "off", ALICE).status == 0


def test_never_unlocked(closed_desktop: Desktop) -> None:
    before = closed_desktop.untouched()
    result = closed_desktop.set(ALICE)
    assert (result.status, result.out) == (6, "")
    assert result.err.startswith("mailpolicy: cannot open the keyring, it is locked or has no collection yet: ")
    assert result.err.splitlines()[1:] == [
        f"  try: mailpolicy secrets init --file {closed_desktop.store} --host-config {closed_desktop.host_config}"
    ]
    assert closed_desktop.untouched() == before
    assert closed_desktop.pending() == []


def test_other_writers_do_not_wait_for_the_keyring(desktop: Desktop) -> None:
    """While one run waits for a keyring that does not answer, another one edits the store at once."""
    desktop.daemon.send_signal(signal.SIGSTOP)
    waiting = desktop.start("smart-host", "set", ALICE, "--login", "ours", "--password-stdin")
    assert waiting.stdin is not None
    waiting.stdin.write(FIRST.encode())
    waiting.stdin.close()
    waiting.stdin = None
    time.sleep(1)
    edited = desktop.run("pop", "off", BOB, "--lock-timeout", "0")
    assert (edited.status, edited.err) == (0, "")
    assert waiting.poll() is None
    desktop.daemon.send_signal(signal.SIGCONT)
    out, err = waiting.communicate(timeout=BOUND)
    desktop.seen += (out + err).decode()
    assert waiting.returncode == 0
    assert desktop.secrets() == {user(ALICE): FIRST}
    text = desktop.store.read_text()
    assert "pop = false" in text
    assert 'smart_host_login = "ours"' in text


def test_deadline(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Secret Service that does not answer any more; the second question does not wait again."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", desktop.bus)
    keyring = Credentials(KeyringConfig(is_root=True, timeout=0.5), pytest.fail)
    assert keyring.get("smart-host/@server") is None
    desktop.daemon.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    for _ in range(50):
        with pytest.raises(KeyringError, match=r"did not answer within 0\.5 s") as caught:
            keyring.set("smart-host/@server", FIRST)
        assert (caught.value.exit_status, caught.value.code) == (6, "keyring-locked")
    assert time.monotonic() - start < 15


def test_daemon_gone(desktop: Desktop) -> None:
    before = desktop.untouched()
    desktop.daemon.terminate()
    desktop.daemon.wait(10)
    assert desktop.set(ALICE).status == 6
    assert desktop.untouched() == before


ABSENT = {"no bus": {}, "a dead bus": {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent/bus"}}


@pytest.mark.parametrize("bus", ABSENT.values(), ids=ABSENT)
def test_absent(headless: Machine, bus: dict[str, str]) -> None:
    headless.environment |= bus
    before = headless.untouched()
    start = time.monotonic()
    result = headless.set(ALICE)
    assert time.monotonic() - start < BOUND
    assert (result.status, result.out) == (6, "")
    assert result.err.startswith("mailpolicy: no keyring is available: ")
    assert "--keyring-backend" in result.err
    assert result.err.splitlines()[1:] == [
        f"  try: mailpolicy secrets init --file {headless.store} --host-config {headless.host_config}"
    ]
    assert headless.untouched() == before
    assert sorted(path.name for path in headless.folder.iterdir()) == ["accounts.toml", "home", "host.toml"]


def test_absent_account_remove(headless: Machine) -> None:
    headless.run("account", "add", CAROL, "--login", "carol")
    result = headless.run("account", "remove", CAROL)
    assert (result.status, result.out) == (0, f"{CAROL}\taccount\tremoved\tchanged\n")
    assert result.err == "note: no keyring is available, so no password was looked for\n"
    assert CAROL not in headless.store.read_text()


def test_absent_account_rename(headless: Machine) -> None:
    headless.run("account", "add", CAROL, "--login", "carol")
    result = headless.run("account", "rename", CAROL, "dora@example.com")
    assert result.status == 0
    assert result.err == "note: no keyring is available, so no password was looked for\n"


def test_absent_keeps_what_is_written_down(headless: Machine) -> None:
    """A removal that could not ask the keyring does not settle what an earlier change left there."""
    headless.run("account", "add", CAROL, "--login", "carol")
    note = headless.store.with_name("accounts.toml.pending")
    note.write_text(user(CAROL) + "\n")
    assert headless.run("account", "remove", CAROL).status == 0
    assert headless.pending() == [user(CAROL)]


def test_absent_show_and_validate(headless: Machine) -> None:
    headless.run("account", "add", CAROL, "--login", "carol")
    shown = headless.run("smart-host", "show", CAROL)
    assert shown.status == 0
    assert "password\tunknown\n" in shown.out
    assert "no keyring is available" in shown.err
    assert headless.run("validate", "--secrets").status == 6
    headless.run("account", "remove", CAROL)
    assert headless.run("validate", "--secrets").status == 0  # no login, nothing to ask


def test_a_secret_service_that_is_named_must_be_there(headless: Machine) -> None:
    """A machine that names its keyring has one, so what cannot be reached there is not passed over."""
    headless.run("account", "add", CAROL, "--login", "carol")
    headless.host_config.write_text('keyring_backend = "keyring.backends.SecretService.Keyring"\n')
    before = headless.untouched()
    result = headless.run("account", "remove", CAROL)
    assert (result.status, result.out) == (6, "")
    assert headless.untouched() == before


def test_the_programs_are_named_where_they_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.real.loopback import need

    assert shutil.which("no-such-program") is None
    monkeypatch.delenv("MAILPOLICY_REQUIRE_REAL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program is missing: apt install no-such-package"):
        need("no-such-program", "no-such-package")
    monkeypatch.setenv("MAILPOLICY_REQUIRE_REAL", "1")
    with pytest.raises(pytest.fail.Exception, match="apt install no-such-package"):
        need("no-such-program", "no-such-package")
