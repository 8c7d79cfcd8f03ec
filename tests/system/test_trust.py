"""Check that root obeys no file that others can write or exchange, on whichever way it is reached."""

from __future__ import annotations

import errno
import grp
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import MINIMAL, NOBODY, Run, missing

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what only root can be led to do")


def test_an_export_keeps_the_owner_that_host_toml_names(run: Run, store: Path, tmp_path: Path) -> None:
    host = tmp_path / "host.toml"
    host.write_text(f'[exports.access]\ntarget = "dovecot"\npath = "{tmp_path}/passwd"\nowner = "nobody"\n')
    deploy = ("--file", str(store), "--host-config", str(host), "deploy")
    assert run(*deploy).status == 0
    assert (tmp_path / "passwd").stat().st_uid == NOBODY
    assert run("--file", str(store), "pop", "on", "bob@example.com").status == 0
    assert run(*deploy).status == 0
    assert "pop3/bob@example.com" in (tmp_path / "passwd").read_text()


def _chain(tmp_path: Path, name: str, content: str) -> tuple[Path, Path]:
    """`conf/NAME` (root's) -> `shared/current` (in a folder that is everybody's) -> `real/NAME`; the first and the middle."""
    for folder in ("conf", "shared", "real"):
        (tmp_path / folder).mkdir()
    (tmp_path / "real" / name).write_text(content)
    (tmp_path / "real" / name).chmod(0o600)
    middle = tmp_path / "shared" / "current"
    middle.symlink_to(tmp_path / "real" / name)
    (tmp_path / "conf" / name).symlink_to(middle)
    (tmp_path / "shared").chmod(0o777)
    return tmp_path / "conf" / name, middle


def test_the_middle_of_a_chain_to_the_store(run: Run, tmp_path: Path) -> None:
    path, middle = _chain(tmp_path, "accounts.toml", MINIMAL)
    cure = f"chmod go-w {middle.parent}"
    refused = run("--file", str(path), "pop", "on", "bob@example.com")
    assert (refused.status, cure in refused.err) == (5, True)
    exported = run("--file", str(path), "export", "dovecot")
    assert (exported.status, cure in exported.err, exported.out) == (5, True, "")
    assert cure in run("--file", str(path), "check", "alice@example.com", "pop", "10.0.0.1").err
    assert "MP039" in run("validate", str(path)).out
    middle.parent.chmod(0o755)
    os.lchown(middle, NOBODY, NOBODY)
    assert f"chown -h root {middle}" in run("--file", str(path), "pop", "on", "bob@example.com").err
    os.lchown(middle, 0, 0)
    assert run("--file", str(path), "pop", "on", "bob@example.com").status == 0


