"""Check where indexes are kept, and what happens if they cannot be."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailpolicy.cli import context
from mailpolicy.edit import services
from mailpolicy.policy.service import Service
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.store import Store
from tests.helpers import missing, mount_namespace
from tests.store.index.samples import SOME, index_file, kept, same_answers, settle, store_of, verb


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_cache_that_cannot_be_written(
    number: int, tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(50))
    settle()
    notes: list[str] = []

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", fail)
        same_answers(path, cache._replace(note=notes.append), SOME[:2])
    assert notes
    assert list(Path(cache.folder).iterdir()) == []
    with monkeypatch.context() as patched:
        patched.setattr(os, "mkdir", fail)
        same_answers(path, Cache(str(tmp_path / "a" / "b"), min_size=0), SOME[:2])
    (tmp_path / "file").write_text("")
    same_answers(path, Cache(str(tmp_path / "file"), min_size=0), SOME[:2])
    same_answers(path, Cache(str(tmp_path / "a\0b"), min_size=0), SOME[:2])


def test_a_full_disk(tmp_path: Path) -> None:
    """A real file system of four pages, in a mount namespace of its own."""
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(3000))
    folder = tmp_path / "small"
    folder.mkdir(0o700)
    script = (
        "import sys; from mailpolicy.store.index.cache import Cache; from mailpolicy.store.store import Store\n"
        "notes = []; store = Store.read_for_lookup(sys.argv[1], [], Cache(sys.argv[2], notes.append, min_size=0))\n"
        "print(len(store.policy().accounts), len(notes), store.subset)"
    )
    command = f'mount -t tmpfs -o size=16k,mode=0700 none {folder} && exec {sys.executable} -c "$0" {path} {folder}'
    done = subprocess.run(
        [mount_namespace(), "-m", "sh", "-c", command, script], capture_output=True, text=True, check=False
    )
    if "mount:" in done.stderr:
        missing("this kernel lets nobody mount")
    assert done.stdout == "3000 1 None\n", done.stderr


def test_what_is_no_more_is_cleared_away(indexed: Path, cache: Cache) -> None:
    old, abandoned, fresh = (Path(cache.folder) / name for name in ("0.index", ".new-0", ".new-1"))
    for file in (old, abandoned, fresh):
        file.write_text("")
    month_ago = time.time() - 31 * 24 * 3600
    os.utime(old, (month_ago, month_ago))
    os.utime(abandoned, (month_ago, month_ago))
    kept(Store.read_for_edit(str(indexed), SOME[:1], cache), verb(services.Verb.ON, Service.IMAP, SOME[0]))
    left = {file.name for file in Path(cache.folder).iterdir()}
    assert left - {fresh.name} == {name for name in left if name.endswith(".index")} - {"0.index"}
    assert fresh.exists()


def test_no_login_is_in_the_index(tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(20) + 'smart_host_login = "geheim"\n')
    settle()
    Store.read_for_lookup(str(path), [], cache)
    assert b"geheim" not in index_file(cache).read_bytes()
    assert index_file(cache).stat().st_mode & 0o777 == 0o600
    assert Path(cache.folder).stat().st_mode & 0o777 == 0o700


def test_where_indexes_are_kept() -> None:
    folder = context._cache_folder
    home = {"HOME": "/home/ann"}
    assert folder(home, is_root=False) == "/home/ann/.cache/mailpolicy"
    assert folder({**home, "XDG_CACHE_HOME": "/c"}, is_root=False) == "/c/mailpolicy"
    assert folder({**home, "XDG_CACHE_HOME": "c"}, is_root=False) == "/home/ann/.cache/mailpolicy"
    assert folder({}, is_root=False) is None
    assert folder({**home, "XDG_CACHE_HOME": "/c"}, is_root=True) == "/var/cache/mailpolicy"


def test_several_build_it_at_once(tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(3000))
    settle()
    script = (
        "import sys; from mailpolicy.store.index.cache import Cache; from mailpolicy.store.store import Store\n"
        "store = Store.read_for_lookup(sys.argv[1], [sys.argv[3]], Cache(sys.argv[2], min_size=0))\n"
        "print(store.policy().accounts[sys.argv[3]].own)"
    )

    def ask(number: int) -> str:
        command = [sys.executable, "-c", script, str(path), cache.folder, f"user{number:04}@d{number % 7}.example"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(ask, range(12)))
    assert found == [f"{{'pop': {bool(number % 3)}}}\n" for number in range(12)]
    assert Store.read_for_lookup(str(path), SOME[:1], cache).subset is not None
    assert [file.suffix for file in Path(cache.folder).iterdir()] == [".index"]
