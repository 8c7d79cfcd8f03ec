"""Check that an index is used only if its stamp tells of every later change of the store."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailpolicy.store.index import cache as caches
from mailpolicy.store.index import writer
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.store import Store
from tests.store.index.samples import SOME, answers, same_answers, settle, store_of


def rounded(step: int) -> Callable[[int], os.stat_result]:
    """A file system that keeps times in steps of so many ns."""

    def stat(descriptor: int) -> os.stat_result:
        facts = os.fstat(descriptor)
        times = {name: getattr(facts, name) // step * step for name in ("st_mtime_ns", "st_ctime_ns")}
        return os.stat_result(tuple(facts), {"st_atime_ns": 0, **times})

    return stat


def quick_changes(path: Path, cache: Cache, count: int) -> Iterator[bool]:
    """Changes in place that keep the size, each at once after a look; whether the answer is right.

    What is looked up is read from the store in any case; but an error elsewhere must be seen too.
    """
    for number in range(count):
        key = "popp" if number % 2 else "pop "
        text = f'version = 1\n[accounts."ann@x.example"]\npop = true\n[accounts."bob@x.example"]\n{key}= true\n'
        with open(path, "r+b" if path.exists() else "wb") as file:
            file.write(text.encode())
        yield answers(path, cache, "ann@x.example") == answers(path, None, "ann@x.example")


@pytest.mark.parametrize("step", [1, 4_000_000, 1_000_000_000])
def test_two_changes_in_one_tick(step: int, tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"), min_size=0, stat=rounded(step))
    assert all(quick_changes(tmp_path / "accounts.toml", cache, 60))


def test_two_changes_in_one_tick_need_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above would see it: without the rule there are wrong answers (with ticks of 4 ms only now and then)."""
    monkeypatch.setattr(Cache, "is_reliable", lambda *_: True)
    cache = Cache(str(tmp_path / "cache"), min_size=0, stat=rounded(1_000_000_000))
    assert not all(quick_changes(tmp_path / "accounts.toml", cache, 200))


class SlowWrite:
    """A write(2) that is half done: the file has the time of its beginning, and gets no other one at its end."""

    def __init__(self, path: Path, content: bytes, done: int) -> None:
        self._file = open(path, "r+b", buffering=0)  # noqa: SIM115
        self._content, self._done = content, done
        self._file.write(content[:done])
        settle()

    def finish(self) -> None:
        self._file.write(self._content[self._done :])
        self._file.close()


@pytest.fixture
def shown_at_the_beginning(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], os.stat_result]:
    """A stat by which what is written later shows no other time."""

    def stat(descriptor: int) -> os.stat_result:
        return os.stat_result(tuple(os.fstat(descriptor)), {f"st_{kind}time_ns": 1001 for kind in "amc"})

    return stat


