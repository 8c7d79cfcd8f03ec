"""Check that a file that is exchanged while an edit is under way is not written through."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mailpolicy.edit import services
from mailpolicy.edit.selection import Selection
from mailpolicy.edit.services import Verb
from mailpolicy.edit.transaction import transact
from mailpolicy.policy.service import Service
from mailpolicy.store.store import Store, StoreInvalid
from mailpolicy.system.held import Held
from tests.helpers import MINIMAL, Run, never
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
