"""Check that a file is replaced whole, with all that belongs to it, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mailpolicy.errors import NotConfirmed, WriteFailed
from mailpolicy.system import held
from mailpolicy.system.trust import fix_for_root
from tests.helpers import MINIMAL, PROGRAM, Run, missing, mount_namespace, needs_root


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
    assert fix_for_root(str(mine)) is None
    theirs = sticky / "theirs"
    theirs.symlink_to(mine)
    os.lchown(theirs, 65534, 65534)
    assert fix_for_root(str(theirs)) == ("chown", "-h", "root", str(theirs))
    mine.chmod(0o664)
    assert fix_for_root(str(mine)) == ("chmod", "g-w", str(mine))
    assert fix_for_root(str(sticky / "not there yet")) is None


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
            _disk(failing, name, lambda descriptor: ".passwd.new-" in _leads_to(descriptor))
            result = run(*deploy)
        assert result.status == 7, result
        assert "passwd.kick: input/output error; nothing was written" in result.err
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