def half_written(path: Path, cache: Cache, look: Callable[[Path, Cache], None]) -> list[bool]:
    """Whether every answer is right after a look in the middle of a write, whose rest closes what was open."""
    text = store_of(300).encode()
    path.write_bytes(text)
    settle()
    wrong = b"popp= true".join(text.rsplit(b"pop = true", 1))  # an error near the end: nothing is decided
    slow = SlowWrite(path, wrong, len(text) // 2)
    look(path, cache)
    slow.finish()
    settle()
    asked = ("user0001@d1.example", "user0149@d2.example", "user0298@d4.example")
    return [answers(path, cache, address) == answers(path, None, address) for address in asked]


def looked_up(path: Path, cache: Cache) -> None:
    Store.read_for_lookup(str(path), ["user0001@d1.example"], cache)


def read_whole_and_kept(path: Path, cache: Cache) -> None:
    store = Store.read(str(path), cache)
    store.policy()
    store.update_index()


def confirmed_after_an_edit(path: Path, cache: Cache) -> None:
    """As if the edit had just put there what stands there now."""
    content = path.read_bytes()
    stamp = writer.confirmed_stamp(cache, str(path), content)
    assert stamp is None
    Store(str(path), content).index_replacement(content, None)


@pytest.mark.parametrize("look", [looked_up, read_whole_and_kept, confirmed_after_an_edit])
def test_a_store_that_is_being_written_is_not_indexed(
    look: Callable[[Path, Cache], None],
    tmp_path: Path,
    shown_at_the_beginning: Callable[[int], os.stat_result],
) -> None:
    notes: list[str] = []
    cache = Cache(str(tmp_path / "cache"), notes.append, shown_at_the_beginning, min_size=0)
    assert all(half_written(tmp_path / "accounts.toml", cache, look))
    assert "another process may be writing the store" in notes[0]
    assert not list(Path(cache.folder).glob("*.index"))
    (tmp_path / "accounts.toml").write_text(store_of(300))
    settle()
    look_up = Store.read_for_lookup(str(tmp_path / "accounts.toml"), SOME[:1], cache)
    assert look_up.subset is None
    assert list(Path(cache.folder).glob("*.index"))  # it is at rest now


@pytest.mark.parametrize("look", [looked_up, read_whole_and_kept])
def test_a_store_that_is_being_written_needs_the_rule(
    look: Callable[[Path, Cache], None],
    tmp_path: Path,
    shown_at_the_beginning: Callable[[int], os.stat_result],
) -> None:
    """The test above would see it."""
    cache = Cache(str(tmp_path / "cache"), stat=shown_at_the_beginning, min_size=0, no_writer=lambda _: True)
    assert not all(half_written(tmp_path / "accounts.toml", cache, look))


def test_whether_nobody_writes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    with path.open("rb") as reader, path.open("rb"):
        assert caches.has_no_writer(reader.fileno())
        with path.open("r+b"):
            assert not caches.has_no_writer(reader.fileno())
        assert caches.has_no_writer(reader.fileno())
        with path.open("r+b") as writer:
            mapping = mmap.mmap(writer.fileno(), 1)
        assert not caches.has_no_writer(reader.fileno())
        mapping.close()
        assert caches.has_no_writer(reader.fileno())
    with path.open("r+b") as writer:  # none was kept, so that nobody is kept waiting
        assert not caches.has_no_writer(writer.fileno())


def test_a_clock_that_goes_back(indexed: Path, cache: Cache) -> None:
    notes: list[str] = []
    early = cache._replace(clock=lambda: caches.stamping_clock() - 3600 * 10**9, note=notes.append)
    assert Store.read_for_lookup(str(indexed), SOME[:1], early).subset is None
    assert "the clock has been set back" in notes[0]
    same_answers(indexed, early, SOME)


def meddling(moment: int, change: Callable[[], None]) -> Callable[[int], os.stat_result]:
    """A stat after whose so many-th call somebody changes the store."""
    calls = iter(range(1, 100))

    def stat(descriptor: int) -> os.stat_result:
        facts = os.fstat(descriptor)
        if next(calls) == moment:
            change()
        return facts

    return stat


def test_a_store_replaced_or_changed_while_it_is_looked_up(indexed: Path, cache: Cache, tmp_path: Path) -> None:
    address = "user0001@d1.example"
    old = indexed.read_text()
    new = old.replace('"user0001@d1.example"]\npop = true', '"user0001@d1.example"]\nimap=false')
    assert len(new) == len(old) != 0
    assert new != old

    def change_in_place() -> None:
        with open(indexed, "r+") as file:
            file.write(new)

    def replace() -> None:
        (tmp_path / "other").write_text(new)
        os.replace(tmp_path / "other", indexed)

    for change in (change_in_place, replace):
        for moment in range(1, 4):
            indexed.write_text(old)
            settle()
            Store.read_for_lookup(str(indexed), [], cache)
            before = answers(indexed, None, address)
            seen = answers(indexed, cache._replace(stat=meddling(moment, change)), address)
            after = answers(indexed, None, address)
            assert seen == after or (seen == before and (change is replace or moment > 1))
            same_answers(indexed, cache, SOME)
