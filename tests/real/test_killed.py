"""kill -9 between the keyring and the store: what is left is noticed, named, and cleaned up by the commands named."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.machine import ALICE, BOB, CAROL, FIRST, SECOND, user
from tests.real.desktop import Desktop

pytestmark = pytest.mark.real

DYING = ("--keyring-backend", "tests.backends.Dying")
KILLED = -9


def killed(desktop: Desktop, when: str, *arguments: str) -> None:
    result = desktop.run(*arguments, *DYING, stdin=SECOND, environment={"TEST_DIE": when})
    assert (result.status, result.out) == (KILLED, "")


def noticed(desktop: Desktop, *owners: str) -> None:
    """The next edit of anything warns once, and works."""
    result = desktop.run("pop", "off", BOB)
    assert result.status == 0
    secrets = f"the secret {user(owners[0])}" if len(owners) == 1 else f"{len(owners)} secrets"
    warning = (
        f"warning: an earlier change was interrupted; {secrets} may be out of date: "
        f"mailpolicy validate --secrets --file {desktop.store} --host-config {desktop.host_config}"
    )
    assert result.err.splitlines() == [warning]


def advised(desktop: Desktop) -> list[list[str]]:
    """The commands that validate --secrets names for what was left."""
    found = desktop.run("validate", "--secrets")
    assert found.status == 0
    lines = [line for line in found.out.splitlines() if "[MP061]" in line]
    return [shlex.split(re.sub("^.*: mailpolicy ", "", line)) for line in lines]


def clean(desktop: Desktop) -> None:
    """Nothing is left and nothing is found any more."""
    found = desktop.run("validate", "--secrets", "--strict")
    assert (found.status, found.out) == (0, "")
    assert not desktop.store.with_name("accounts.toml.pending").exists()


def test_set_of_a_first_login(desktop: Desktop) -> None:
    """The secret is there, the login is not; clearing takes the secret out again."""
    before = desktop.untouched()
    killed(desktop, "kept", "smart-host", "set", ALICE, "--login", "ours", "--password-stdin")
    assert desktop.untouched() == before
    assert desktop.secrets() == {user(ALICE): SECOND}
    noticed(desktop, ALICE)
    assert advised(desktop) == [["smart-host", "clear", ALICE]]
    assert desktop.run("smart-host", "clear", ALICE).status == 0
    assert desktop.secrets() == {}
    clean(desktop)


def test_set_again_settles_it(desktop: Desktop) -> None:
    killed(desktop, "kept", "smart-host", "set", ALICE, "--login", "ours", "--password-stdin")
    again = desktop.set(ALICE, SECOND)
    assert (again.status, again.err) == (0, "")
    assert desktop.secrets() == {user(ALICE): SECOND}
    clean(desktop)


def test_set_of_another_login(desktop: Desktop) -> None:
    """The old login stands in the store with the new password in the keyring."""
    desktop.give(ALICE)
    killed(desktop, "kept", "smart-host", "set", ALICE, "--login", "new", "--password-stdin")
    noticed(desktop, ALICE)
    assert advised(desktop) == [["smart-host", "set", ALICE]]
    assert desktop.run("smart-host", "set", ALICE, "--password-stdin", stdin=FIRST).status == 0
    assert desktop.secrets() == {user(ALICE): FIRST}
    clean(desktop)


@pytest.mark.parametrize("verb", ["set", "clear"])
def test_server(desktop: Desktop, verb: str) -> None:
    killed(desktop, "kept", "smart-host", "set", "--server", "--login", "ours", "--password-stdin")
    noticed(desktop, "--server")
    assert advised(desktop) == [["smart-host", "clear", "--server"]]
    if verb == "set":
        assert desktop.set("--server").status == 0
    else:
        assert desktop.run("smart-host", "clear", "--server").status == 0
    assert desktop.secrets() == ({user("--server"): FIRST} if verb == "set" else {})
    clean(desktop)


def test_an_account_of_a_domain_called_server(desktop: Desktop) -> None:
    desktop.run("account", "add", "alice@server")
    killed(desktop, "kept", "smart-host", "set", "alice@server", "--login", "ours", "--password-stdin")
    assert advised(desktop) == [["smart-host", "clear", "alice@server"]]


def test_remove(desktop: Desktop) -> None:
    """The account is gone, its secret is not."""
    desktop.give(ALICE)
    killed(desktop, "removing", "account", "remove", ALICE)
    assert ALICE not in desktop.store.read_text()
    assert desktop.secrets() == {user(ALICE): FIRST}
    noticed(desktop, ALICE)
    assert advised(desktop) == [["smart-host", "clear", ALICE]]
    cleared = desktop.run("smart-host", "clear", ALICE)
    assert (cleared.status, cleared.err) == (0, "")
    assert desktop.secrets() == {}
    clean(desktop)
    assert desktop.run("smart-host", "clear", ALICE).status == 4  # and now it is an account like any other unknown one


def test_clear(desktop: Desktop) -> None:
    desktop.give(ALICE)
    killed(desktop, "removing", "smart-host", "clear", ALICE)
    noticed(desktop, ALICE)
    assert advised(desktop) == [["smart-host", "clear", ALICE]]
    assert desktop.run("smart-host", "clear", ALICE).status == 0
    assert desktop.secrets() == {}
    clean(desktop)


@pytest.mark.parametrize("when", ["kept", "removing"])
def test_rename(desktop: Desktop, when: str) -> None:
    """Both addresses have the secret; the store has the old one or the new one."""
    desktop.give(ALICE)
    killed(desktop, when, "account", "rename", ALICE, CAROL)
    assert desktop.secrets() == {user(ALICE): FIRST, user(CAROL): FIRST}
    there, gone = (ALICE, CAROL) if when == "kept" else (CAROL, ALICE)
    assert f'[accounts."{there}"]' in desktop.store.read_text()
    noticed(desktop, ALICE, CAROL)
    assert sorted(advised(desktop)) == [["smart-host", "clear", gone], ["smart-host", "set", there]]
    assert desktop.run("smart-host", "clear", gone).status == 0
    assert desktop.run("smart-host", "set", there, "--password-stdin", stdin=FIRST).status == 0
    assert desktop.secrets() == {user(there): FIRST}
    clean(desktop)


def test_a_failed_edit_does_not_settle_what_another_left(desktop: Desktop) -> None:
    killed(desktop, "kept", "smart-host", "set", ALICE, "--login", "ours", "--password-stdin")
    failed = desktop.run("smart-host", "set", ALICE, "--login", "x", "--password-stdin", stdin=b"\xff")
    assert failed.status == 2
    rival = desktop.folder / "rival.toml"
    rival.write_text(desktop.store.read_text().replace(f'[accounts."{ALICE}"]', f'[accounts."{CAROL}"]'))
    lost = desktop.run(
        *("smart-host", "set", ALICE, "--login", "x", "--password-stdin"),
        *("--keyring-backend", "tests.backends.Racing"),
        stdin=FIRST,
        environment={"TEST_RIVAL": str(rival)},
    )
    assert lost.status == 4
    assert desktop.pending() == [user(ALICE)]
