"""The shell of docs/secrets.md with a desktop keyring on a machine without a desktop."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.docs.pages import blocks
from tests.real.loopback import need

pytestmark = pytest.mark.real
SHELL = next(block.text for block in blocks("docs/secrets.md") if block.text.startswith("dbus-run-session "))
COMMANDS = """
mailpolicy init
mailpolicy account add alice@example.com
mailpolicy smart-host set --server --host smtp.relay.example
echo secret | mailpolicy smart-host set alice@example.com --login alice.relay --password-stdin
mailpolicy secrets verify
"""


def test_a_password_is_kept_from_one_such_shell_to_the_next(tmp_path: Path) -> None:
    need("dbus-run-session", "dbus")
    need("gnome-keyring-daemon", "gnome-keyring")
    there = "smart-host/alice@example.com/smtp.relay.example:587\tthere\n"
    assert there in _run(tmp_path, COMMANDS)
    assert _run(tmp_path, "mailpolicy secrets verify\n") == there


def _run(home: Path, commands: str) -> str:
    """Type commands into the shell; return what they print."""
    (home / "empty.toml").touch(mode=0o600)
    with tempfile.TemporaryDirectory(prefix="mailpolicy-run-") as runtime:
        done = subprocess.run(
            ["sh", "-euc", SHELL],
            input=commands,
            cwd=home,
            env={
                "HOME": str(home),
                "XDG_RUNTIME_DIR": runtime,  # the path of a socket has at most 107 bytes
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "KEYRING_PASSWORD": "password of the keyring",
                "MAILPOLICY_FILE": str(home / "accounts.toml"),
                "MAILPOLICY_HOST_CONFIG": str(home / "empty.toml"),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout
