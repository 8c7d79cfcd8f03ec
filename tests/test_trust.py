"""Root in folders that others can write: nothing they plant or swap is followed, obeyed or overwritten."""

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

from mailpolicy.edit import services
from mailpolicy.edit.selection import Targets
from mailpolicy.edit.services import Verb
from mailpolicy.edit.transaction import transact
from mailpolicy.policy.service import Service
from mailpolicy.store.store import Store, StoreInvalid
from mailpolicy.system.held import Held
from tests.helpers import MINIMAL, NOBODY, Result, Run, missing

VICTIM = "precious\n"
DATA = "imap/alice@example.com:*::::::\nimap/bob@example.com:*::::::\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what only root can be led to do")


@pytest.fixture
def sticky(tmp_path: Path) -> Path:
    """A folder like /tmp, where everybody can plant what is not there yet."""
    folder = tmp_path / "sticky"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of root's that must stay as it is."""
    path = tmp_path / "victim"
    path.write_text(VICTIM)
    path.chmod(0o600)
    return path


def _link(place: Path, victim: Path) -> None:
    place.symlink_to(victim)
    os.lchown(place, NOBODY, NOBODY)


def _hard_link(place: Path, victim: Path) -> None:
    os.link(victim, place)


def _file(place: Path, victim: Path) -> None:
    place.write_text("--all\n")
    os.chown(place, NOBODY, NOBODY)


def _fifo(place: Path, victim: Path) -> None:
    os.mkfifo(place)
    os.chown(place, NOBODY, NOBODY)


PLANTED = [_link, _hard_link, _file, _fifo]


def _unharmed(place: Path, victim: Path) -> None:
    assert victim.read_text() == VICTIM
    facts = victim.stat()
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid) == (0o600, 0)
    if place.is_symlink():
        assert os.readlink(place) == str(victim)
    elif place.is_file() and place.stat().st_ino != facts.st_ino:
        assert place.read_text() == "--all\n"


def _deploy(run: Run, sticky: Path, *options: str) -> Result:
    host = sticky.parent / "host.toml"
    host.write_text(
        f'[exports.access]\ntarget = "dovecot"\npath = "{sticky}/passwd"\nreload = ["true"]\nkick = ["echo"]\n'
    )
    return run("--file", str(sticky.parent / "accounts.toml"), "--host-config", str(host), "deploy", *options)


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("suffix", ["kick", "reload", "lock"])
def test_a_planted_note_or_lock_of_an_export(
    plant: Callable[[Path, Path], None], suffix: str, run: Run, store: Path, sticky: Path, victim: Path
) -> None:
    (sticky / "passwd").write_text(DATA)
    planted = sticky / f"passwd.{suffix}"
    plant(planted, victim)
    refused = _deploy(run, sticky, "--kick")
    assert refused.status == 5, refused
    assert f"rm {planted}" in refused.err
    assert "--all" not in refused.out
    _unharmed(planted, victim)


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("suffix", ["lock", "pending"])
def test_a_planted_note_or_lock_of_a_store(
    plant: Callable[[Path, Path], None], suffix: str, run: Run, sticky: Path, victim: Path
) -> None:
    store = sticky / "accounts.toml"
    store.write_text(MINIMAL)
    planted = sticky / f"accounts.toml.{suffix}"
    plant(planted, victim)
    done = run("--file", str(store), "pop", "on", "bob@example.com")
    # A note is only told of by an edit without a secret; it is neither followed nor cleared.
    assert done.status == (5 if suffix == "lock" else 0), done
    assert f"{planted}: this is not a file that mailpolicy made" in done.err
    _unharmed(planted, victim)


def test_a_planted_temporary_file_is_not_followed(run: Run, sticky: Path, victim: Path) -> None:
    store = sticky / "accounts.toml"
    store.write_text(MINIMAL)
    planted = sticky / ".accounts.toml.new-0123456789abcdef"
    _link(planted, victim)
    assert run("--file", str(store), "pop", "on", "bob@example.com").status == 0
    _unharmed(planted, victim)


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_copy_is_passed_over(
    plant: Callable[[Path, Path], None], run: Run, store: Path, sticky: Path, victim: Path
) -> None:
    """What somebody wrote into an export is kept beside it, under a name that is free."""
    (sticky / "passwd").write_text("somebody's own\n")
    planted = sticky / "passwd.edited"
    plant(planted, victim)
    assert _deploy(run, sticky).status == 0
    assert (sticky / "passwd.edited.1").read_text() == "somebody's own\n"
    _unharmed(planted, victim)


