"""The journal as commands show it: what is written down, by whom, and what is not."""

from __future__ import annotations

import json
import os
import shlex
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from mailpolicy.cli.context import Context
from tests.cli.test_quiet import EDITS, JOURNAL, place, rows
from tests.helpers import MINIMAL, NOBODY, PROGRAM, Run, mount_namespace, needs_root
from tests.machine import ALICE, FIRST, Machine

__all__ = ["place"]


@pytest.fixture
def journaled(store: Path) -> list[str]:
    """A machine that keeps a journal; the options of a run there."""
    host = store.with_name("host.toml")
    host.write_text("journal = true\n")
    return ["--file", str(store), "--host-config", str(host)]


def journal(store: Path) -> Path:
    return store.with_name("accounts.toml.log")


def entries(store: Path) -> list[dict[str, Any]]:
    path = journal(store)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


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


def test_without_a_journal(run: Run, store: Path) -> None:
    for command in ("log", "undo"):
        refused = run("--file", str(store), "--host-config", "/dev/null", command)
        assert refused.status == 3
        assert "there is no journal; edits are written down with journal = true in host.toml" in refused.err


def test_it_belongs_to_whom_the_store_belongs_to(run: Run, store: Path, journaled: list[str]) -> None:
    store.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(store, 0, 12)
    assert run(*journaled, "pop", "off", ALICE).status == 0
    there, beside = journal(store).stat(), store.stat()
    assert stat.S_IMODE(there.st_mode) == 0o640
    assert (there.st_uid, there.st_gid) == (beside.st_uid, beside.st_gid)


