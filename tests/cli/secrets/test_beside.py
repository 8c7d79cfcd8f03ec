"""Check that commands that change passwords at the same time lose none: one waits, and looks again when it is its turn."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pexpect
import pytest

from tests.machine import ALICE, BOB, CAROL, FIRST, JSON, SECOND, Machine, user

ELSEWHERE = "smtp.relay.example:25"
SET = ("smart-host", "set", ALICE, "--password-file", "given")
REDIRECT = ("smart-host", "set", "--server", "--port", "25", "--yes")
RENAME = ("account", "rename", ALICE, CAROL)
REMOVE = ("account", "remove", ALICE, "--yes")
CLEAR = ("smart-host", "clear", ALICE, "--yes")
IMPORT = ("smart-host", "import", "-")
DOMAIN = ("domain", "rename", "example.com", "example.org")
MOVE = ("secrets", "move", "--from", "tests.backends.Beside", "--to", "tests.backends.Layered")


def both(machine: Machine, command: tuple[str, ...], when: str, other: tuple[str, ...]) -> tuple[int, int, str]:
    """Run a command, and another one when the first asks the keyring for something; return their statuses and the other's output."""
    (machine.folder / "given").write_text(SECOND)
    beside = [when, *machine.command("--keyring-backend", JSON, *other, "--lock-timeout", "0.05")]
    first = machine.run(
        *command,
        *("--keyring-backend", "tests.backends.Beside"),
        stdin=json.dumps({"address": ALICE, "password": SECOND}),
        environment={"TEST_BESIDE": json.dumps(beside)},
    )
    Path(f"{machine.keyring}.own").unlink(missing_ok=True)  # of the keyring that they move to
    status, told = json.loads(Path(f"{machine.keyring}.beside").read_text())
    return first.status, status, told


@pytest.mark.parametrize(
    ("command", "when", "other", "refused"),
    [
        (REDIRECT, "set", SET, 75),
        (REDIRECT, "delete", SET, 75),
        (RENAME, "set", SET, 75),
        (RENAME, "delete", SET, 4),
        (DOMAIN, "set", SET, 75),
        (REMOVE, "delete", SET, 4),
        (CLEAR, "delete", IMPORT, 5),
        (SET, "set", REDIRECT, 75),
        (SET, "set", RENAME, 75),
        (IMPORT, "set", REDIRECT, 75),
        (MOVE, "delete", SET, 75),
    ],
)
def test_one_change_of_passwords_at_a_time(
    changed: Machine, command: tuple[str, ...], when: str, other: tuple[str, ...], refused: int
) -> None:
    status, beside, told = both(changed, command, when, other)
    assert (status, beside) == (0, refused), told


def test_who_waits_is_told_for_what(changed: Machine) -> None:
    told = both(changed, REDIRECT, "set", SET)[2]
    assert f"{changed.store}: still locked by another command that changes passwords after 0.05 s; nothing was" in told


@pytest.mark.parametrize(
    ("command", "other", "status", "kept"),
    [
        (SET, REDIRECT, 0, {user(ALICE, ELSEWHERE): SECOND}),
        (SET, CLEAR, 5, {}),
        (SET, RENAME, 4, {user(CAROL): FIRST}),
    ],
)
def test_what_is_planned_is_planned_again(
    changed: Machine, command: tuple[str, ...], other: tuple[str, ...], status: int, kept: dict[str, str]
) -> None:
    """The other command comes and goes after the plan, when the keyring is unlocked."""
    found, beside, told = both(changed, command, "get", other)
    assert (found, beside) == (status, 0), told
    assert changed.kept() == kept


def test_nothing_is_sent_that_nobody_agreed_to(changed: Machine) -> None:
    """Bob's password is set while somebody looks at the question about Alice's."""
    (changed.folder / "given").write_text(SECOND)
    child = pexpect.spawn(
        changed.command()[0], [*changed.command()[1:], *REDIRECT[:-1]], env=changed.environment, encoding="utf-8"
    )
    child.expect_exact("Send 1 password there? [y/N]: ")
    assert changed.run("smart-host", "set", BOB, "--login", "b", "--password-file", "given").status == 0
    child.sendline("y")
    child.expect_exact(
        f"{changed.store}: the smart-host password of {BOB} was changed by another command meanwhile; nothing was"
    )
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 75
    assert changed.kept() == {user(ALICE): FIRST, user(BOB): SECOND}


@pytest.mark.parametrize("other", [("imap", "off", BOB), ("validate", "--secrets"), ("doctor",)])
def test_a_change_that_goes_on_is_not_called_interrupted(changed: Machine, other: tuple[str, ...]) -> None:
    told = both(changed, RENAME, "delete", other)[2]
    assert "interrupted" not in told
    Path(f"{changed.store}.pending").write_text(f"{user(BOB)}\n")
    done = changed.run(*other, "--keyring-backend", JSON)
    assert "interrupted" in done.out + done.err


@pytest.mark.parametrize("command", [SET, CLEAR, ("secrets", "rebind", "--yes")])
def test_who_may_not_write_beside_the_store_can_change_the_keyring(changed: Machine, command: tuple[str, ...]) -> None:
    """Nobody else can be at it by means of a lock there; an edit of the store is refused as ever."""
    (changed.folder / "given").write_text(SECOND)
    Path(f"{changed.keyring}.calls").touch()
    before = changed.untouched()
    elsewhere = user(ALICE, ELSEWHERE)
    if command[0] == "secrets":
        changed.keyring.write_text(json.dumps({"mailpolicy": {elsewhere: FIRST}}))
        command = (*command, "--from", ELSEWHERE)
    without = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override") if os.geteuid() == 0 else ()
    changed.folder.chmod(0o555)
    try:
        done = changed.run(*command, prefix=without)
    finally:
        changed.folder.chmod(0o755)
    assert changed.untouched() == before
    if command is CLEAR:
        assert done.status == 7
        assert f"mailpolicy: {changed.store}.pending.lock: cannot create the lock: permission denied" in done.err
        assert changed.kept() == {user(ALICE): FIRST}
    else:
        assert done.status == 0, done
        assert changed.kept() == {user(ALICE): FIRST if command[0] == "secrets" else SECOND}