@pytest.mark.parametrize("plant", [_link, _file])
def test_a_planted_export_is_refused(
    plant: Callable[[Path, Path], None], run: Run, store: Path, sticky: Path, victim: Path
) -> None:
    """Its owner would get whatever the policy says, passwords too."""
    planted = sticky / "passwd"
    plant(planted, victim)
    for refused in (
        _deploy(run, sticky),
        run("--file", str(store), "export", "postfix-sender-login", "--output", str(planted), "--force"),
    ):
        assert refused.status == 5, refused
        assert f"chown {'-h ' if plant is _link else ''}root {planted}" in refused.err
    _unharmed(planted, victim)


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


def _edit(store: Path, first: Callable[[], None]) -> None:
    """Switch POP on for bob; `first` happens between the reading under the lock and the replacement."""

    def once(held: Held) -> None:
        if not done:
            done.append(True)
            first()

    done: list[bool] = []
    transact(
        Store.read(str(store)),
        lambda policy: services.switch(policy, Service.POP, Verb.ON, Targets(("bob@example.com",))),
        first=once,
    )


def test_a_link_that_is_swapped_during_an_edit(tmp_path: Path, victim: Path) -> None:
    """Nothing is written through the new link, and where that leads to a store the edit goes there."""
    for name in ("r1", "r2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "accounts.toml").write_text(f"# {name}\n{MINIMAL}")
    current = tmp_path / "current"
    current.symlink_to("r1")

    def switch() -> None:
        current.unlink()
        current.symlink_to("r2")

    _edit(current / "accounts.toml", switch)
    assert (tmp_path / "r1" / "accounts.toml").read_text() == f"# r1\n{MINIMAL}"
    edited = (tmp_path / "r2" / "accounts.toml").read_text()
    assert edited.startswith("# r2\n")
    assert edited.endswith('[accounts."bob@example.com"]\npop = true\n')


def test_a_store_that_becomes_a_link_during_an_edit(store: Path, victim: Path) -> None:
    def plant() -> None:
        store.unlink()
        store.symlink_to(victim)

    with pytest.raises(StoreInvalid):  # the edit starts again, on what is no store
        _edit(store, plant)
    assert victim.read_text() == VICTIM


@pytest.mark.parametrize("in_place", [False, True])
def test_a_store_that_is_changed_during_an_edit(store: Path, in_place: bool) -> None:
    """As by an editor that knows no lock: its change is kept."""

    def change() -> None:
        new = store if in_place else store.with_name("new")
        new.write_text(f"# theirs\n{MINIMAL}")
        new.rename(store)

    _edit(store, change)
    assert store.read_text().startswith("# theirs\n")
    assert store.read_text().endswith('[accounts."bob@example.com"]\npop = true\n')


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
    assert f"by root and the members of {group}" in permissions, (member, permissions)
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


def test_a_temporary_file_that_is_exchanged(
    run: Run, store: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write the folder can do that; the edit must not say that it is done."""
    real = os.rename

    def exchanged(source: str, target: str, **folders: int) -> None:
        if target == store.name:
            (store.parent / source).unlink()
            (store.parent / source).symlink_to(victim)
        real(source, target, **folders)

    with monkeypatch.context() as failing:
        failing.setattr(os, "rename", exchanged)
        result = run("--file", str(store), "pop", "on", "bob@example.com")
    assert (result.status, result.out) == (7, "")
    assert "another program has put something else in its place" in result.err
    assert victim.read_text() == VICTIM


def test_a_member_s_note_is_read_by_all(run: Run, store: Path, tmp_path: Path) -> None:
    host = tmp_path / "host.toml"
    host.write_text(f'trusted_group = "{grp.getgrgid(NOBODY).gr_name}"\n')
    note = store.with_name("accounts.toml.pending")
    note.write_text("smart-host/alice@example.com/relay.example:587\n")
    os.chown(note, NOBODY, NOBODY)
    edited = run("--file", str(store), "--host-config", str(host), "pop", "on", "bob@example.com")
    assert edited.status == 0
    assert "alice@example.com/relay.example:587 may be out of date" in edited.err
