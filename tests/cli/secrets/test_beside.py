"""Check that commands that change passwords at the same time lose none: one waits, and looks again when it is its turn."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.helpers import RELAY
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
        (SET, REDIRECT, 75, {user(ALICE, ELSEWHERE): FIRST}),  # the new one was not meant for there
        (IMPORT, REDIRECT, 75, {user(ALICE, ELSEWHERE): FIRST}),
        (SET, CLEAR, 5, {}),
        (SET, RENAME, 4, {user(CAROL): FIRST}),
        (RENAME, SET, 0, {user(CAROL): SECOND}),
        (REDIRECT, SET, 0, {user(ALICE, ELSEWHERE): SECOND}),
        (MOVE, SET, 0, {}),
    ],
)
def test_what_is_planned_is_planned_again(
    changed: Machine, command: tuple[str, ...], other: tuple[str, ...], status: int, kept: dict[str, str]
) -> None:
    """The other command comes and goes after the plan, when the keyring is unlocked."""
    found, beside, told = both(changed, command, "get", other)
    assert (found, beside) == (status, 0), told
    assert changed.kept() == kept


def answered(machine: Machine, command: tuple[str, ...], question: str, other: Callable[[], object]) -> tuple[int, str]:
    """Run a command at a terminal, do something else when it asks, agree; return its status and the rest of the screen."""
    program, *arguments = machine.command(*command)
    child = pexpect.spawn(program, arguments, cwd=str(machine.folder), env=machine.environment, encoding="utf-8")
    child.expect_exact(question)
    other()
    for _ in range(2):  # a password is asked for twice
        child.sendline("y")
        if child.expect([r"\(again\): ", pexpect.EOF]) == 1:
            break
    child.close()
    return child.exitstatus, child.before


def edited(machine: Machine, old: str, new: str) -> Callable[[], object]:
    text = machine.store.read_text()
    assert old in text
    return lambda: machine.store.write_text(text.replace(old, new))


MANY = [f"user{number}@example.com" for number in range(25)]
MEANWHILE = "another command has changed the store meanwhile, and now "


def test_nothing_is_sent_that_nobody_agreed_to(changed: Machine) -> None:
    """Bob's password is set while somebody looks at the question about Alice's."""
    status, told = answered(changed, REDIRECT[:-1], "Send 1 password there?", lambda: changed.set(BOB, SECOND))
    assert status == 75
    assert (
        f"{MEANWHILE}the smart-host password of {BOB} would be sent to {ELSEWHERE} instead of {RELAY}; nothing was"
        in told
    )
    assert changed.kept() == {user(ALICE): FIRST, user(BOB): SECOND}


def test_nothing_is_sent_to_where_nobody_agreed_to(changed: Machine) -> None:
    edited(changed, "port = 587", "port = 25")()
    command = ("secrets", "rebind", "--from", "smtp.relay.example:587")
    status, told = answered(changed, command, "Send 1 password there?", edited(changed, "port = 25", "port = 26"))
    assert status == 75
    assert (
        f"{MEANWHILE}the smart-host password of {ALICE} would be sent to smtp.relay.example:26 instead of {RELAY}; "
        in told
    )
    assert changed.kept() == {user(ALICE): FIRST}


@pytest.mark.parametrize("command", [("smart-host", "set", ALICE), ("smart-host", "set", ALICE, "--login", "new")])
def test_a_password_is_only_set_for_where_it_was_meant_for(changed: Machine, command: tuple[str, ...]) -> None:
    status, told = answered(changed, command, "password for", edited(changed, "port = 587", "port = 25"))
    assert status == 75
    assert f"{MEANWHILE}the smart-host password of {ALICE} would be sent to {ELSEWHERE} instead of {RELAY}; " in told
    assert changed.kept() == {user(ALICE): FIRST}


@pytest.mark.parametrize("command", [("smart-host", "set", ALICE), ("smart-host", "set", "--server")])
def test_a_password_is_only_set_for_the_login_it_was_meant_for(changed: Machine, command: tuple[str, ...]) -> None:
    header = "[server.smart_host]"
    edited(changed, header, f'{header}\nlogin = "ours"')()
    whose = "--server" if "--server" in command else ALICE
    status, told = answered(changed, command, "password for", edited(changed, '"ours"', '"another"'))
    assert status == 75
    assert f"{MEANWHILE}the smart-host password of {whose.strip('-')}" in told.replace("the server", "server")
    assert "is one for another login; nothing was written, try again" in told
    assert changed.kept() == {user(ALICE): FIRST}


def test_where_nobody_can_be_asked_the_words_count(changed: Machine) -> None:
    """Over 20 accounts of a domain, and one more meanwhile."""
    edited(changed, "[defaults]", "".join(f'[accounts."{address}"]\npop = true\n' for address in MANY) + "[defaults]")()
    assert both(changed, DOMAIN, "get", ("account", "add", "dave@example.com"))[:2] == (0, 0)
    assert '"dave@example.org"' in changed.store.read_text()


def test_a_login_that_a_plan_takes_away_takes_its_password_along(machine: Machine) -> None:
    plan = "".join(
        f'{{"address": "{address}", "pop": false, "smart_host_login": null}}\n' for address in (ALICE, *MANY)
    )
    (machine.folder / "plan.ndjson").write_text(plan)
    more = "".join(f'\n[accounts."{address}"]\npop = true\n' for address in MANY)
    machine.store.write_text(machine.store.read_text() + more)
    status, told = answered(machine, ("apply", "plan.ndjson"), "[y/N]", lambda: machine.set(ALICE))
    assert status == 75
    assert f"{MEANWHILE}the smart-host password of {ALICE} would be deleted; nothing was written, try again" in told
    assert machine.kept() == {user(ALICE): FIRST}


def test_what_was_agreed_to_is_done_wherever_it_is_now(changed: Machine) -> None:
    status, told = answered(changed, REMOVE[:-1], "[y/N]", lambda: changed.run(*REDIRECT))
    assert (status, changed.kept()) == (0, {}), told


@pytest.mark.parametrize(("command", "status"), [(DOMAIN, 0), (("account", "remove", ALICE, *MANY), 75)])
def test_a_password_is_set_while_its_account_is_asked_about(
    machine: Machine, command: tuple[str, ...], status: int
) -> None:
    """None of the accounts had one when it was planned."""
    more = "".join(f'\n[accounts."{address}"]\npop = true\n' for address in MANY)
    machine.store.write_text(machine.store.read_text() + more)
    found, told = answered(machine, command, "[y/N]", lambda: machine.set(ALICE))
    assert found == status, told
    assert machine.kept() == {user("alice@example.org" if status == 0 else ALICE): FIRST}
    if status:
        assert f"{MEANWHILE}the smart-host password of {ALICE} would be deleted; nothing was written, try again" in told


@pytest.mark.parametrize("command", [CLEAR, ("multipop", "source", "remove", ALICE, "isp", "--yes")])
def test_what_is_there_again_is_not_called_gone(changed: Machine, command: tuple[str, ...]) -> None:
    """Its account was removed by hand, and comes back when the keyring is asked for what it left."""
    source = '\n[accounts."alice@example.com".sources.isp]\nhost = "h"\nlogin = "l"\n'
    there = changed.store.read_text() + source
    name = user(ALICE) if command is CLEAR else f"multipop/{ALICE}/isp/l@h:995/implicit"
    changed.keyring.write_text(json.dumps({"mailpolicy": {name: FIRST}}))
    Path(f"{changed.store}.pending").write_text(f"{name}\n")
    changed.store.write_text(there.replace(ALICE, "else@example.com"))
    status, told = answered(changed, command[:-1], "[y/N]", lambda: changed.store.write_text(there))
    assert (status, changed.kept()) == (0, {}), told
    assert "no such source" not in told
    assert ("smart_host_login" if command is CLEAR else "sources") not in changed.store.read_text()


@pytest.mark.parametrize(
    "command",
    [("apply", "keep.csv", "--prune", "--prune-at-most", "99"), ("account", "suspend", "--domain", "example.com")],
)
def test_nothing_is_changed_that_nobody_agreed_to(changed: Machine, command: tuple[str, ...]) -> None:
    (changed.folder / "keep.csv").write_text(f"address\n{ALICE}\n")
    edited(changed, "[defaults]", "".join(f'[accounts."{address}"]\npop = true\n' for address in MANY) + "[defaults]")()
    more = edited(changed, "[defaults]", '[accounts."dave@example.com"]\npop = true\n[defaults]')
    status, told = answered(changed, command, "[y/N]", more)
    assert status == 75
    assert f"{changed.store}: {MEANWHILE}dave@example.com would be changed too; nothing was written, try again" in told
    assert all(address in changed.store.read_text() for address in MANY)
    assert "suspended" not in changed.store.read_text()


@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("command", [RENAME, REDIRECT, REMOVE, ("secrets", "rebind", "--yes", "--from", ELSEWHERE)])
def test_a_password_that_vanishes_from_the_keyring(changed: Machine, command: tuple[str, ...], number: int) -> None:
    """By another program, at any moment."""
    if "rebind" in command:
        changed.keyring.write_text(json.dumps({"mailpolicy": {user(ALICE, ELSEWHERE): FIRST}}))
    empty = [f"get {number}", "sh", "-c", f"echo '{{}}' > {shlex.quote(str(changed.keyring))}"]
    beside = {"TEST_BESIDE": json.dumps(empty)}
    done = changed.run(*command, "--keyring-backend", "tests.backends.Beside", environment=beside)
    assert done.status in (0, 6), done


def test_a_short_timeout_leaves_no_note_behind(changed: Machine) -> None:
    """The store is locked by another writer when the change is done."""
    lock = shlex.quote(f"{changed.store}.lock")
    (changed.folder / "given").write_text(SECOND)
    beside = ["delete", "sh", "-c", f"(exec >&- 2>&-; flock {lock} sleep 1) & sleep 0.1"]
    done = changed.run(
        *(*RENAME, "--lock-timeout", "0"),
        *("--keyring-backend", "tests.backends.Beside"),
        environment={"TEST_BESIDE": json.dumps(beside)},
    )
    assert (done.status, done.err, changed.pending()) == (0, "", [])


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
