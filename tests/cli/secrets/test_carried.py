"""Check that a command that changes a destination carries the secrets along, and asks first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.secrets.site import AT_GMX, CANNOT_LIST, GMX, KEPT, LISTS, TEXT, Site, lists
from tests.machine import ALICE, BOB, CAROL, FIRST, JSON, SECOND, Machine, user
from tests.sealing import BACKEND

CARRYING = {
    "the smart host": (("smart-host", "set", "--server", "--host", "new.example"), 2, "new.example:587"),
    "its port": (("smart-host", "set", "--server", "--port", "25"), 2, "smtp.relay.example:25"),
    "a source's host": (
        ("multipop", "source", "set", ALICE, "gmx", "--host", "new.example"),
        1,
        "alice@new.example:995",
    ),
    "a source's login": (("multipop", "source", "set", ALICE, "gmx", "--login", "al"), 1, "al@pop.gmx.example:995"),
    "a source's port": (("multipop", "source", "set", ALICE, "gmx", "--port", "1"), 1, "alice@pop.gmx.example:1/"),
    "a source's tls": (("multipop", "source", "set", ALICE, "gmx", "--tls", "none"), 1, "pop.gmx.example:110/none"),
}


@pytest.mark.parametrize(("command", "count", "there"), CARRYING.values(), ids=CARRYING)
def test_a_command_carries_the_passwords_along(site: Site, command: tuple[str, ...], count: int, there: str) -> None:
    machine, before = site.machine, site.machine.untouched()
    refused = machine.run(*command)
    assert (refused.status, refused.out) == (5, "")
    assert (there in refused.err, "to agree, add --yes" in refused.err) == (True, True)
    assert site.answer("n", *command).status == 5
    dry = machine.run(*command, "--dry-run")
    assert (dry.status, dry.err.count("would be sent to"), there in dry.err) == (0, count, True)
    assert json.loads(machine.run(*command, "--dry-run", "--json").out)["access"] == "widened"
    assert (machine.untouched(), site.kept()) == (before, KEPT)
    carried = site.answer("y", *command)
    assert (carried.status, carried.out.count(" would be sent to ")) == (0, count)
    assert sorted(site.kept().values()) == sorted(KEPT.values())
    assert sum(there in name for name in site.kept()) == count
    assert machine.run("secrets", "verify").status == 0
    assert machine.pending() == []
    assert machine.run(*command).out.endswith("\tok\n")


def test_with_yes_nobody_is_asked(site: Site) -> None:
    done = site.machine.run("smart-host", "set", "--server", "--host", "new.example", "--yes")
    assert done.out.splitlines() == [
        "server\tsmart-host host\tnew.example\tchanged",
        "server\tsmart-host password\tmoved in the keyring, now for new.example:587\tchanged",
        f"{ALICE}\tsmart-host password\tmoved in the keyring, now for new.example:587\tchanged",
    ]


def test_a_new_host_with_a_new_password(site: Site) -> None:
    """The server's own password is replaced, those of accounts are carried along, and only those are asked about."""
    command = ("smart-host", "set", "--server", "--host", "new.example", "--password-stdin")
    refused = site.machine.run(*command, stdin="another")
    assert (refused.status, "of server" in refused.err, ALICE in refused.err) == (5, False, True)
    assert site.kept() == KEPT
    assert site.machine.run(*command, "--yes", stdin="another").status == 0
    new = {user("--server", "new.example:587"): "another", user(ALICE, "new.example:587"): FIRST}
    assert site.kept() == {**new, GMX + AT_GMX: SECOND}


@pytest.mark.parametrize("site", [CANNOT_LIST], indirect=True)
def test_what_was_carried_goes_back_where_the_store_cannot_be_written(site: Site) -> None:
    """Another writer takes the store's lock when the passwords have their new names already."""
    before = site.machine.untouched()
    command = ("smart-host", "set", "--server", "--host", "new.example", "--yes", "--lock-timeout", "0.1")
    assert site.machine.run(*command, "--keyring-backend", "tests.backends.Locking").status == 75
    assert ("set", user(ALICE, "new.example:587")) in [(call["call"], call["user"]) for call in site.machine.calls()]
    assert (site.machine.untouched(), site.kept()) == (before, KEPT)


