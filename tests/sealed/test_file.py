"""Check that writers of a sealed file lose nothing and leave nothing behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mailpolicy.errors import StillLocked
from mailpolicy.sealed.file import SecretsFile
from mailpolicy.sealed.format import Key, Secrets, seal
from mailpolicy.system import held
from tests.sealed.samples import ALICE, BOB, KEY, SECRETS, SERVICE, opened, read, refusal
from tests.sealing import sealed_file


def test_a_whole_older_file_is_not_recognised(filled: SecretsFile, tmp_path: Path) -> None:
    """As docs/secrets.md says; the count of writes shows it to whoever knows it."""
    old = (tmp_path / "secrets").read_bytes()
    filled.change(SERVICE, {ALICE: "the new one"})
    assert filled.header().writes == 2
    (tmp_path / "secrets").write_bytes(old)
    assert read(tmp_path) == SECRETS
    assert filled.header().writes == 1


def test_what_is_too_large_is_not_read(filled: SecretsFile, tmp_path: Path) -> None:
    for name in ("secrets", "key"):
        (tmp_path / name).unlink()
        with open(tmp_path / name, "wb") as file:
            file.truncate(1 << 40)
        (tmp_path / name).chmod(0o400)
        assert "more bytes" in refusal(tmp_path).message or "too large" in refusal(tmp_path).message
        (tmp_path / name).unlink()
        file_of_its_own = {"secrets": seal("", KEY, 0, {}), "key": b"k" * 32}[name]
        (tmp_path / name).write_bytes(file_of_its_own)


class Changes(RuleBasedStateMachine):
    """Whatever is done to a sealed file, it is a dictionary on the disk."""

    users = st.sampled_from([f"user{number}" for number in range(6)])
    services = st.sampled_from([SERVICE, "another program"])

    def __init__(self) -> None:
        super().__init__()
        self._held = tempfile.TemporaryDirectory()
        self.folder = Path(self._held.name)
        self.file = sealed_file(self.folder)
        self.model: Secrets = {}
        self.writes = 0

    @rule(service=services, changes=st.dictionaries(users, st.none() | st.text(max_size=30)))
    def change(self, service: str, changes: dict[str, str | None]) -> None:
        kept = self.model.setdefault(service, {})
        before = {user: kept[user] for user in changes if user in kept}
        assert self.file.change(service, changes) == before
        after = {user: secret for user, secret in {**kept, **changes}.items() if secret is not None}
        self.writes += after != kept
        self.model[service] = after

    @rule()
    def rotate(self) -> None:
        old, new, count = self.file.rotate()
        assert old != new == self.file.header().key_id
        assert count == sum(map(len, self.model.values()))
        self.writes += 1

    @rule()
    def open_again(self) -> None:
        self.file = sealed_file(self.folder)

    @invariant()
    def holds_the_same(self) -> None:
        for service, kept in self.model.items():
            assert self.file.get_many(service, [*kept, "nobody"]) == kept
        assert sum(map(len, self.file.get_all().values())) == sum(map(len, self.model.values()))
        assert self.file.header().writes == self.writes

    def teardown(self) -> None:
        assert sorted(path.name for path in self.folder.iterdir() if path.name != "secrets.lock") == ["key", "secrets"]
        self._held.cleanup()


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)


def test_what_was_replaced_or_removed_is_gone(filled: SecretsFile, tmp_path: Path) -> None:
    """Also for whoever has the key: the file holds what is valid, whole, and nothing else."""
    filled.change(SERVICE, {ALICE: "new", BOB: None})
    content, key = (tmp_path / "secrets").read_bytes(), Key((tmp_path / "key").read_bytes())
    same = seal("", key, 2, {SERVICE: {ALICE: "new", "smart-host/@server": SECRETS["smart-host/@server"]}})
    assert len(content) == len(same)
    assert opened(content, key) == opened(same, key)


def test_nothing_new_is_not_written(filled: SecretsFile, tmp_path: Path) -> None:
    before = (tmp_path / "secrets").stat()
    filled.change(SERVICE, {ALICE: SECRETS[ALICE], "nobody": None})
    after = (tmp_path / "secrets").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert stat.S_IMODE(after.st_mode) == 0o600


def test_a_hard_link_is_a_copy_that_stays(filled: SecretsFile, tmp_path: Path) -> None:
    os.link(tmp_path / "secrets", tmp_path / "copy")
    before = (tmp_path / "copy").read_bytes()
    filled.change(SERVICE, {ALICE: "new"})
    assert (tmp_path / "copy").read_bytes() == before
    assert read(tmp_path) == {**SECRETS, ALICE: "new"}


def _write_many(folder: Path, first: int) -> None:
    file = sealed_file(folder)
    for number in range(first, first + 15):
        file.change(SERVICE, {f"user{number}": f"secret{number}"})


def test_two_writers_lose_nothing_and_readers_wait_for_nobody(filled: SecretsFile, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=_write_many, args=(tmp_path, first)) for first in (0, 15, 30)]
    writers.append(fork.Process(target=lambda: [sealed_file(tmp_path).rotate() for _ in range(15)]))
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        assert SECRETS.items() <= read(tmp_path).items()
        reads += 1
    assert reads > 0
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert read(tmp_path) == {**SECRETS, **{f"user{number}": f"secret{number}" for number in range(45)}}


def test_a_held_lock(filled: SecretsFile, tmp_path: Path) -> None:
    with held.locked(str(tmp_path / "secrets"), 0):
        assert read(tmp_path) == SECRETS  # readers take none
        with pytest.raises(StillLocked):
            sealed_file(tmp_path, 0.05).change(SERVICE, {ALICE: "new"})


def test_a_killed_writer_leaves_the_old_or_the_new(filled: SecretsFile, tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    for step in range(8):
        writer = fork.Process(target=lambda: [filled.change(SERVICE, {ALICE: str(n)}) for n in range(999)])
        writer.start()
        time.sleep(0.005 * (step + 1))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        assert read(tmp_path)[BOB] == SECRETS[BOB]
    filled.change(SERVICE, {ALICE: "last"})
    assert not [path for path in tmp_path.iterdir() if ".new-" in path.name]
