"""What the writing of a store promises: one writer at a time, never half a file, nothing of the file's lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tomli

from mailpolicy.errors import NotConfirmed, WriteFailed
from mailpolicy.system import held
from mailpolicy.system.trust import cure_for_root
from tests.helpers import MINIMAL, PROGRAM, Run, missing, mount_namespace, needs_root


def test_parallel_writers_lose_no_update(store: Path) -> None:
    def add(number: int) -> int:
        return subprocess.run(
            [*PROGRAM, "--file", str(store), "account", "add", f"u{number}@example.com"],
            capture_output=True,
            check=False,
        ).returncode

    seen: list[str] = []
    done = threading.Event()

    def read() -> None:
        """Readers take no lock and never see half a file."""
        while not done.is_set():
            text = store.read_text()
            tomli.loads(text)
            seen.append(text)

    with ThreadPoolExecutor(9) as pool:
        reading = pool.submit(read)
        try:
            assert list(pool.map(add, range(24))) == [0] * 24
        finally:
            done.set()
        reading.result()
    accounts = tomli.loads(store.read_text())["accounts"]
    assert {f"u{number}@example.com" for number in range(24)} <= accounts.keys()
    assert len(set(seen)) > 1


def test_a_killed_writer_leaves_the_old_or_the_new_file(store: Path) -> None:
    store.write_text(MINIMAL + "".join(f'\n[accounts."u{number}@example.com"]\nimap = true\n' for number in range(300)))
    before = store.read_bytes()
    outcomes = set()
    for step in range(40):
        child = subprocess.Popen(
            [*PROGRAM, "--file", str(store), "imap", "off" if step % 2 else "on", "--all", "--yes"],
            stdout=subprocess.DEVNULL,
        )
        time.sleep(0.05 + step * 0.005)
        child.kill()
        outcomes.add(child.wait())
        tomli.loads(store.read_text())
        assert len(store.read_bytes()) >= len(before) - 300
    assert -signal.SIGKILL in outcomes
    # What the killed ones left is cleared away by the next edit that takes the lock.
    leftover = store.parent / ".accounts.toml.new-0123456789abcdef"
    leftover.write_text("half a file")
    # Other files of this folder only look like it: somebody's own, and what a writer of another store is about to put in place.
    others = [
        ".accounts.toml.new-notes",
        ".accounts.toml.new-2025.new-0123456789abcdef",
        ".accounts.toml.new-0123456789abcdeX",
    ]
    for name in others:
        (store.parent / name).write_text("precious")
    assert (
        subprocess.run(
            [*PROGRAM, "--file", str(store), "pop", "on", "bob@example.com"], capture_output=True, check=False
        ).returncode
        == 0
    )
    assert sorted(path.name for path in store.parent.iterdir()) == sorted(
        [*others, "accounts.toml", "accounts.toml.lock"]
    )


def test_a_terminated_writer_cleans_up(store: Path) -> None:
    store.write_text(MINIMAL + "".join(f'\n[accounts."u{number}@example.com"]\nimap = true\n' for number in range(300)))
    statuses = set()
    for step in range(24):
        child = subprocess.Popen(
            [*PROGRAM, "--file", str(store), "imap", "off" if step % 2 else "on", "--all", "--yes"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        time.sleep(0.06 + step * 0.01)
        child.send_signal(signal.SIGTERM if step % 3 else signal.SIGINT)
        _, err = child.communicate(timeout=30)
        if child.returncode == 1:  # so early that Python itself had not begun
            assert b"init_import_site" in err or b"Could not import runpy" in err
            continue
        statuses.add(child.returncode)
        assert b"Traceback" not in err or b"KeyboardInterrupt" in err
        assert not [path for path in store.parent.iterdir() if ".new-" in path.name]
    # Negative where the signal came before the program had begun.
    assert statuses <= {0, 143, 130, -signal.SIGTERM, -signal.SIGINT}
    assert statuses & {143, 130}


def test_a_link_stays_a_link(run: Run, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "policy.toml"
    target.write_text(MINIMAL)
    (tmp_path / "link").symlink_to("real/policy.toml")
    (tmp_path / "chain.toml").symlink_to("link")
    assert run("--file", "chain.toml", "pop", "on", "bob@example.com").status == 0
    assert (tmp_path / "chain.toml").is_symlink()
    assert (tmp_path / "link").is_symlink()
    assert 'bob@example.com"]\npop = true' in target.read_text()
    # The lock lies beside what the link points to, so that every name of the store has the same one.
    assert (tmp_path / "real" / "policy.toml.lock").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chain.toml", "link", "real"]


def test_mode_owner_and_attributes_are_kept(run: Run, store: Path) -> None:
    store.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(store, 0, 12)
    os.setxattr(store, "user.note", b"kept")
    has_acl = shutil.which("setfacl") is not None
    if has_acl:
        subprocess.run(["setfacl", "-m", "u:65534:r", str(store)], check=True)
        acl = os.getxattr(store, "system.posix_acl_access")
    facts = store.stat()
    assert run("--file", str(store), "pop", "on", "bob@example.com").status == 0
    after = store.stat()
    assert after.st_ino != facts.st_ino
    assert (after.st_mode, after.st_uid, after.st_gid) == (facts.st_mode, facts.st_uid, facts.st_gid)
    assert os.getxattr(store, "user.note") == b"kept"
    if has_acl:
        assert os.getxattr(store, "system.posix_acl_access") == acl
    else:
        missing("setfacl is missing: Debian package acl")


def test_the_lock_is_the_stores(run: Run, store: Path) -> None:
    assert run("--file", str(store), "pop", "on", "bob@example.com").status == 0
    lock = Path(f"{store}.lock")
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    lock.unlink()
    store.chmod(0o664)
    host = store.parent / "host.toml"
    host.write_text('trusted_group = "man"\n')
    if os.geteuid() == 0:
        os.chown(store, 0, 12)
    shared = run("--file", str(store), "--host-config", str(host), "pop", "off", "bob@example.com")
    assert shared.status == 0, shared.err
    assert stat.S_IMODE(lock.stat().st_mode) == 0o660
    assert lock.stat().st_gid == store.stat().st_gid
    # The lock follows a store that is shared only later, or no longer.
    store.chmod(0o644)
    assert run("--file", str(store), "pop", "on", "bob@example.com").status == 0
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    lock.unlink()
    lock.symlink_to("elsewhere")
    refused = run("--file", str(store), "pop", "off", "bob@example.com")
    assert refused.status == 5
    assert f"rm {lock}" in refused.err
    assert not (store.parent / "elsewhere").exists()


def test_nothing_to_do_touches_nothing(run: Run, store: Path) -> None:
    facts = store.stat()
    for command in (
        ["pop", "on", "alice@example.com"],
        ["account", "resume", "bob@example.com"],
        ["server", "set", "edition", "pro"],
        ["lan", "add", "10.0.0.0/8"],
        ["lan", "remove", "192.0.2.0/24"],
        ["smart-host", "set", "--server", "--login", "relay"],
        ["init"],
    ):
        result = run("--file", str(store), *command)
        assert result.status == 0, result
        assert all(line.endswith("\tok") for line in result.out.splitlines())
    assert store.stat() == facts or (store.stat().st_ino, store.stat().st_mtime_ns) == (facts.st_ino, facts.st_mtime_ns)
    assert [path.name for path in store.parent.iterdir()] in (
        ["accounts.toml"],
        ["accounts.toml", "accounts.toml.lock"],
        ["accounts.toml.lock", "accounts.toml"],
    )


def test_a_dry_run_takes_no_lock_and_writes_nothing(run: Run, store: Path) -> None:
    before = store.read_bytes()
    dry = run("--file", str(store), "pop", "on", "bob@example.com", "--dry-run")
    assert dry.out.endswith('@@ -18,3 +18,4 @@\n pop_lan_only = true\n \n [accounts."bob@example.com"]\n+pop = true\n')
    assert store.read_bytes() == before
    assert [path.name for path in store.parent.iterdir()] == ["accounts.toml"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EBUSY, "bind-mounted"),
        (errno.EDQUOT, "quota"),
    ],
)
def test_each_failure_has_its_words(number: int, words: str, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system call fails as the kernel lets it fail; the file system here cannot be made to on demand."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    before = store.read_bytes()
    monkeypatch.setattr(os, "rename", fail)
    with held.without_lock(str(store)) as file, pytest.raises(WriteFailed, match=words):
        file.replace(b"new")
    assert store.read_bytes() == before
    assert [path.name for path in store.parent.iterdir()] == ["accounts.toml"]


def test_a_disk_that_does_not_confirm(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with held.without_lock(str(store)) as file, pytest.raises(NotConfirmed):
        file.replace(MINIMAL.encode())
    result = run("--file", str(store), "pop", "on", "bob@example.com")
    assert result.status == 8
    assert "did not confirm" in result.err
    assert 'bob@example.com"]\npop = true' in store.read_text()


def test_a_bind_mounted_store(tmp_path: Path, store: Path) -> None:
    """A real mount in a mount namespace of its own, where the kernel allows one."""
    unshare = mount_namespace()
    source = tmp_path / "source.toml"
    source.write_text(MINIMAL)
    script = f"mount --bind {source} {store} && exec {' '.join(PROGRAM)} --file {store} pop on bob@example.com"
    done = subprocess.run([unshare, "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    if "mount:" in done.stderr:
        missing("this kernel lets nobody mount")
    assert done.returncode == 7
    assert "bind-mounted" in done.stderr
    assert source.read_text() == MINIMAL


def test_a_read_only_directory(tmp_path: Path, store: Path) -> None:
    """Root may write everywhere, so a read-only mount is what stops it."""
    unshare = mount_namespace()
    folder = store.parent
    read_only = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}"
    script = f"{read_only} && exec {' '.join(PROGRAM)} --file {store} pop on bob@example.com"
    done = subprocess.run([unshare, "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    if "mount:" in done.stderr:
        missing("this kernel lets nobody mount")
    assert done.returncode == 7
    assert "read-only" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert store.read_text() == MINIMAL


def test_root_does_not_obey_what_others_can_write(run: Run, store: Path) -> None:
    needs_root()
    unsafe: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: store.chmod(0o666), "chmod go-w"),
        (lambda: os.chown(store, 65534, 0), "chown root"),
        (lambda: store.chmod(0o664), "chmod g-w"),
        (lambda: store.parent.chmod(0o777), "chmod go-w"),
        (lambda: store.parent.chmod(0o770), "chmod g-w"),
    )
    for make_unsafe, cure in unsafe:
        make_unsafe()
        before = store.read_bytes()
        refused = run("--file", str(store), "pop", "on", "bob@example.com")
        assert refused.status == 5
        assert cure in refused.err
        assert store.read_bytes() == before
        warned = run("--file", str(store), "check", "alice@example.com", "pop", "10.0.0.1")
        assert (warned.status, warned.out) == (0, "allow\n")
        assert cure in warned.err
        found = run("validate", str(store))
        assert found.status == 0
        assert "warning[MP039]" in found.out
        store.chmod(0o644)
        os.chown(store, 0, 0)
        store.parent.chmod(0o700)
    assert run("--file", str(store), "pop", "on", "bob@example.com").status == 0


def test_what_is_safe_for_root(tmp_path: Path) -> None:
    needs_root()
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    mine = sticky / "mine"
    mine.write_text("")
    assert cure_for_root(str(mine)) is None
    theirs = sticky / "theirs"
    theirs.symlink_to(mine)
    os.lchown(theirs, 65534, 65534)
    assert cure_for_root(str(theirs)) == ("chown", "-h", "root", str(theirs))
    mine.chmod(0o664)
    assert cure_for_root(str(mine)) == ("chmod", "g-w", str(mine))
    assert cure_for_root(str(sticky / "not there yet")) is None


def test_init(run: Run, tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        made = run("--file", "new/etc/accounts.toml", "init")
    finally:
        os.umask(old)
    store = tmp_path / "new" / "etc" / "accounts.toml"
    assert made.out == (
        "new/etc/accounts.schema.json\tschema\twritten\tchanged\nnew/etc/accounts.toml\tstore\twritten\tchanged\n"
    )
    described = store.parent / "accounts.schema.json"
    assert store.read_text().splitlines()[0] == f"#:schema ./{described.name}"
    assert described.read_text() == run("schema").out
    assert stat.S_IMODE(described.stat().st_mode) == 0o644
    assert stat.S_IMODE(store.stat().st_mode) == 0o644
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o755
    assert stat.S_IMODE(store.parent.parent.stat().st_mode) == 0o755
    assert run("validate", "--strict", "--hints", str(store)) == (0, "", f"{store}: valid, 0 errors, 0 warnings\n")
    before = store.read_bytes()
    assert run("--file", str(store), "init").out.endswith("\tok\n")
    assert store.read_bytes() == before
    dry = run("--file", "other.toml", "init", "--dry-run")
    assert dry.out.startswith("--- other.toml\n+++ other.toml\n@@ -0,0 +1,")
    assert not (tmp_path / "other.toml").exists()
    assert run("--file", "new/etc", "init").status == 3


def test_init_leaves_a_schema_that_is_there(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "accounts.schema.json"
    mine.write_text("mine")
    assert run("--file", "accounts.toml", "init").out == "accounts.toml\tstore\twritten\tchanged\n"
    assert mine.read_text() == "mine"
    for name, there in (("a", False), ("b", True)):
        folder = tmp_path / name
        folder.mkdir()
        if there:
            (folder / mine.name).write_text("mine")
        made = json.loads(run("--file", f"{name}/accounts.toml", "init", "--json").out)
        assert made["schema_file"] == (None if there else f"{name}/{mine.name}")
        assert run("--file", f"{name}/accounts.toml", "init", "--json").out.count('"schema_file": null') == 1
    dry = run("--file", "c.toml", "init", "--dry-run")
    assert (dry.status, sorted(path.name for path in tmp_path.glob("*.json"))) == (0, [mine.name])


def _disk(monkeypatch: pytest.MonkeyPatch, name: str, fails: Callable[[object], bool]) -> None:
    """The system call NAME fails with EIO for what `fails` says."""
    real = getattr(os, name)

    def call(first: object, *arguments: object, **options: object) -> object:
        if fails(first):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(first, *arguments, **options)

    monkeypatch.setattr(os, name, call)


def _leads_to(descriptor: object) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def test_a_note_that_cannot_be_written_leaves_the_export(
    run: Run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old content stays, and that is what is said: neither that the new one is in place (8), nor a crash (70)."""
    host = tmp_path / "host.toml"
    host.write_text(f'[exports.access]\ntarget = "dovecot"\npath = "{tmp_path}/passwd"\nreload = ["true"]\n')
    deploy = ("--file", str(store), "--host-config", str(host), "deploy")
    assert run(*deploy).status == 0
    before = (tmp_path / "passwd").read_bytes()
    assert run("--file", str(store), "imap", "off", "bob@example.com").status == 0
    for name in ("fsync", "close"):
        with monkeypatch.context() as failing:
            _disk(failing, name, lambda descriptor: ".passwd.kick.new-" in _leads_to(descriptor))
            result = run(*deploy)
        assert result.status == 7, result
        assert "passwd.kick: input/output error, nothing was written" in result.err
        assert (tmp_path / "passwd").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir() if "new-" in path.name) == []
    # A folder that does not confirm is told of once, when the export itself is in place.
    with monkeypatch.context() as failing:
        _disk(failing, "fsync", lambda descriptor: _leads_to(descriptor) == str(tmp_path))
        assert run(*deploy).status == 8
    assert (tmp_path / "passwd").read_bytes() != before
    assert run(*deploy).status == 0