def test_it_is_beside_what_a_link_points_to(run: Run, store: Path, journaled: list[str], tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "policy.toml"
    store.rename(real)
    store.symlink_to(real)
    assert run(*journaled, "pop", "off", ALICE).status == 0
    assert real.with_name("policy.toml.log").exists()
    assert run(*journaled, "undo").status == 0


def plant(kind: str, path: Path) -> None:
    precious = path.with_name("precious")
    precious.write_text("precious\n")
    match kind:
        case "link":
            path.symlink_to(precious)
        case "hard link":
            path.hardlink_to(precious)
        case "fifo":
            os.mkfifo(path)
        case "stranger's":
            needs_root()
            path.write_text("")
            os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo", "stranger's"])
def test_what_is_not_ours_is_refused(run: Run, store: Path, journaled: list[str], kind: str) -> None:
    plant(kind, journal(store))
    before = store.read_bytes()
    for command in (("pop", "off", ALICE), ("log",), ("undo",)):
        refused = run(*journaled, *command)
        assert refused.status == 5
        assert f"{journal(store)}: this file is in the way and was not made by mailpolicy" in refused.err
    assert store.read_bytes() == before
    assert store.with_name("precious").read_text() == "precious\n"
    assert run(*journaled, "pop", "off", ALICE, "--no-journal").status == 0


def test_a_journal_that_cannot_be_written_stops_the_edit(run: Run, store: Path, journaled: list[str]) -> None:
    journal(store).mkdir()
    before = store.read_bytes()
    refused = run(*journaled, "pop", "off", ALICE)
    assert refused.status == 7
    assert "the journal cannot be written: is a directory; nothing was changed" in refused.err
    assert "--no-journal" in refused.err
    assert store.read_bytes() == before
    past = run(*journaled, "pop", "off", ALICE, "--no-journal")
    assert past.status == 0
    assert past.err == "note: --no-journal: this edit is not written down, and cannot be undone\n"


@pytest.mark.parametrize("room", [0, 1])
def test_a_full_disk(store: Path, tmp_path: Path, room: int) -> None:
    """Without room for the journal nothing is changed; without room for the store only, the journal says so."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "host.toml").write_text("journal = true\n")
    store.write_text(MINIMAL + "#" * 5000 + "\n")
    script = f"""
        set -e
        mount -t tmpfs -o size=40k tmpfs {disk}
        cp {store} {disk}/accounts.toml
        touch {disk}/accounts.toml.lock
        run() {{ {shlex.join(PROGRAM)} --file {disk}/accounts.toml --host-config {tmp_path}/host.toml "$@"; }}
        {"run pop on bob@example.com" if room else ""}
        dd if=/dev/zero of={disk}/filling bs=1k 2>/dev/null || true
        status=0
        run pop off {ALICE} || status=$?
        echo "status $status" >&2
        rm {disk}/filling
        cp {disk}/* {tmp_path}
    """
    done = subprocess.run([mount_namespace(), "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert "status 7" in done.stderr, done.stderr
    assert "pop = true\npop_lan_only" in store.read_text()
    written = entries(tmp_path / "accounts.toml")
    if room:
        assert [entry["event"] for entry in written] == ["edit", "edit", "aborted"]
        assert written[2]["id"] == written[1]["id"]
    else:
        assert "the journal cannot be written: the disk is full" in done.stderr
        assert written == []


def test_a_torn_last_line_is_cut_off_and_others_are_left_out(run: Run, store: Path, journaled: list[str]) -> None:
    run(*journaled, "pop", "off", ALICE)
    whole = journal(store).read_text()
    journal(store).write_text(whole + whole[:60])
    shown = run(*journaled, "log")
    assert len(shown.out.splitlines()) == 1
    assert shown.err == f"warning: {journal(store)}:2: this line cannot be read, and is left out\n"
    run(*journaled, "pop", "on", ALICE)
    assert [entry["event"] for entry in entries(store)] == ["edit", "edit"]
    assert journal(store).read_text().startswith(whole)
    journal(store).write_text("[]\n{}\nnot JSON\n" + journal(store).read_text() + '{"event": "of a later version"}\n')
    shown = run(*journaled, "log")
    assert len(shown.out.splitlines()) == 2
    assert [line.split(":")[2] for line in shown.err.splitlines()] == ["1", "2", "3"]
    assert run(*journaled, "pop", "off", ALICE).status == 0


def test_rotation_by_renaming(run: Run, store: Path, journaled: list[str]) -> None:
    run(*journaled, "pop", "off", ALICE)
    journal(store).rename(journal(store).with_suffix(".log.1"))
    run(*journaled, "imap", "off", ALICE)
    (entry,) = entries(store)
    assert entry["command"] == f"mailpolicy imap off {ALICE}"


def test_secrets_are_in_no_entry(machine: Machine) -> None:
    machine.host_config.write_text("journal = true\n")
    assert machine.set(ALICE).status == 0
    assert machine.run("account", "rename", ALICE, "al@example.com").status == 0
    assert machine.run("account", "remove", "al@example.com", "--yes").status == 0
    log = machine.store.with_name("accounts.toml.log").read_text()
    assert len(log.splitlines()) == 3
    assert FIRST not in log


def test_syslog_gets_a_line(store: Path, journaled: list[str], tmp_path: Path) -> None:
    """A socket in the place of the daemon's, in a mount namespace of its own."""
    unshare = mount_namespace()
    path = tmp_path / "log"
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.bind(str(path))
    daemon.settimeout(10)
    heard: list[str] = []
    listening = threading.Thread(target=lambda: heard.append(daemon.recv(4096).decode()))
    listening.start()
    command = shlex.join([sys.executable, "-m", "mailpolicy", *journaled, "pop", "off", ALICE])
    script = f"mkdir {tmp_path}/dev && mount --bind /dev {tmp_path}/dev && mount -t tmpfs tmpfs /dev && ln -s {path} /dev/log && {command}"
    done = subprocess.run([unshare, "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listening.join(10)
    daemon.close()
    (entry,) = entries(store)
    assert heard[0].startswith("<85>")  # authpriv, notice
    assert f"{store}: edit {entry['id']} by root: mailpolicy pop off {ALICE}" in heard[0]
