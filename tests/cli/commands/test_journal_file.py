"""The file of the journal: whose it is, what is in its place, a full disk, a torn line, rotation, and the line of syslog."""

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

import pytest

from tests.cli.commands.journals import entries, journal
from tests.helpers import MINIMAL, NOBODY, PROGRAM, Run, mount_namespace, needs_root
from tests.machine import ALICE


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


@pytest.mark.parametrize("whole", [False, True])
def test_a_last_line_without_its_ending_gets_it(run: Run, store: Path, journaled: list[str], whole: bool) -> None:
    """One that only lacks it counts; one that was cut off stays as evidence, and the line before it counts."""
    run(*journaled, "pop", "off", ALICE)
    run(*journaled, "imap", "off", ALICE)
    first, second = journal(store).read_text().splitlines()
    if not whole:
        run(*journaled, "imap", "inherit", ALICE, "--no-journal")
        second = second[:60]
    journal(store).write_text(f"{first}\n{second}")
    for _ in range(2):
        shown = run(*journaled, "log")
        assert len(shown.out.splitlines()) == 1 + whole
        warning = f"warning: {journal(store)}:2: this line cannot be read, and is left out\n"
        assert shown.err == ("" if whole else warning)
    assert run(*journaled, "pop", "on", ALICE).status == 0
    lines = journal(store).read_text().splitlines()
    assert lines[:2] == [first, second]
    assert [json.loads(line)["event"] for line in lines[2:]] == ["edit"]


def test_lines_that_cannot_be_read_are_left_out(run: Run, store: Path, journaled: list[str]) -> None:
    for verb in ("off", "on"):
        run(*journaled, "pop", verb, ALICE)
    journal(store).write_text("[]\n{}\nnot JSON\n" + journal(store).read_text() + '{"event": "of a later version"}\n')
    shown = run(*journaled, "log")
    assert len(shown.out.splitlines()) == 2
    assert [line.split(":")[2] for line in shown.err.splitlines()] == ["1", "2", "3"]
    tab = run("completion", "--line", f"mailpolicy {' '.join(journaled)} undo ")
    assert (len(tab.out.splitlines()), tab.err) == (2, "")  # a message would stand in the line that is typed
    assert run(*journaled, "pop", "off", ALICE).status == 0


def test_it_can_be_read_with_cat(run: Run, store: Path, journaled: list[str]) -> None:
    """What a terminal would obey or hide is escaped in the file, and the same when it is read."""
    login = "re\u202elay\u3164x\u200b"
    assert run(*journaled, "account", "set", ALICE, "--login", login).status == 0
    assert journal(store).read_text().isascii()
    (entry,) = entries(store)
    assert entry["changes"][0]["new"] == login
    assert run(*journaled, "undo").status == 0


def test_rotation_by_renaming(run: Run, store: Path, journaled: list[str]) -> None:
    run(*journaled, "pop", "off", ALICE)
    journal(store).rename(journal(store).with_suffix(".log.1"))
    run(*journaled, "imap", "off", ALICE)
    (entry,) = entries(store)
    assert entry["command"] == f"mailpolicy imap off {ALICE}"


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
