"""Compare what the edits of the folder `edits` make of a store with what they should."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.helpers import TESTS, Expected, Run, examples
from tests.patches import patched


@pytest.mark.parametrize("name", examples("edits", "*"))
def test_edit(name: str, run: Run, expected: Expected, tmp_path: Path) -> None:
    folder = TESTS / "edits" / name
    command = shlex.split((folder / "command").read_text(encoding="utf-8"))
    store = tmp_path / "accounts.toml"
    shutil.copy(folder / "before.toml", store)
    before = store.read_bytes()
    dry = run("--file", "accounts.toml", *command, "--dry-run")
    assert store.read_bytes() == before
    assert not (tmp_path / "accounts.toml.lock").exists()
    real = run("--file", "accounts.toml", *command)
    assert dry.status == real.status
    expected(folder / "refused", f"{real.status}\n{real.err}" if real.status else None)
    expected(folder / "after.toml", None if real.status else store.read_bytes().decode())
    if real.status:
        assert store.read_bytes() == before
        return
    # The second time there is nothing to do, unless the command itself no longer applies.
    facts = store.stat()
    again = run("--file", "accounts.toml", *command)
    entries = command[0] == "lan" or (command[:2] == ["network", "remove"] and len(command) > 3)
    gone = not entries and not {"remove", "rename"}.isdisjoint(command[:3])
    assert again.status == (4 if gone else 0)
    assert (store.stat().st_ino, store.stat().st_mtime_ns) == (facts.st_ino, facts.st_mtime_ns)
    if again.status == 0:
        assert all(line.endswith("\tok") for line in again.out.splitlines())


@pytest.mark.parametrize("name", examples("edits", "*"))
def test_patch_accepts_the_diff(name: str, run: Run, tmp_path: Path) -> None:
    folder = TESTS / "edits" / name
    if (folder / "refused").exists():
        return
    command = shlex.split((folder / "command").read_text(encoding="utf-8"))
    store = tmp_path / "accounts.toml"
    shutil.copy(folder / "before.toml", store)
    diff = run("--file", "accounts.toml", *command, "--dry-run").out
    assert patched(store.read_bytes().decode(), diff) == (folder / "after.toml").read_bytes().decode()
