"""What the tests share: names of files, a small store, and the forms that runs of mailpolicy have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PROGRAM = [sys.executable, "-m", "mailpolicy"]
NOBODY = 65534  # the user and the group of that name
EXAMPLE = ROOT / "accounts.toml.example"
EXAMPLES = int(os.environ.get("MAILPOLICY_EXAMPLES", "100"))  # of every property; `make prove` asks for many more


def examples(folder: str, pattern: str) -> list[str]:
    """Return the names of the examples in a folder of the tests."""
    found = sorted(path.stem for path in (TESTS / folder).glob(pattern))
    assert found, f"no examples in {folder}"
    return found


def missing(reason: str) -> NoReturn:
    """Skip for the reason, which names what to install; where everything must be there, fail."""
    if os.environ.get("MAILPOLICY_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def needs_root() -> None:
    if os.geteuid() != 0:
        missing("only root can give files to others")


def mount_namespace() -> str:
    """The program that gives a command a mount namespace of its own."""
    unshare = shutil.which("unshare")
    if unshare is None:
        missing("unshare is missing: Debian package util-linux")
    if os.geteuid() != 0 or subprocess.run([unshare, "-m", "true"], capture_output=True, check=False).returncode:
        missing("this kernel gives this user no mount namespace")
    return unshare


NOW = datetime(2026, 11, 27, 12, 30, 45, tzinfo=UTC)  # the present moment of tests with dates


def now() -> datetime:
    return NOW


def never() -> datetime:
    """The clock of tests without dates: nothing asks it."""
    raise AssertionError("the clock was asked")


class Result(NamedTuple):
    """What a run came to."""

    status: int
    out: str
    err: str


Run = Callable[..., Result]
Expected = Callable[[Path, str | None], None]

MINIMAL = """\
version = 1

[server]
edition = "pro"
outlook_connector_installed = true
multipop = true
lan = ["10.0.0.0/8", "fd00::/8"]

[server.smart_host]
per_account_auth = true
login = "relay"

[defaults]
imap = true

[accounts."alice@example.com"]
pop = true
pop_lan_only = true

[accounts."bob@example.com"]
"""
# With the smart host that a password needs.
RELAYED = MINIMAL.replace("[server.smart_host]", '[server.smart_host]\nhost = "smtp.relay.example"')
RELAY = "smtp.relay.example:587"
