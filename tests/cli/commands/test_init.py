"""Check what `init` writes, and what it leaves alone."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import Run


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


def test_a_schema_without_its_store_is_not_left(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def link(source: str, target: str, **options: Any) -> None:
        if target == "accounts.toml":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target, **options)

    with monkeypatch.context() as full:
        full.setattr(os, "link", link)
        failed = run("--file", str(tmp_path / "accounts.toml"), "init")
    assert (failed.status, "the disk is full; nothing was written" in failed.err) == (7, True)
    assert [path.name for path in tmp_path.iterdir()] == ["accounts.toml.lock"]
