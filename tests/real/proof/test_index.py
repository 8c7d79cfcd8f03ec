"""The index never answers for an old file: hand edits that keep size, inode and modification time, and race with the looks."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import pytest

from mailpolicy.errors import MailpolicyError
from mailpolicy.policy.question import question
from mailpolicy.policy.verdict import judge
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.store import Store
from tests.real.proof.promises import Promise, Tried, scaled
from tests.store.index.samples import settle

pytestmark = pytest.mark.real

ACCOUNTS = 1600
ASKED = ("user0000@d0.example", "user0800@d2.example", "user1599@d3.example", "user1600@d4.example")
MTIME = 1_700_000_000_123_456_789  # what `touch -d` gives back
AT_REST, RACES = scaled(150, 10), scaled(30, 3)


def version(number: int) -> bytes:
    """A store that answers otherwise in every version, and always has the same size."""
    blocks = [
        f'\n[accounts."user{each:04}@d{each % 7}.example"]\npop = {"true " if each + number & 1 else "false"}\npop_lan_only = true\n'
        for each in range(ACCOUNTS)
    ]
    if number & 2:
        blocks.reverse()  # every account stands elsewhere
    lan = "10.0.0.0/8" if number & 4 else "11.0.0.0/8"
    text = f'version = 1\n[server]\nedition = "pro"\nlan = ["{lan}"]\n{"".join(blocks)}'
    if number > 5:  # an error in an account that nobody asks about: nothing is decided
        before, key, after = text.partition(f'"user0{number}00@')
        text = before + key + after.replace("pop = ", "popp= ", 1)
    return text.encode()


VERSIONS = [version(number) for number in range(9)]


class Ground(NamedTuple):
    """A store, its index, other versions beside it, and what each version answers."""

    path: Path
    cache: Cache
    expected: list[dict[str, list[object]]]

    @property
    def other(self) -> Path:
        return self.path.with_name("other.toml")

    def answer(self, address: str) -> list[object]:
        return answer(self.path, self.cache, address)


def all_answers(path: Path) -> list[list[object]]:
    """What is answered without an index."""
    return [answer(path, None, address) for address in ASKED]


def answer(path: Path, cache: Cache | None, address: str) -> list[object]:
    """The verdicts about an account, and the line that it stands in; or why there are none."""
    try:
        store = Store.read_for_lookup(str(path), [address], cache)
        policy = store.policy()
        verdicts = [judge(policy, question(address, "pop", ip)) for ip in ("10.1.2.3", "203.0.113.9")]
        told = [(verdict.allowed, *(str(reason.gate) for reason in verdict.reasons)) for verdict in verdicts]
        return [*told, store.line(("accounts", address)) if address in policy.accounts else None]
    except MailpolicyError as error:
        return [error.message, *map(str, getattr(error, "findings", ()))]


@pytest.fixture(params=["disk", "memory"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    memory = Path("/dev/shm")
    in_memory = request.param == "memory" and memory.is_dir()
    folder = Path(tempfile.mkdtemp(dir=memory)) if in_memory else tmp_path
    path = folder / "accounts.toml"
    expected = []
    for content in VERSIONS:
        assert len(content) == len(VERSIONS[0])
        path.write_bytes(content)
        expected.append(dict(zip(ASKED, all_answers(path), strict=True)))
    assert len({repr(each) for each in expected}) == len(VERSIONS)
    yield Ground(path, Cache(str(folder / "cache")), expected)
    if in_memory:
        shutil.rmtree(folder)


# Ways to change the store by hand. Each may pause in the middle by calling `look`.
Look = Callable[[], None]
Change = Callable[[Ground, bytes, Look], None]


def copied_with_times(ground: Ground, content: bytes, look: Look) -> None:
    """cp -p OTHER accounts.toml"""
    ground.other.write_bytes(content)
    os.utime(ground.other, ns=(MTIME, MTIME))
    shutil.copy2(ground.other, ground.path)


def touched(ground: Ground, content: bytes, look: Look) -> None:
    """Written in place, then touch -d."""
    with open(ground.path, "r+b") as file:
        file.write(content)
    os.utime(ground.path, ns=(MTIME, MTIME))


def rewritten_at_once(ground: Ground, content: bytes, look: Look) -> None:
    with open(ground.path, "r+b") as file:
        file.write(content)


def swapped(ground: Ground, content: bytes, look: Look) -> None:
    """Renamed into place, with the time of the one before; that stays beside it and comes back another time."""
    before = ground.path.stat().st_mtime_ns
    kept = ground.path.with_name("kept.toml")
    if not kept.exists() or kept.read_bytes() != content:
        kept.write_bytes(content)
    os.utime(kept, ns=(before, before))
    aside = ground.path.with_name("aside.toml")
    os.link(ground.path, aside)
    os.replace(kept, ground.path)
    look()
    os.replace(aside, kept)


def swapped_back(ground: Ground, content: bytes, look: Look) -> None:
    """Another version is in its place for a moment, and then the same inode with new content."""
    aside = ground.path.with_name("aside.toml")
    os.rename(ground.path, aside)
    ground.path.write_bytes(VERSIONS[0])
    look()
    with open(aside, "r+b") as file:
        file.write(content)
    os.utime(aside, ns=(MTIME, MTIME))
    os.replace(aside, ground.path)


def written_slowly(ground: Ground, content: bytes, look: Look) -> None:
    """Half of it, a pause, the rest; with the old time when it is done."""
    half = len(content) // 2
    with open(ground.path, "r+b", buffering=0) as file:
        file.write(content[:half])
        look()
        file.write(content[half:])
    os.utime(ground.path, ns=(MTIME, MTIME))


def truncated(ground: Ground, content: bytes, look: Look) -> None:
    end = content.index(b"\n[accounts", len(content) // 2)
    with open(ground.path, "wb", buffering=0) as file:
        look()
        file.write(content[:end])
        look()
        file.write(content[end:])


CHANGES: list[Change] = [
    copied_with_times,
    touched,
    rewritten_at_once,
    swapped,
    swapped_back,
    written_slowly,
    truncated,
]


@pytest.mark.parametrize("shard", range(2))
def test_a_look_after_every_change(shard: int, ground: Ground, tried: Tried) -> None:
    """Also a look in the middle of each: then what the whole file says is right, whatever that is."""
    drawn = random.Random(shard)
    looks = 0
    told = ""

    def look() -> None:
        nonlocal looks
        if drawn.random() < 0.3:
            settle()
        for address in drawn.sample(ASKED, 2):
            with_index, plainly = ground.answer(address), answer(ground.path, None, address)
            assert with_index == plainly, f"seed {shard}, change {looks}, in the middle of {told}, {address}"
            looks += 1

    ground.path.write_bytes(VERSIONS[0])
    for number in range(AT_REST):
        change, chosen = drawn.choice(CHANGES), drawn.randrange(len(VERSIONS))
        told = change.__name__
        change(ground, VERSIONS[chosen], look)
        if drawn.random() < 0.5:
            settle()  # long enough for an index to be made
        for address in drawn.choices(ASKED, k=3):
            assert ground.answer(address) == ground.expected[chosen][address], (
                f"seed {shard}, {number}: {told}, {address}"
            )
            looks += 1
    ground.path.write_bytes(VERSIONS[0])
    settle()
    ground.answer(ASKED[0])
    assert Store.read_for_lookup(str(ground.path), ASKED[:1], ground.cache).subset is not None, "there was no index"
    tried(Promise.INDEX, looks, "answers at once after a hand edit that keeps size and time, or in the middle of one")


def _keep_changing(ground: Ground, drawn: random.Random, orders: Connection) -> None:
    while orders.recv():
        for _ in range(drawn.randrange(1, 8)):
            chosen = drawn.randrange(len(VERSIONS))
            drawn.choice(CHANGES)(ground, VERSIONS[chosen], lambda: time.sleep(drawn.choice([0, 0, 0.001, 0.01, 0.03])))
            time.sleep(drawn.choice([0, 0, 0, 0.002, 0.03]))
        orders.send(chosen)


def test_looks_beside_somebody_who_keeps_changing_the_store(ground: Ground, tried: Tried) -> None:
    """A verdict is one of a version that was there, or an error, or of a file cut short; at rest it is that of the version."""
    ground.path.write_bytes(VERSIONS[0])
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_keep_changing, args=(ground, random.Random(11), theirs), daemon=True)
    child.start()
    theirs.close()
    drawn = random.Random(12)
    looks = 0
    try:
        for race in range(RACES):
            ours.send(True)
            while not ours.poll():
                address = drawn.choice(ASKED)
                seen = ground.answer(address)
                known = [of[address] for of in ground.expected]
                assert seen in known or _is_error(seen) or _is_absent(seen) or _is_mixed(seen, known), (
                    f"race {race}: {seen}"
                )
                looks += 1
            chosen = ours.recv()
            for address in (*ASKED, *drawn.sample(ASKED, 2)):
                assert ground.answer(address) == ground.expected[chosen][address], (
                    f"race {race} (seeds 11, 12): {address}"
                )
                looks += 1
        ours.send(False)
    finally:
        child.join(30)
        child.kill()
    tried(Promise.INDEX, looks, "answers beside somebody who keeps changing the store, or when they had just stopped")


def _is_error(seen: list[object]) -> bool:
    return isinstance(seen[0], str)


def _is_absent(seen: list[object]) -> bool:
    """Of a file that was cut short, or that lacks an account because it is half one version and half another."""
    return "unknown-account" in repr(seen[0])


def _is_mixed(seen: list[object], known: list[list[object]]) -> bool:
    """Of a file that is half one version and half another: the verdicts of one, the line perhaps of the other."""
    return seen[:2] in [one[:2] for one in known]
