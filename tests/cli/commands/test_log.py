"""The journal as commands write and show it: who did what, and what is not written down."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

import pexpect
import pytest

from mailpolicy.cli.context import Context
from tests.cli.commands.desk import Desk
from tests.cli.commands.journals import entries, journal
from tests.cli.test_quiet import place
from tests.everything import EDITS, JOURNAL, rows
from tests.helpers import MINIMAL, NOBODY, Run, needs_root
from tests.machine import ALICE, FIRST, Machine

__all__ = ["place"]


def test_an_entry_says_who_did_what(
    run: Run, store: Path, journaled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_root()
    run(*journaled, "pop", "off", ALICE)
    monkeypatch.setenv("SUDO_UID", "1")
    monkeypatch.setenv("SUDO_USER", "mallory")
    run(*journaled, "lan", "remove", "--", "fd00::/8")
    first, second = entries(store)
    assert first == {
        "event": "edit",
        "time": "2026-11-27T12:30:45Z",
        "id": first["id"],
        "user": "root",
        "command": f"mailpolicy pop off {ALICE}",
        "changes": [{"path": ["accounts", ALICE, "pop"], "old": True, "new": False}],
        "before": first["before"],
        "after": second["before"],
        "stamp": first["stamp"],
    }
    assert (second["user"], second["sudo_user"]) == ("root", "mallory")
    assert second["changes"] == [{"path": ["server", "lan"], "removed": ["fd00::/8"], "added": []}]


def test_nobody_but_root_has_a_sudo_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables are sudo's only where root runs."""
    for user, caller in ((0, "mallory"), (NOBODY, None)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        environment = {"SUDO_UID": "1", "SUDO_USER": "mallory"}
        assert Context.from_environment({}, environment).sudo_user == caller


@pytest.mark.parametrize("line", [line for line in rows(EDITS) if line != "undo"])
def test_every_command_that_edits_is_written_down(run: Run, place: list[str], tmp_path: Path, line: str) -> None:
    host = tmp_path / "host.toml"
    host.write_text(f"journal = true\n{host.read_text()}")
    store = tmp_path / ("fresh.toml" if line.startswith("init") else "accounts.toml")
    log = Path(f"{store}.log")
    log.unlink(missing_ok=True)
    old = store.read_bytes() if store.exists() else None
    words = [*place, *shlex.split(line)]
    assert run(*words, "--dry-run").status == 0
    assert not log.exists()
    assert run(*words).status == 0
    if (store.read_bytes() if store.exists() else None) == old:  # only secrets
        assert not log.exists()
        return
    (entry,) = map(json.loads, log.read_text().splitlines())
    assert entry["command"].startswith(f"mailpolicy {line.split()[0]}")
    assert entry["changes"]
    assert "secret" not in log.read_text().replace("--password-file", "")
    assert run(*words).status in (0, 4)
    assert len(log.read_text().splitlines()) == 1


@pytest.mark.parametrize("line", [line for line in rows(EDITS) if not line.startswith("secrets")])
def test_every_command_that_edits_can_leave_it_out(run: Run, place: list[str], tmp_path: Path, line: str) -> None:
    host = tmp_path / "host.toml"
    host.write_text(f"journal = true\n{host.read_text()}")
    done = run(*place, *shlex.split(line), "--no-journal")
    assert done.status == 0
    assert [path.read_text() for path in tmp_path.glob("*.log")] == [JOURNAL]


def test_an_edit_that_changes_nothing_or_fails_before_it_writes_leaves_no_line(
    run: Run, store: Path, journaled: list[str]
) -> None:
    assert run(*journaled, "pop", "on", ALICE).status == 0
    assert run(*journaled, "pop", "off", "nobody@example.com").status == 4
    assert run(*journaled, "install", str(store)).status == 0
    assert not journal(store).exists()


def test_an_edit_of_more_than_a_thousand_keys_notes_their_number(run: Run, store: Path, journaled: list[str]) -> None:
    store.write_text(MINIMAL + "".join(f'\n[accounts."u{number}@example.com"]\n' for number in range(999)))
    assert run(*journaled, "multipop", "on", "--all", "--yes").status == 0
    store.write_text(store.read_text().replace("multipop = true\n\n[accounts", "\n[accounts", 1))
    (entry,) = entries(store)
    assert entry["keys"] == 1001
    assert "changes" not in entry
    shown = run(*journaled, "log")
    assert shown.out.endswith("\t1001 keys\n")
    refused = run(*journaled, "undo", entry["id"])
    assert refused.status == 5
    assert "changed 1001 keys, which is too many to note" in refused.err


def test_a_change_by_other_means_is_noted_by_the_next_edit(run: Run, store: Path, journaled: list[str]) -> None:
    run(*journaled, "pop", "off", ALICE)
    store.write_text(store.read_text() + "# by hand\n")
    run(*journaled, "pop", "on", ALICE)
    first, outside, second = entries(store)
    assert (outside["event"], outside["before"], outside["after"]) == (
        "changed outside",
        first["after"],
        second["before"],
    )
    assert "\t-\t-\t-\tchanged outside mailpolicy\n" in run(*journaled, "log").out


@pytest.mark.parametrize("how", ["copy", "move", "undo", "remove"])
def test_a_store_put_back_by_other_means_was_changed(run: Run, store: Path, journaled: list[str], how: str) -> None:
    """The edit was in force: its entry is not one that came to nothing."""
    backup = store.with_name("backup")
    shutil.copy2(store, backup)
    if how == "remove":
        store.unlink()
        assert run(*journaled, "init").status == 0
        store.unlink()
    else:
        run(*journaled, "pop", "off", ALICE)
    match how:
        case "copy":
            shutil.copy2(backup, store)
        case "move":
            shutil.copy2(backup, store.with_name("new"))
            store.with_name("new").replace(store)
        case "undo":
            assert run(*journaled, "undo", "--no-journal").status == 0
    assert [json.loads(line)["aborted"] for line in run(*journaled, "log", "--json").out.splitlines()] == [False]
    shutil.copy2(backup, store)
    run(*journaled, "imap", "off", ALICE)
    assert [entry["event"] for entry in entries(store)] == ["edit", "changed outside", "edit"]


def test_the_log_of_an_account_follows_it_through_renames(run: Run, store: Path, journaled: list[str]) -> None:
    for command in (
        f"pop off {ALICE}",
        f"account rename {ALICE} al@example.com",
        "imap off al@example.com bob@example.com",
        f"account add {ALICE}",
        "lan add 192.168.0.0/24",
    ):
        assert run(*journaled, *command.split()).status == 0
    found = run(*journaled, "log", "AL@example.com").out.splitlines()
    assert [line.split("\t")[3] for line in found] == [
        "mailpolicy imap off al@example.com bob@example.com",
        f"mailpolicy account rename {ALICE} al@example.com",
        f"mailpolicy pop off {ALICE}",
    ]
    assert found[0].endswith("\tal@example.com imap false")
    newer = run(*journaled, "log", ALICE).out.splitlines()
    assert newer[0].endswith(f"\tmailpolicy account add {ALICE}\t{ALICE} account added")
    assert len(run(*journaled, "log").out.splitlines()) == 5
    nobody = run(*journaled, "log", "nobody@example.com")
    assert (nobody.status, nobody.out) == (0, "")
    assert nobody.err.endswith(": no edits of nobody@example.com\n")
    later = run(*journaled, "log", ALICE, "--since", "2099-01-01")
    assert (later.status, later.err.endswith(f": no edits of {ALICE} since 2099-01-01\n")) == (0, True)
    assert run(*journaled, "log", "nobody").status == 2


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("2026-11-27", 1),
        ("today", 1),
        ("2026-11-28", 0),
        ("2026-11-27T12:30:45Z", 1),
        ("2026-11-27T13:30:46+01:00", 0),
    ],
)
def test_since(run: Run, journaled: list[str], since: str, found: int) -> None:
    run(*journaled, "pop", "off", ALICE)
    assert len(run(*journaled, "log", "--since", since).out.splitlines()) == found


