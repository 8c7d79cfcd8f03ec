"""The sealed file where the operating system fails: at each system call of a set and of a rotation, by strace.

Afterwards there is the old state or the new one, as the exit status says; no key is lost, and the next command works.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mailpolicy.sealed.format import Header, parse_header
from tests.helpers import EXAMPLES, Result, missing
from tests.machine import ALICE, BOB, FIRST, SECOND, Machine, user
from tests.real.loopback import need
from tests.sealing import host_config, sealed_file

pytestmark = pytest.mark.real

LOOKING = ("openat", "read", "close", "newfstatat", "lseek", "getdents64", "fstat")
CHANGING = ("write", "fsync", "fchmod", "renameat", "linkat", "unlinkat", "flock")
SERVICE = "mailpolicy"
SET = ("smart-host", "set", ALICE, "--password-file", "given")
ROTATE = ("secrets", "rotate")


class Call(NamedTuple):
    """A system call about the folder of the sealed file: the how-manieth of its name, what it did, what it returned."""

    name: str
    number: int
    did: str
    returned: int


class Disk:
    """A machine with a sealed file and its key in a folder of their own, which can be as it was at first."""

    def __init__(self, folder: Path) -> None:
        self.strace = need("strace", "strace")
        self.machine = Machine(folder)
        self.machine.environment |= {"PYTHONHASHSEED": "0", "MAILPOLICY_NO_CACHE": "1"}  # the same calls in each run
        self.place, self.first = folder / "sealed", folder / "first"
        self.place.mkdir(mode=0o700)
        sealed_file(self.place).change(SERVICE, {user(ALICE): FIRST, user(BOB): "of bob"})
        self.machine.give(ALICE)
        self.machine.keyring.unlink()
        self.machine.host_config.write_text(host_config(self.place))
        (folder / "given").write_text(SECOND)
        shutil.copytree(self.place, self.first)
        self.old = self.header()
        self.machine.run("secrets", "verify")  # what Python compiles is compiled

    def rotate_half(self) -> None:
        """From now on the state at first is that of a rotation which stopped between the file and the key."""
        shutil.copy(self.first / "key", self.machine.folder / "key")
        sealed_file(self.place).rotate()
        (self.place / "key").rename(self.place / "key.next")
        (self.machine.folder / "key").rename(self.place / "key")
        shutil.rmtree(self.first)
        shutil.copytree(self.place, self.first)
        self.old = self.header()

    def header(self) -> Header:
        return parse_header("", (self.place / "secrets").read_bytes())

    def put_back(self) -> None:
        shutil.rmtree(self.place)
        shutil.copytree(self.first, self.place)

    def traced(self, command: tuple[str, ...], *options: str) -> Result:
        calls = ",".join((*LOOKING, *CHANGING))
        trace = [self.strace, "--seccomp-bpf", "-f", "-qq", "-y", "-e", f"trace={calls}", "-o", "trace", *options]
        return self.machine.run(*command, prefix=trace)

    def calls(self, command: tuple[str, ...]) -> list[Call]:
        """The calls about the sealed file, in their order."""
        done = self.traced(command)
        if done.status != 0:
            missing(f"strace cannot trace here: {done.err}")
        seen: Counter[str] = Counter()
        found = []
        for line in (self.machine.folder / "trace").read_text(errors="replace").splitlines():
            if match := re.match(r"[0-9]+ +(\w+)\((.*)\) += (-?[0-9]+)", line):
                seen[match[1]] += 1
                if f"<{self.place}" in line or f'"{self.place}' in line:
                    found.append(Call(match[1], seen[match[1]], match[2], int(match[3])))
        self.put_back()
        return found

    def require_whole(self, command: tuple[str, ...]) -> None:
        """The secrets are the old ones or the new ones, as the first line says, and the next command works."""
        now = self.header()
        changed = now != self.old
        secrets = {user(ALICE): SECOND if changed and command == SET else FIRST, user(BOB): "of bob"}
        assert sealed_file(self.place).get_all() == {SERVICE: secrets}
        assert (now.key_id != self.old.key_id) is (changed and command == ROTATE)
        sealed_file(self.place).change(SERVICE, {user(ALICE): "next"})
        sealed_file(self.place).rotate()
        assert sealed_file(self.place).get_all() == {SERVICE: {**secrets, user(ALICE): "next"}}
        assert sorted(path.name for path in self.place.iterdir()) == ["key", "secrets", "secrets.lock"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """The disk; no secret may be left anywhere else."""
    disk = Disk(tmp_path)
    yield disk
    (tmp_path / "trace").unlink(missing_ok=True)
    (tmp_path / "given").unlink()
    assert disk.machine.leaks() == []


def sampled(calls: list[Call]) -> list[Call]:
    """Those that change something and some of the others; all of them in `make prove`."""
    step = 1 if EXAMPLES > 100 else 12
    looking = [call for call in calls if call.name in LOOKING]
    return [call for call in calls if call.name in CHANGING or call in looking[::step]]


STATES = pytest.mark.parametrize(
    ("command", "half"),
    [(SET, False), (ROTATE, False), (ROTATE, True)],
    ids=["set", "rotate", "rotate after half a rotation"],
)


@STATES
def test_each_system_call_fails(disk: Disk, command: tuple[str, ...], half: bool) -> None:
    if half:
        disk.rotate_half()
    calls = disk.calls(command)
    assert {"write", "fsync", "renameat", "flock", "openat", "read"} <= {call.name for call in calls}
    statuses: Counter[int] = Counter()
    for call in sampled(calls):
        error = "ENOSPC" if call.name in CHANGING else "EIO"
        result = disk.traced(command, "-e", f"inject={call.name}:error={error}:when={call.number}")
        statuses[result.status] += 1
        assert result.status in ((0, 7, 8) if call.name in CHANGING else (0, 3, 6, 7, 8)), (call, result)
        assert (result.err.count("mailpolicy: "), result.err.count("\n")) == (int(result.status != 0),) * 2, (
            call,
            result,
        )
        assert (disk.header() != disk.old) is (result.status in (0, 8)), (call, result)
        disk.require_whole(command)
        disk.put_back()
    assert statuses[7] > 5
    assert statuses[8] >= 1


@STATES
def test_killed_at_each_change(disk: Disk, command: tuple[str, ...], half: bool) -> None:
    if half:
        disk.rotate_half()
    for call in disk.calls(command):
        if call.name in CHANGING:
            disk.traced(command, "-e", f"inject={call.name}:signal=KILL:when={call.number}")
            disk.require_whole(command)
            disk.put_back()


@pytest.mark.parametrize("command", [SET, ROTATE], ids=lambda command: command[1])
def test_a_disk_that_loses_what_it_took(disk: Disk, command: tuple[str, ...]) -> None:
    """A write that says it wrote and did not is noticed by reading back, before the new file is in place."""
    writes = [call for call in disk.calls(command) if call.name == "write" and ".secrets.new-" in call.did]
    assert writes
    for call in writes:
        inject = f"inject=write:retval={call.returned}:when={call.number}"
        result = disk.traced(command, "-e", inject)
        assert result.status == 7
        assert "the new file read back differs from what was written; the old file is intact" in result.err
        assert disk.header() == disk.old
        disk.require_whole(command)
        disk.put_back()


SHORT = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

ssize_t write(int descriptor, const void *content, size_t size)
{
    ssize_t (*real)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    return real(descriptor, content, size > 3 ? size / 2 : size);
}
"""


@pytest.mark.parametrize("command", [SET, ROTATE], ids=lambda command: command[1])
def test_short_writes(disk: Disk, tmp_path: Path, command: tuple[str, ...]) -> None:
    """Each write takes half of what it is given."""
    library = tmp_path / "short.so"
    compiler = need("cc", "gcc")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, "-xc", "-", "-ldl"], input=SHORT.encode(), check=True)
    result = disk.machine.run(*command, environment={"LD_PRELOAD": str(library)})
    assert (result.status, result.err) == (0, "")
    assert disk.header() != disk.old
    disk.require_whole(command)


def test_a_full_disk_in_the_middle_of_a_file(disk: Disk) -> None:
    """The first half is written, then the disk is full."""
    import resource

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))  # Python ignores SIGXFSZ, so the write fails

    for command in (SET, ROTATE):
        before = {path.name: path.read_bytes() for path in disk.place.iterdir()}
        result = disk.machine.run(*command, preexec_fn=small)
        assert result.status == 7
        assert {path.name: path.read_bytes() for path in disk.place.iterdir()} == before
        assert disk.header() == disk.old
        disk.require_whole(command)
        disk.put_back()