def test_the_middle_of_a_chain_to_host_toml(run: Run, store: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    path, middle = _chain(
        tmp_path,
        "host.toml",
        f'[exports.access]\ntarget = "dovecot"\npath = "{tmp_path}/passwd"\nreload = ["touch", "{ran}"]\n',
    )
    refused = run("--file", str(store), "--host-config", str(path), "deploy")
    assert (refused.status, f"chmod go-w {middle.parent}" in refused.err) == (5, True)
    assert not ran.exists()


def test_the_middle_of_a_chain_to_a_key(run: Run, store: Path, tmp_path: Path) -> None:
    path, middle = _chain(tmp_path, "key", "")
    path.resolve().write_bytes(b"k" * 32)
    host = tmp_path / "host.toml"
    host.write_text(
        f'keyring_backend = "mailpolicy.sealed.Keyring"\nsecrets_file = "{tmp_path}/secrets"\nkey_file = "{path}"\n'
    )
    init = ("--file", str(store), "--host-config", str(host), "secrets", "init")
    refused = run(*init)
    assert (refused.status, f"chmod go-w {middle.parent}" in refused.err) == (6, True)
    assert not (tmp_path / "secrets").exists()
    middle.parent.chmod(0o755)
    assert run(*init).status == 0


def test_a_store_with_two_names_is_not_edited(run: Run, store: Path) -> None:
    os.link(store, store.with_name("other"))
    for options in ([], ["--dry-run"]):
        refused = run("--file", str(store), "pop", "on", "bob@example.com", *options)
        assert (refused.status, "2 hard links" in refused.err) == (5, True)
    assert store.read_text() == MINIMAL


def test_a_default_acl_gives_nobody_the_store(run: Run, store: Path, tmp_path: Path) -> None:
    if shutil.which("setfacl") is None:
        missing("setfacl is missing: Debian package acl")
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)
    store = store.rename(folder / "accounts.toml")
    store.chmod(0o640)
    subprocess.run(["setfacl", "-d", "-m", "u:nobody:rwx,g::rwx", folder], check=True)
    assert run("--file", str(store), "pop", "on", "bob@example.com").status == 0
    assert run("--file", str(folder / "new.toml"), "init").status == 0
    for path, mode in ((store, 0o640), (folder / "new.toml", 0o644), (folder / "accounts.toml.lock", 0o600)):
        assert "system.posix_acl_access" not in os.listxattr(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_trusted_group(run: Run, store: Path, tmp_path: Path) -> None:
    """Its members may own and write the store and its folder, and nothing above."""
    member = "nobody"
    group = grp.getgrgid(NOBODY).gr_name
    folder = tmp_path / "shared"
    folder.mkdir()
    store = store.rename(folder / "accounts.toml")
    os.chown(store, NOBODY, NOBODY)
    store.chmod(0o664)
    os.chown(folder, 0, NOBODY)
    folder.chmod(0o2775)
    host = tmp_path / "host.toml"
    edit = ("--file", str(store), "--host-config", str(host), "pop")
    host.write_text("")
    refused = run(*edit, "on", "bob@example.com")
    assert (refused.status, f"chmod g-w {folder}" in refused.err) == (5, True)
    host.write_text(f'trusted_group = "{group}"\n')
    edited = run(*edit, "on", "bob@example.com")
    assert edited.status == 0, edited.err
    assert (store.stat().st_uid, stat.S_IMODE(store.stat().st_mode)) == (NOBODY, 0o664)
    permissions = run(*edit[:-1], "doctor").out
    assert f"only root and the trusted group {group} can write" in permissions, (member, permissions)
    # Others than the group, and its members anywhere else, are as ever.
    store.chmod(0o666)
    assert run(*edit, "off", "bob@example.com").status == 5
    store.chmod(0o664)
    tmp_path.chmod(0o775)
    os.chown(tmp_path, 0, NOBODY)
    assert f"chmod g-w {tmp_path}" in run(*edit, "off", "bob@example.com").err
    tmp_path.chmod(0o700)
    host.write_text('trusted_group = "no such group"\n')
    assert run(*edit, "off", "bob@example.com").status == 3


FAILING = [errno.EIO, errno.ESTALE, errno.EACCES]


@pytest.mark.parametrize("number", FAILING)
@pytest.mark.parametrize("what", ["secrets", "passwd", "accounts.toml", "host.toml"])
def test_a_failed_look_is_not_a_missing_file(
    what: str, number: int, run: Run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk or a server that fails for a moment says nothing about what is there."""
    (tmp_path / "passwd").write_text("somebody's own\n")
    (tmp_path / "host.toml").write_text(
        f'keyring_backend = "mailpolicy.sealed.Keyring"\nsecrets_file = "{tmp_path}/secrets"\nkey_file = "{tmp_path}/key"\n'
    )
    common = ("--file", str(store), "--host-config", str(tmp_path / "host.toml"))
    command = {
        "secrets": ("secrets", "init"),
        "host.toml": ("secrets", "init"),
        "passwd": ("export", "dovecot", "--output", str(tmp_path / "passwd")),
        "accounts.toml": ("init",),
    }[what]
    if what in ("secrets", "host.toml"):
        assert run(*common, "secrets", "init").status == 0
    before = (tmp_path / what).read_bytes()

    def fails(real: Callable[..., object]) -> Callable[..., object]:
        def call(path: int | str | os.PathLike[str], *arguments: object, **options: object) -> object:
            if not isinstance(path, int) and os.path.basename(os.fsdecode(path)) == what:
                raise OSError(number, os.strerror(number))
            return real(path, *arguments, **options)

        return call

    with monkeypatch.context() as failing:
        for name in ("stat", "lstat", "open"):
            failing.setattr(os, name, fails(getattr(os, name)))
        result = run(*common, *command)
    assert result.status in (3, 6, 7), result
    assert (tmp_path / what).read_bytes() == before
    if what == "secrets":
        assert run(*common, "secrets", "list").status == 0


def test_an_acl_is_seen_behind_the_bits_of_a_trusted_group(run: Run, store: Path, tmp_path: Path) -> None:
    if shutil.which("setfacl") is None:
        missing("setfacl is missing: Debian package acl")
    host = tmp_path / "host.toml"
    host.write_text(f'trusted_group = "{grp.getgrgid(NOBODY).gr_name}"\n')
    folder = tmp_path / "shared"
    folder.mkdir()
    store = store.rename(folder / "accounts.toml")
    for path, mode in ((folder, 0o2775), (store, 0o664)):
        os.chown(path, 0, NOBODY)
        path.chmod(mode)
    edit = ("--file", str(store), "--host-config", str(host), "pop")
    assert run(*edit, "on", "bob@example.com").status == 0
    for path in (folder, store):
        subprocess.run(["setfacl", "-m", "u:daemon:rwx", path], check=True)
        refused = run(*edit, "off", "bob@example.com")
        assert (refused.status, f"setfacl -b {path}" in refused.err) == (5, True)
        assert run(*edit[:-1], "doctor").status == 1
        subprocess.run(["setfacl", "-b", path], check=True)
        path.chmod(0o2775 if path is folder else 0o664)
    assert run(*edit, "off", "bob@example.com").status == 0


def test_a_member_s_note_is_read_by_all(run: Run, store: Path, tmp_path: Path) -> None:
    host = tmp_path / "host.toml"
    host.write_text(f'trusted_group = "{grp.getgrgid(NOBODY).gr_name}"\n')
    note = store.with_name("accounts.toml.pending")
    note.write_text("smart-host/alice@example.com/relay.example:587\n")
    os.chown(note, NOBODY, NOBODY)
    edited = run("--file", str(store), "--host-config", str(host), "pop", "on", "bob@example.com")
    assert edited.status == 0
    assert "alice@example.com/relay.example:587 may be out of date" in edited.err
