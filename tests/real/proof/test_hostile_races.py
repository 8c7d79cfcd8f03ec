"""Root's commands while another process of the user's plants and removes things all the time, and the names that are at stake."""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest

from mailpolicy.cli.app import root as program
from tests.helpers import NOBODY, PROGRAM, missing, needs_root
from tests.real.loopback import need
from tests.real.proof import warm
from tests.real.proof.privileges import children
from tests.real.proof.privileges.beside import COMMANDS, Folder, Machine, require_unharmed
from tests.real.proof.privileges.user import general
from tests.real.proof.promises import Promise, Tried, scaled

pytestmark = pytest.mark.real

NAMES = (
    "accounts.toml",
    "accounts.toml.lock",
    "accounts.toml.pending",
    "accounts.toml.pending.lock",
    "accounts.toml.log",
    "out",
    "out.lock",
    "new.toml",
)
RACED = (
    "pop on bob@example.com",
    "account rename bob@example.com rob@example.com",
    "smart-host clear alice@example.com",
    "install new.toml --no-cases",
    "undo --no-cases",
    "log",
    "init",
    "check alice@example.com pop 10.0.0.1",
)
TRACED = scaled(8, 40)  # one command of so many
PATHS = re.compile(r'(?:\d+|AT_FDCWD)<([^>]*)>, "([^"]+)"')


@contextmanager
def racing(machine: Machine, seed: int) -> Iterator[None]:
    """Let a process of the user's plant and remove things under all names until the block ends."""
    folder = os.open(machine.arena.shared, os.O_RDONLY)
    number = os.fork()
    if number == 0:
        _race(folder, str(machine.arena.roots / "secret"), random.Random(seed))
    try:
        yield
    finally:
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
        os.close(folder)


def _race(folder: int, victim: str, chance: random.Random) -> NoReturn:
    signal.alarm(60)
    os.setgroups([NOBODY])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    os.fchdir(folder)
    while True:
        name = chance.choice([*NAMES, *os.listdir(".")])
        with suppress(OSError):
            match chance.randrange(6):
                case 0:
                    os.symlink(victim, ".mine")
                case 1:
                    os.mkfifo(".mine")
                case 2:
                    with open(".mine", "w", encoding="utf-8") as file:
                        file.write("--all\n")
                case 3:
                    os.rename("private", ".mine")
                case 4:
                    os.rename(name, ".aside")
                    time.sleep(chance.random() / 500)
                    os.rename(".aside", name)
                case _:
                    os.unlink(name)
        with suppress(OSError):
            os.rename(".mine", name)


@pytest.mark.parametrize("folder", [Folder.GROUP, Folder.STICKY, Folder.OWN], ids=lambda folder: folder.name.lower())
def test_while_the_user_swaps_all_the_time(folder: Folder, tmp_path: Path, tried: Tried) -> None:
    needs_root()
    warm.preload()
    program()
    tmp_path.chmod(0o755)
    machine = Machine(tmp_path, folder)
    rounds = scaled(25, 3)
    for number in range(rounds):
        for line in RACED:
            machine.renew()
            with racing(machine, number):
                result = children.run([*machine.options, *shlex.split(line)], machine.arena.shared)
            require_unharmed(machine, result, (number, line))
    tried(Promise.PRIVILEGES, rounds * len(RACED), f"commands while a process swaps files, in {folder.value}")


def test_no_name_is_missed(tmp_path: Path, tried: Tried) -> None:
    """What the kernel is asked for in the folder is what was seen in Python, where the user acts before each call."""
    needs_root()
    strace = need("strace", "strace")
    warm.preload()
    program()
    machine = Machine(tmp_path, Folder.STICKY)
    lines = COMMANDS[::TRACED]
    for line in lines:
        _, seen = machine.run(line)
        known = {call.name for call in seen.calls}
        machine.renew()
        trace = tmp_path / "trace"
        command = [
            strace,
            "-f",
            "-y",
            "-qq",
            "-s",
            "4096",
            "-e",
            "trace=%file",
            "-o",
            str(trace),
            *PROGRAM,
            *machine.options,
        ]
        done = subprocess.run(
            [*command, *shlex.split(line)], cwd=machine.arena.shared, input=machine.stdin, capture_output=True, check=False,
            env={**os.environ, "MAILPOLICY_NO_CACHE": "1", "PYTHONSAFEPATH": "1"},
        )  # fmt: skip
        if b"not permitted" in done.stderr and b"ptrace" in done.stderr.lower():
            missing("nothing may be traced here")
        here = {
            general(os.path.basename(path))
            for text in trace.read_text(errors="replace").splitlines()
            for path in _paths(text)
            if os.path.dirname(path) == str(machine.arena.shared)
        }
        unknown = {name for name in here - known if name != "." and not name.startswith((".git", "__"))}
        assert not unknown, (line, unknown)
    tried(Promise.PRIVILEGES, len(lines), "commands traced for names that were missed")


def _paths(text: str) -> list[str]:
    """Return the paths that a system call names: the folders are shown with their descriptors."""
    paths = [os.path.join(folder, name) for folder, name in PATHS.findall(text)]
    return paths or [found[1] for found in [re.search(r'\("(/[^"]*)"', text)] if found is not None]