@pytest.mark.parametrize("command", [row[0] for row in CARRYING.values()], ids=CARRYING)
def test_without_passwords_there_is_no_question(tmp_path: Path, command: tuple[str, ...]) -> None:
    machine = Machine(tmp_path, JSON)
    machine.store.write_text(TEXT)
    assert machine.run(*command).status == 0


@pytest.mark.parametrize(
    "command",
    [("smart-host", "set", ALICE), ("smart-host", "set", "--server"), ("smart-host", "set", BOB, "--login", "b")],
    ids=" ".join,
)
def test_a_password_without_a_smart_host_is_refused(site: Site, command: tuple[str, ...]) -> None:
    site.change('host = "smtp.relay.example"\n', "")
    before = site.machine.untouched()
    for dry in ([], ["--dry-run"]):
        refused = site.machine.run(*command, "--password-stdin", *dry, stdin=SECOND)
        assert (refused.status, refused.out) == (5, "")
        assert "try: mailpolicy smart-host set --server --host HOST" in refused.err
    assert (site.machine.untouched(), site.kept()) == (before, KEPT)
    assert site.machine.run("smart-host", "set", "--server", "--host", "smtp.relay.example").status == 0
    assert site.machine.run(*command, "--password-stdin", stdin=SECOND).status == 0


LEFT = [
    ("account", "remove", ALICE),
    ("smart-host", "clear", ALICE),
    ("smart-host", "clear", "--server"),
    ("multipop", "source", "remove", ALICE, "gmx"),
]


@pytest.mark.parametrize("command", LEFT, ids=" ".join)
def test_removing_takes_what_was_sent_elsewhere_too(site: Site, command: tuple[str, ...]) -> None:
    """A keyring that lists does not keep passwords that nobody would find any more."""
    site.change('"smtp.relay.example"', '"new.example"')
    site.change('"pop.gmx.example"', '"new.example"')
    assert site.machine.run(*command).status == 0
    owner = "@server" if "--server" in command else f"{ALICE}/gmx" if "gmx" in command else ALICE
    gone = [name for name in KEPT if f"/{owner}/" in name and (command[0] != "smart-host" or "smart-host" in name)]
    assert gone
    assert site.kept() == {name: KEPT[name] for name in KEPT if not lists(site) or name not in gone}


@pytest.mark.parametrize("site", [LISTS], indirect=True)
def test_move_takes_what_was_sent_elsewhere_along(site: Site) -> None:
    site.change('"smtp.relay.example"', '"new.example"')
    moved = site.machine.run("secrets", "move", "--from", BACKEND, "--to", JSON)
    assert moved.status == 0
    assert (site.kept(), site.machine.kept()) == ({}, KEPT)


def test_rename_takes_what_was_sent_elsewhere_along(site: Site) -> None:
    site.change('"pop.gmx.example"', '"new.example"')
    assert site.machine.run("account", "rename", ALICE, CAROL).status == 0
    kept = {name.replace(ALICE, CAROL): secret for name, secret in KEPT.items()}
    if not lists(site):
        kept = {user(CAROL): FIRST, user("--server"): "the server's", GMX + AT_GMX: SECOND}
    assert site.kept() == kept


def test_a_login_with_blanks_is_written_down_whole(site: Site) -> None:
    """What a crash leaves is found again by its name."""
    site.change('login = "alice"', 'login = "alice b"')
    name = GMX + "alice b@pop.gmx.example:995/implicit"
    Path(f"{site.machine.store}.pending").write_text(f"{name}\n")
    assert f"an earlier change of {name} was interrupted" in site.machine.run("validate", "--secrets").out
