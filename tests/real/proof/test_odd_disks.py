"""Every command that changes a file, on disks that are full, odd or broken: the old files or the new ones, and never others.

The exit status and the one sentence fit, nothing is left behind, and when the disk is well again the next edit and the secrets are.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import pytest

from mailpolicy.cli.app import root as program
from tests.everything import EDITS, rows, write_everything
from tests.helpers import Result, mount_namespace
from tests.real.proof import warm
from tests.real.proof.privileges import children
from tests.real.proof.privileges.disks import DISKS, Disk, be_root_of_a_container, own_mounts, sync, unmount
from tests.real.proof.promises import Promise, Tried, scaled

pytestmark = pytest.mark.real

COMMANDS = [
    "deploy",
    "export dovecot --output out",
    "export dovecot --output fresh",
    "secrets rotate",
    "smart-host set alice@example.com --login a --password-file password",
    "secrets rotate --new-key-file newkey",
    "smart-host clear alice@example.com",
    "account rename bob@example.com rob@example.com",
    "export postfix-sasl-passwd --output sasl --force",
    "pop on bob@example.com --no-journal",
    *rows(EDITS),
]
ALL_AMOUNTS = 10  # of these commands
SECRET = ("secrets", "smart-host", "multipop source", "account re", "domain")  # commands that may change secrets
SEALED = ("secrets", "key", "key.next", "newkey")
RANDOM = (*SEALED, "accounts.toml.log", "fresh.toml.log", "host.toml.deployed", "host.toml.secrets")
KEPT = (".lock", ".pending", ".reload", ".kick", ".next")


class Files(NamedTuple):
    """The files of the disk: content and mode."""

    of: dict[str, tuple[bytes, int]]

    @classmethod
    def read(cls, folder: Path) -> Files:
        return cls({path.name: (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()})

    def write(self, folder: Path) -> None:
        for path in folder.iterdir():
            path.unlink()
        for name, (content, mode) in self.of.items():
            with (folder / name).open("wb") as file:
                file.write(content)
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) != mode:
                    os.fchmod(file.fileno(), mode)


class Machine:
    """A machine whose files are all on one disk."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self.disk = disk
        self.folder = folder
        disk.make(folder)
        self.options = write_everything(folder)
        host = folder / "host.toml"
        host.write_text(f'journal = true\n{host.read_text()}reload = ["true"]\nkick = ["true"]\n')
        self.stdin = b""
        # Exports that are there already, of another policy.
        store = (folder / "accounts.toml").read_text()
        (folder / "accounts.toml").write_text(store.replace("10.0.0.0/8", "10.9.0.0/16"))
        for line in ("export dovecot --output out", "deploy"):
            assert self.run(line).status == 0
        (folder / "accounts.toml").write_text(store)
        self.begun = Files.read(folder)
        self.stdin = (folder / "stdin").read_bytes()

    def run(self, line: str, amount: int | None = None) -> Result:
        def work() -> Result:
            def begin() -> None:
                if amount is not None:
                    self.disk.begin(self.folder, amount)

            return children.command([*self.options, *shlex.split(line)], self.folder, self.stdin, begin=begin)

        return children.in_a_fork(work)

    def secrets(self) -> str:
        """Return what commands say of the secrets."""
        printed = [self.run(line) for line in ("secrets list", "multipop source print-password bob@example.com isp")]
        return repr([(result.status, result.out) for result in printed])


class Wanted(NamedTuple):
    """What a command comes to on a good disk: the files then, and what is said of the secrets before and then."""

    files: Files
    secrets: tuple[str, str]


def hold(machine: Machine, line: str, amount: int, wanted: Wanted) -> None:
    """Run a command in trouble, and require that the disk has the old files or the new ones."""
    disk, folder, old, new = machine.disk, machine.folder, machine.begun.of, wanted.files.of
    machine.begun.write(folder)
    sync(folder)
    with disk.trouble(folder, amount):
        found = machine.run(line, amount)
    what = (disk.name, amount, line, found)
    # A secret that is left over is a failure of the keyring, which the sealed file is.
    left_over = found.status == 6 and "is still in the keyring" in found.err
    assert found.status in disk.statuses or left_over, what
    sentences = [text for text in found.err.splitlines() if text.startswith("mailpolicy: ")]
    assert len(sentences) == (found.status != 0), what
    assert found.status in (0, 8) or any(word in sentences[0] for word in disk.words), what
    there = Files.read(folder).of
    assert old.keys() <= there.keys(), what
    for name in there.keys() - {"accounts.toml.log"}:
        either = [files[name] for files in (old, new) if name in files]
        if ".new-" in name and disk.keeps_leftovers:
            continue
        if not either:
            assert name.endswith(KEPT), (what, name)
            continue
        content, mode = there[name]
        assert name in RANDOM or content in [one[0] for one in either], (what, name)
        assert mode in [one[1] for one in either], (what, name, oct(mode))
    store = there["accounts.toml"][0]
    assert not left_over or ("the store was changed" in found.err) == (store != old["accounts.toml"][0]), what
    assert found.status == 6 or store == (new if found.status in (0, 8) else old)["accounts.toml"][0], what
    for entry in there["accounts.toml.log"][0].splitlines():
        json.loads(entry)
    if line.startswith(SECRET):
        assert machine.secrets() in wanted.secrets, what
    edited = machine.run(f"{'multipop' if 'imap' in line else 'imap'} off alice@example.com")
    assert edited.status in ((0,) if store == old["accounts.toml"][0] else (0, 4)), (what, edited)
    if disk.keeps_leftovers:
        machine.run(line)
    # In a folder that may only be added to, what is left is a second name of the new file.
    assert not [path.name for path in folder.iterdir() if ".new-" in path.name and path.stat().st_nlink == 1], what


