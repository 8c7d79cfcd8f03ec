"""Check that a file that is exchanged while an edit is under way is not written through."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mailpolicy.edit import services
from mailpolicy.edit.selection import Selection
from mailpolicy.edit.services import Verb
from mailpolicy.edit.transaction import transact
from mailpolicy.errors import Refused, WriteFailed
from mailpolicy.policy.service import Service
from mailpolicy.store.store import Store, StoreInvalid
from mailpolicy.system import held
from mailpolicy.system.attributes import Attributes
from mailpolicy.system.held import Held
from mailpolicy.system.resolve import real_path
from tests.helpers import MINIMAL, NOBODY, Run, never
from tests.system.victims import VICTIM

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what only root can be led to do")


def _edit(store: Path, first: Callable[[], None]) -> None:
    """Switch POP on for bob; `first` happens between the reading under the lock and the replacement."""

    def once(held: Held) -> None:
        if not done:
            done.append(True)
            first()

    done: list[bool] = []
    transact(
        Store.read(str(store)),
        lambda policy: services.switch(policy, Service.POP, Verb.ON, Selection(("bob@example.com",))),
        never,
        before_replace=once,
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
    assert "another program put a different file here" in result.err
    assert victim.read_text() == VICTIM


def test_a_private_folder_that_is_exchanged(store: Path, victim: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What root gives the mode 0700 is the folder that it has made."""
    victim.chmod(0o644)
    real = os.mkdir

    def exchanged(name: str, mode: int, *, dir_fd: int) -> None:
        real(name, mode, dir_fd=dir_fd)
        (store.parent / name).rmdir()
        (store.parent / name).symlink_to(victim)

    with held.without_lock(str(store)) as file, monkeypatch.context() as attacked:
        attacked.setattr(os, "mkdir", exchanged)
        with pytest.raises(Refused, match="was not made by mailpolicy"):
            file.private_folder("edit-0").make()
    assert stat.S_IMODE(victim.stat().st_mode) == 0o644


@pytest.mark.parametrize("back", [False, True])
def test_a_lock_that_was_a_hard_link_when_it_was_opened(
    back: bool, run: Run, store: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Path(f"{store}.lock")
    store.chmod(0o640)
    os.chown(store, 0, NOBODY)
    os.link(victim, lock)
    real = os.open

    def exchanged(path: str, *arguments: int, **options: int) -> int:
        descriptor = real(path, *arguments, **options)
        if path == lock.name and lock.exists():
            lock.unlink()
            if back:
                lock.write_text("")
        return descriptor

    with monkeypatch.context() as attacked:
        attacked.setattr(os, "open", exchanged)
        refused = run("--file", str(store), "pop", "on", "bob@example.com")
    assert (refused.status, f"rm {lock}" in refused.err) == (5, True)
    assert (victim.stat().st_gid, stat.S_IMODE(victim.stat().st_mode)) == (0, 0o600)


def test_an_export_that_is_exchanged_before_it_gets_its_owner(tmp_path: Path, victim: Path) -> None:
    path = tmp_path / "passwd"
    path.write_text("data")
    with held.without_lock(str(path)) as file:
        assert file.read() == b"data"
        path.unlink()
        os.link(victim, path)
        with pytest.raises(WriteFailed, match="another program replaced this file"):
            file.set_attributes(Attributes(0o644, exact=True, owner=(NOBODY, NOBODY)))
    assert (victim.stat().st_uid, stat.S_IMODE(victim.stat().st_mode)) == (0, 0o600)


@pytest.mark.parametrize("edited", [False, True])
def test_an_export_that_is_removed_after_it_was_read(
    edited: bool, run: Run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another user owns it in a sticky folder, that user can."""
    path, host, real = tmp_path / "passwd", tmp_path / "host.toml", os.close
    host.write_text(f'[exports.access]\ntarget = "dovecot"\npath = "{path}"\n')
    deploy = ("--file", str(store), "--host-config", str(host), "deploy")
    assert run(*deploy).status == 0
    if edited:
        path.write_text("somebody's own\n")

    def removed(descriptor: int) -> None:
        is_it = os.readlink(f"/proc/self/fd/{descriptor}") == str(path)
        real(descriptor)
        if is_it:
            path.unlink(missing_ok=True)

    with monkeypatch.context() as attacked:
        attacked.setattr(os, "close", removed)
        failed = run(*deploy)
    assert (failed.status, "passwd" in failed.err) == (7, True), failed
    assert run(*deploy).status == 0


def test_a_link_that_is_exchanged_while_it_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "link"
    link.symlink_to("elsewhere")
    assert real_path(str(link)) == str(tmp_path / "elsewhere")

    def gone(*_: object) -> str:
        raise FileNotFoundError

    with monkeypatch.context() as attacked:
        attacked.setattr(os, "readlink", gone)
        assert real_path(str(link)) in (str(link), str(tmp_path / "elsewhere"))
