"""install keeps the promises of an edit: whole or not at all, what belongs to the file stays, nothing for nothing."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pexpect
import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.edit.install import Installation, install
from mailpolicy.edit.text.diff import apply_splices, compare, unified_diff
from mailpolicy.errors import Refused
from mailpolicy.store.store import Store
from tests.helpers import MINIMAL, PROGRAM, Run, missing, never
from tests.patches import patched

WIDER = MINIMAL.replace("pop_lan_only = true", "pop_lan_only = false")


def facts(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mtime_ns


def draft(store: Path, text: str = WIDER) -> str:
    path = store.with_name("draft.toml")
    path.write_text(text)
    return str(path)


def test_what_belongs_to_the_file_stays(run: Run, store: Path, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "policy.toml"
    real.parent.mkdir()
    store.rename(real)
    store.symlink_to(real)
    os.chmod(real, 0o640)
    if os.geteuid() == 0:
        os.chown(real, 0, 12)
    try:
        os.setxattr(real, "user.note", b"kept")
    except OSError:
        missing("this file system has no extended attributes")
    before = real.stat()
    assert run("--file", str(store), "install", draft(store)).status == 0
    after = real.stat()
    assert store.is_symlink()
    assert real.read_text() == WIDER
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (0o640, before.st_uid, before.st_gid)
    assert os.getxattr(real, "user.note") == b"kept"
    assert sorted(path.name for path in real.parent.iterdir()) == ["policy.toml", "policy.toml.lock"]


def test_equal_is_ok_and_touches_nothing(run: Run, store: Path) -> None:
    before = facts(store)
    same = draft(store, MINIMAL)
    assert run("--file", str(store), "install", same, "--fail-on", "any").out == f"{store}\tstore\tup to date\tok\n"
    assert facts(store) == before
    assert not store.with_name("accounts.toml.lock").exists()


@pytest.mark.parametrize("way", [["--fail-on", "widened"], ["--fail-on", "any"], []])
def test_a_dry_run_writes_nothing_and_ends_as_the_real_one(run: Run, store: Path, way: list[str]) -> None:
    before = facts(store)
    command = ("--file", str(store), "install", draft(store), *way)
    dry = run(*command, "--dry-run")
    assert facts(store) == before
    assert not store.with_name("accounts.toml.lock").exists()
    assert dry.status == (5 if way else 0)
    if not way:
        assert patched(MINIMAL, dry.out) == WIDER
        assert "alice@example.com  pop  widened  LAN  anywhere" in dry.err
    assert run(*command).status == dry.status
    assert store.read_text() == (MINIMAL if way else WIDER)


def test_only_the_forbidden_direction_is_refused(run: Run, store: Path) -> None:
    wider = draft(store)
    assert run("--file", str(store), "install", wider, "--fail-on", "widened").status == 5
    assert run("--file", str(store), "install", wider, "--fail-on", "narrowed").status == 0
    narrower = draft(store, MINIMAL)
    assert run("--file", str(store), "install", narrower, "--fail-on", "narrowed").status == 5
    assert run("--file", str(store), "install", narrower, "--fail-on", "widened").status == 0


def test_bytes_from_stdin_are_installed_as_they_are(program: Run, store: Path) -> None:
    data = b"\xef\xbb\xbf" + WIDER.replace("\n", "\r\n").encode() + b"# no newline"
    assert program("--file", str(store), "install", "-", stdin=data).status == 0
    assert store.read_bytes() == data


def test_the_first_store(run: Run, store: Path, tmp_path: Path) -> None:
    there = tmp_path / "etc" / "mailpolicy" / "accounts.toml"
    before = os.umask(0o077)
    try:
        result = run("--file", str(there), "install", str(store))
    finally:
        os.umask(before)
    assert result.out.endswith(f"{there}\tstore\twritten\tchanged\n")
    assert stat.S_IMODE(there.stat().st_mode) == 0o644
    assert stat.S_IMODE(there.parent.stat().st_mode) == 0o755
    assert run("--file", str(tmp_path / "other.toml"), "install", str(store), "--fail-on", "widened").status == 5
    assert not (tmp_path / "other.toml").exists()


def test_what_is_not_valid_is_not_installed(run: Run, store: Path) -> None:
    for text in ("version = 1\npop = true\n", "[", "\0", ""):
        result = run("--file", str(store), "install", draft(store, text))
        assert result.status == 3
        assert "draft.toml:" in result.err
        assert store.read_text() == MINIMAL
    assert run("--file", str(store), "install", str(store.with_name("none.toml"))).status == 3
    assert run("--file", str(store), "install", str(store.parent)).status == 3


def test_a_broken_store_in_place_is_no_measure(run: Run, store: Path) -> None:
    new = store.with_name("new.toml")
    new.write_bytes(store.read_bytes())
    store.write_text("[x\n")
    for way in ("widened", "narrowed", "any"):
        result = run("--file", str(store), "install", str(new), "--fail-on", way)
        assert result.status == 5
        assert f"--fail-on {way} has nothing to compare with" in result.err
        assert store.read_text() == "[x\n"
    assert run("--file", str(store), "install", str(new)).status == 0


def test_nobody_who_cannot_be_told_is_surprised(program: Run, store: Path) -> None:
    new = store.with_name("new.toml")
    new.write_text(store.read_text().replace("pop_lan_only = true", "pop_lan_only = false"))
    before = store.read_bytes()
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*PROGRAM, "--file", store, "install", new], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 74
    assert store.read_bytes() == before


def test_warnings_are_told(run: Run, store: Path) -> None:
    result = run("--file", str(store), "install", draft(store, WIDER + "\n[templates.idle]\n"))
    assert result.status == 0
    assert "draft.toml:22:1: warning[MP037]: no account uses the template idle" in result.err


def test_root_does_not_write_where_others_can(run: Run, store: Path) -> None:
    if os.geteuid() != 0:
        missing("only root is refused")
    os.chmod(store, 0o666)
    result = run("--file", str(store), "install", draft(store))
    assert result.status == 5
    assert "chmod go-w" in result.err
    assert store.read_text() == MINIMAL


def test_one_writer_at_a_time(run: Run, store: Path) -> None:
    with open(store.with_name("accounts.toml.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run("--file", str(store), "install", draft(store), "--lock-timeout", "0").status == 75
    assert store.read_text() == MINIMAL


def test_a_store_that_moved_under_the_lock_is_compared_again(store: Path) -> None:
    """Somebody narrows access while the installation waits: what looked harmless is not any more."""
    narrower = MINIMAL.replace("pop = true", "pop = false")
    asked: list[list[str]] = []

    def allow(planned: Installation) -> None:
        asked.append([str(change.direction) for change in planned.changes])
        if "widened" in asked[-1]:
            raise Refused("no")

    def meanwhile(_: Installation) -> None:
        store.write_text(narrower)

    store.write_text(WIDER)
    with pytest.raises(Refused):
        install(
            str(store),
            Store("draft.toml", MINIMAL.encode()),
            never,
            allow=allow,
            confirm=meanwhile,
        )
    assert asked == [["narrowed"], ["widened"]]
    assert store.read_text() == narrower


def test_readers_see_the_old_or_the_new_store(store: Path) -> None:
    done = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(store.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for round_ in range(60):
            install(
                str(store),
                Store("-", (MINIMAL if round_ % 2 else WIDER).encode()),
                never,
                allow=lambda _: None,
                confirm=lambda _: None,
            )
    finally:
        done.set()
        reader.join()
    assert seen == {MINIMAL, WIDER}


def test_many_accounts_are_asked_about_on_a_terminal(store: Path) -> None:
    text = MINIMAL + "".join(f'[accounts."u{number}@example.com"]\n' for number in range(21))
    command = ["-m", "mailpolicy", "--file", str(store), "install", draft(store, text)]
    child = pexpect.spawn(sys.executable, command, timeout=30, encoding="utf-8")
    child.expect_exact("Change the access of 21 accounts in")
    child.sendline("n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 5
    assert store.read_text() == MINIMAL
    child = pexpect.spawn(sys.executable, [*command, "--yes"], timeout=30, encoding="utf-8")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert tomli.loads(store.read_text())["accounts"].keys() >= {"u0@example.com"}


lines = st.lists(st.sampled_from(["a", "b", "", "[x]", "é"]), max_size=12)


@given(lines, lines, st.sampled_from(["\n", ""]), st.sampled_from(["\n", ""]))
def test_splices_between_two_texts(old: list[str], new: list[str], end: str, other_end: str) -> None:
    before, after = "\n".join(old) + end, "\n".join(new) + other_end
    splices = compare(before, after)
    assert apply_splices(before, splices) == after
    assert bool(splices) is (before != after)
    if splices:
        assert patched(before, unified_diff("x", before, splices)) == after


def test_that_the_servers_do_not_know_yet_is_said(run: Run, store: Path, tmp_path: Path) -> None:
    host = tmp_path / "host.toml"
    host.write_text(f'[exports.a]\ntarget = "dovecot"\npath = "{tmp_path}/a"\n')
    host.chmod(0o600)
    command = ("--file", str(store), "--host-config", str(host), "install", draft(store))
    assert "not in force yet" not in run(*command, "--dry-run").err
    assert f"not in force yet: mailpolicy deploy --file {store} --host-config {host}\n" in run(*command).err
    assert "not in force yet" not in run(*command).err
