"""A system without POSIX: one sentence and the right status, whatever is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import MINIMAL, ROOT

# A Python as Windows has it, as far as this program could notice.
WITHOUT_POSIX = """
import os, sys
MODULES = {"fcntl", "pwd", "grp", "termios", "resource", "tty", "pty"}

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in MODULES:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Finder())
for name in (
    "geteuid getuid getegid getgid getgroups chown fchown lchown fchmod set_blocking pread pwrite fork killpg setsid "
    "getxattr setxattr listxattr O_NOFOLLOW O_NONBLOCK O_CLOEXEC O_NOCTTY O_DIRECTORY"
).split():
    delattr(os, name)
from mailpolicy.cli import main

sys.exit(main())
"""
COMMANDS = [
    [],
    ["--version"],
    ["--help"],
    ["validate", "--strict", "--", "accounts.toml"],
    ["check", "alice@example.com", "pop", "10.0.0.1"],
    ["diff", "HEAD"],
    ["pop", "on", "bob@example.com"],
    ["no-such-command"],
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_system_without_posix_is_told_so_in_one_line(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(MINIMAL)

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WITHOUT_POSIX, *command[:1], *more, *command[1:]],
            cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip

    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mailpolicy: this operating system is not supported: ")
    assert "WSL" in done.stderr
    assert done.stderr.count("\n") == 1
    told = json.loads(run("--json").stdout)
    assert (told["schema"], told["exit"], told["code"]) == ("mailpolicy.error/1", 2, "unsupported-system")