@pytest.mark.parametrize("width", [60, 80, 200])
def test_on_a_terminal_nothing_is_left_out_or_broken(desk: Desk, run: Run, width: int) -> None:
    run(*desk.options, "multipop", "source", "add", ALICE, "isp", "--host", "pop.isp.example", "--login", "alice")
    run(*desk.options, "pop", "off", ALICE)
    person = desk.sit("true", command="log", COLUMNS=str(width), TERM="xterm", PAGER="cat")
    person.expect(pexpect.EOF)
    for entry in desk.entries():
        for word in (entry["time"], entry["id"], "root", ALICE):
            assert str(word) in person.before.replace("\x1b", " ")
    assert person.before.count("root") == 2


def test_since_is_judged_before_anything_is_read(run: Run, journaled: list[str]) -> None:
    for wrong in ("yesterday", "2026-11-27T12:00:00", "+3d"):
        refused = run(*journaled, "log", "--since", wrong)
        assert refused.status == 2
        assert refused.err.startswith("mailpolicy: --since: ")


def test_json(run: Run, journaled: list[str]) -> None:
    run(*journaled, "pop", "off", ALICE)
    run(*journaled, "undo")
    undo, edit = map(json.loads, run(*journaled, "log", "--json").out.splitlines())
    assert edit["schema"] == "mailpolicy.log/1"
    assert (edit["aborted"], edit["undone_by"], undo["undoes"]) == (False, undo["id"], edit["id"])
    assert edit["changes"][0]["address"] == ALICE
    assert edit["changes"][0]["text"] == f"{ALICE} pop false (was true)"


def test_before_the_first_edit_there_are_none(run: Run, store: Path, journaled: list[str]) -> None:
    shown = run(*journaled, "log")
    assert (shown.status, shown.out, shown.err) == (0, "", f"{journal(store)}: no edits\n")
    for arguments, status, message in (
        ((), 5, "there is no edit to undo"),
        (("4f2a91c07d",), 4, "there is no entry '4f2a91c07d'"),
    ):
        refused = run(*journaled, "undo", *arguments)
        assert (refused.status, message in refused.err) == (status, True)


def test_without_a_journal(run: Run, store: Path) -> None:
    for command in ("log", "undo"):
        refused = run("--file", str(store), "--host-config", "/dev/null", command)
        assert refused.status == 3
        assert "there is no journal; edits are written down with journal = true in host.toml" in refused.err


def test_secrets_are_in_no_entry(machine: Machine) -> None:
    machine.host_config.write_text("journal = true\n")
    assert machine.set(ALICE).status == 0
    assert machine.run("account", "rename", ALICE, "al@example.com").status == 0
    assert machine.run("account", "remove", "al@example.com", "--yes").status == 0
    log = machine.store.with_name("accounts.toml.log").read_text()
    assert len(log.splitlines()) == 3
    assert FIRST not in log