def test_a_lock_that_cannot_be_closed_is_no_failure(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as failing:
        _disk(failing, "close", lambda descriptor: _leads_to(descriptor).endswith(".lock"))
        assert run("--file", str(store), "pop", "on", "bob@example.com").status == 0


def test_a_signal_at_the_opening_of_a_temporary_file(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def interrupted(path: str, *arguments: int, **options: int) -> int:
        descriptor = real(path, *arguments, **options)
        if ".new-" in str(path):
            os.close(descriptor)
            raise KeyboardInterrupt
        return descriptor

    with monkeypatch.context() as failing:
        failing.setattr(os, "open", interrupted)
        assert run("--file", str(store), "pop", "on", "bob@example.com").status == 130
    assert sorted(path.name for path in store.parent.iterdir()) == ["accounts.toml", "accounts.toml.lock"]


@pytest.mark.parametrize("suffix", ["", ".pending", ".kick", ".reload", ".edited", ".edited.2"])
def test_what_a_killed_writer_left_is_cleared(suffix: str, run: Run, store: Path) -> None:
    left = store.parent / f".accounts.toml{suffix}.new-0123456789abcdef"
    theirs = store.parent / f".other.toml{suffix}.new-0123456789abcdef"
    for path in (left, theirs):
        path.write_text("half a file")
    assert run("--file", str(store), "pop", "on", "bob@example.com").status == 0
    assert not left.exists()
    assert theirs.exists()


def test_a_writer_killed_between_the_two_names_of_a_new_file(run: Run, store: Path) -> None:
    """The name that was to go does not count, in a dry run either, and the next edit removes it."""
    left = store.parent / ".accounts.toml.new-0123456789abcdef"
    os.link(store, left)
    note, left_note = Path(f"{store}.pending"), store.parent / ".accounts.toml.pending.new-0123456789abcdef"
    note.write_text("smart-host/alice@example.com\n")
    os.link(note, left_note)
    for options in (["--dry-run"], []):
        edited = run("--file", str(store), "pop", "on", "bob@example.com", *options)
        assert edited.status == 0, edited.err
        assert "smart-host/alice@example.com may be out of date" in edited.err
    assert not left.exists()
    assert not left_note.exists()


@pytest.mark.parametrize(("signalled", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_a_class_is_made(
    signalled: signal.Signals, status: int, run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11 wraps it in a RuntimeError then, which is no crash of ours."""

    class Named:
        def __set_name__(self, owner: type, name: str) -> None:
            os.kill(os.getpid(), signalled)

    def rename(*_: object, **__: object) -> None:
        type("Made", (), {"named": Named()})

    before = store.read_bytes()
    with monkeypatch.context() as failing:
        failing.setattr(os, "rename", rename)
        assert run("--file", str(store), "pop", "on", "bob@example.com").status == status
    assert store.read_bytes() == before
