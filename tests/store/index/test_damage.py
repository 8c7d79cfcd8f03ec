"""Check that a damaged, wrong or planted index gives no answer."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mailpolicy
from mailpolicy.store.index import format as index_format
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.store import Store
from tests.store.index.samples import QUIET, SOME, answers, index_file, same_answers, settle, store_of


def test_an_index_keeps_the_judgement_of_the_code_that_made_it(
    indexed: Path, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer mailpolicy, or an older one, may find an error where this one found none."""
    assert Store.read_for_lookup(str(indexed), SOME[:1], cache).subset is not None
    package = Path(mailpolicy.__file__).parent
    code = tmp_path / "code"
    for name in index_format._VALIDATOR_MODULES:
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(package / f"{name}.py", code / f"{name}.py")
    monkeypatch.setattr(mailpolicy, "__file__", str(code / "__init__.py"))
    index_format.validator_fingerprint.cache_clear()
    assert Store.read_for_lookup(str(indexed), SOME[:1], cache).subset is not None  # the same files
    os.utime(code / "store" / "tables.py")
    index_format.validator_fingerprint.cache_clear()
    assert Store.read_for_lookup(str(indexed), SOME[:1], cache).subset is None
    assert Store.read_for_lookup(str(indexed), SOME[:1], cache).subset is not None  # made anew
    monkeypatch.undo()
    index_format.validator_fingerprint.cache_clear()


@QUIET
@given(data=st.data())
def test_a_damaged_index_gives_no_answer(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path, cache, whole = damaged_ground(tmp_path_factory)
    content = bytearray(whole)
    kind = data.draw(st.sampled_from(["flip", "flips", "cut", "zeros", "other"]))
    if kind in ("flip", "flips"):
        for _ in range(1 if kind == "flip" else 20):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    elif kind == "zeros":
        start = data.draw(st.integers(0, len(content) // 4096 - 1)) * 4096
        content[start : start + 4096] = bytes(4096)
    else:
        content = bytearray(data.draw(st.binary(max_size=200)))
    index_file(cache).write_bytes(content)
    for address in SOME[:1] + SOME[-1:]:
        found = answers(path, cache, address)
        assert found == answers(path, None, address)


_GROUND: list[tuple[Path, Cache, bytes]] = []


def damaged_ground(factory: pytest.TempPathFactory) -> tuple[Path, Cache, bytes]:
    """One indexed store for all examples."""
    if not _GROUND:
        folder = factory.mktemp("ground")
        path, cache = folder / "accounts.toml", Cache(str(folder / "cache"), min_size=0)
        path.write_text(store_of(300))
        settle()
        Store.read_for_lookup(str(path), [], cache)
        _GROUND.append((path, cache, index_file(cache).read_bytes()))
    return _GROUND[0]


def sealed_again(file: Path, change: Callable[[str], str]) -> None:
    """Another content of the index, with a seal that fits."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")
        for first, beyond, content in connection.execute("SELECT first, beyond, content FROM block").fetchall():
            new = change(content.decode()).encode()
            connection.execute(
                "UPDATE block SET content = ?, seal = ? WHERE first = ?",
                (new, index_format.checksum(first, beyond, new), first),
            )
    connection.close()


@pytest.mark.parametrize("shift", [(1, 0), (-1, 0), (0, 1), (0, -1), (0, -12), (33, 33), (-33, 0), (0, 100), (0, -33)])
def test_a_wrong_index_gives_no_answer(shift: tuple[int, int], indexed: Path, cache: Cache) -> None:
    """Sealed, and yet not true: the lines are not where it says, or not all of them."""

    def moved(content: str) -> str:
        rows = [line.split() for line in content.split("\n")[1:-1]]
        return "\n" + "".join(f"{a} {int(s) + shift[0]} {int(e) + shift[1]} {n}\n" for a, s, e, n in rows)

    file, good = index_file(cache), index_file(cache).read_bytes()
    for address in SOME[:-1]:
        file.write_bytes(good)
        sealed_again(file, moved)
        assert Store.read_for_lookup(str(indexed), [address], cache).subset is None
        assert file.read_bytes() != good  # made anew, by whoever had to parse the store
        assert Store.read_for_lookup(str(indexed), [address], cache).subset is not None
        file.write_bytes(good)
        sealed_again(file, moved)
        same_answers(indexed, cache, (address,))


def test_an_index_of_another_head_gives_no_answer(indexed: Path, cache: Cache) -> None:
    with sqlite3.connect(index_file(cache)) as connection:
        lines = connection.execute("SELECT content FROM about").fetchone()[0].decode().split("\n")
        start, end, line = lines[3].split(",")
        lines[3] = f"{start},{int(end) - len('imap = true') - 6},{line}"
        content = "\n".join(lines).encode()
        connection.execute("UPDATE about SET content = ?, seal = ?", (content, crc32(content)))
    connection.close()
    assert Store.read_for_lookup(str(indexed), SOME[:1], cache).subset is None
    same_answers(indexed, cache, SOME)


def test_a_planted_journal_is_not_played_back(indexed: Path, cache: Cache, tmp_path: Path) -> None:
    """A hot journal that SQLite itself wrote, beside a database that needs none."""
    file = index_file(cache)
    copy = tmp_path / "copy"
    shutil.copy(file, copy)
    with sqlite3.connect(copy, isolation_level=None) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("DELETE FROM block WHERE first > ''")
        connection.execute("UPDATE about SET content = zeroblob(3000000)")
        journal = Path(f"{copy}-journal").read_bytes()
    connection.close()
    assert len(journal) > 512
    for name in ("-journal", "-wal", "-shm"):
        Path(f"{file}{name}").write_bytes(journal)
    assert Store.read_for_lookup(str(indexed), SOME[:1], cache).subset is not None
    same_answers(indexed, cache, SOME)
    assert Path(f"{file}-journal").read_bytes() == journal


def test_what_others_can_write_is_not_used(indexed: Path, cache: Cache, tmp_path: Path) -> None:
    file, folder = index_file(cache), Path(cache.folder)
    notes: list[str] = []
    cache = cache._replace(note=notes.append)

    def used() -> bool:
        notes.clear()
        same_answers(indexed, cache, SOME[:1])
        return (
            Store.read_for_lookup(str(indexed), SOME[:1], cache._replace(clock=lambda: 0)).subset is not None
            or not notes
        )

    content = file.read_bytes()
    for path, mode in ((file, 0o666), (folder, 0o777), (folder, 0o770)):
        path.chmod(mode)
        assert not used()
        folder.chmod(0o700)
        file.write_bytes(content)
        file.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(file, 65534, 0)
        assert not used()
        file.unlink()
        file.write_bytes(content)
        os.chown(folder, 65534, 0)
        assert not used()
        os.chown(folder, 0, 0)
    real = tmp_path / "elsewhere"
    folder.rename(real)
    folder.symlink_to(real)
    assert not used()
    folder.unlink()
    folder.mkdir(0o700)
    file.symlink_to(real / file.name)
    same_answers(indexed, cache, SOME[:1])
    assert not file.is_symlink()  # replaced by one of our own
    assert Store.read_for_lookup(str(indexed), SOME[:1], cache).subset is not None