def hold_all(machine: Machine, line: str, amounts: tuple[int, ...]) -> int:
    """Try one command with these amounts of trouble, and return how many they are."""
    machine.begun.write(machine.folder)
    before = machine.secrets() if line.startswith(SECRET) else ""
    result = machine.run(line)
    assert result.status in ((0, 7) if machine.disk.odd_modes else (0,)), (line, result)
    files = Files.read(machine.folder)
    wanted = Wanted(files, (before, machine.secrets() if line.startswith(SECRET) else ""))
    for amount in amounts:
        hold(machine, line, amount, wanted)
    return len(amounts)


def tries(disk: Disk) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the commands with the amounts of trouble for each: all for the first ones, and for the others one after another."""
    turns = cycle(disk.amounts)
    few = cycle(range(scaled(1, 12)))
    for number, line in enumerate(COMMANDS[: disk.commands]):
        amounts = disk.amounts if number < ALL_AMOUNTS else tuple(islice(turns, 2 if len(disk.amounts) > 1 else 1))
        chosen = tuple(amount for amount in amounts if next(few) == 0)
        if chosen:
            yield line, chosen


@pytest.mark.parametrize("disk", DISKS, ids=lambda disk: disk.name.replace(" ", "-"))
def test_the_old_files_or_the_new_ones(disk: Disk, tmp_path: Path, tried: Tried) -> None:
    mount_namespace()
    warm.preload()
    program()
    folder = tmp_path / "disk"
    folder.mkdir()

    def work() -> int:
        own_mounts()
        machine = Machine(disk, folder)
        try:
            return sum(hold_all(machine, line, amounts) for line, amounts in tries(disk))
        finally:
            unmount(folder)  # which ends what serves it

    tried(Promise.DISKS, children.in_a_fork(work, 300), f"commands on {disk.name}")


ELSEWHERE = 12345  # a user, and a group, that the user namespace does not have


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({}, 0, ""),
        ({"accounts.toml": (ELSEWHERE, 0)}, 5, "chown root"),
        ({".": (ELSEWHERE, 0)}, 5, "chown root"),
        ({"accounts.toml": (0, ELSEWHERE)}, 7, "cannot keep the file's group"),
        ({"host.toml": (ELSEWHERE, 0)}, 5, "chown root"),
        ({"accounts.toml.log": (ELSEWHERE, 0)}, 7, "the journal cannot be written: permission denied"),
        ({"accounts.toml.lock": (ELSEWHERE, 0)}, 7, "cannot create the lock: permission denied"),
    ],
)
def test_in_a_container_without_some_users(
    given: dict[str, tuple[int, int]], status: int, said: str, tmp_path: Path, tried: Tried
) -> None:
    """Root of a user namespace that has no other users: all others' files are 65534's there."""
    mount_namespace()
    folder = tmp_path / "disk"
    folder.mkdir()

    def work() -> tuple[Result, bytes, bytes]:
        own_mounts()
        machine = Machine(DISKS[0], folder)
        (folder / "accounts.toml.lock").touch(0o600)
        for name, (user, group) in given.items():
            os.chown(folder / name, user, group)
        before = (folder / "accounts.toml").read_bytes()

        def inside() -> Result:
            be_root_of_a_container()
            return children.command([*machine.options, "pop", "on", "bob@example.com"], folder)

        return children.in_a_fork(inside), before, (folder / "accounts.toml").read_bytes()

    result, before, after = children.in_a_fork(work)
    assert (result.status, said in result.err) == (status, True), result
    assert (before == after) == (status != 0)
    tried(Promise.DISKS, 1, "edits in a user namespace without the files' users")
