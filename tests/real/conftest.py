"""Fixtures of the tests with real programs: desktops with a keyring, machines without one, and Dovecot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import Machine
from tests.real.desktop import MASTER, Desktop, private_desktop
from tests.real.dovecot import Dovecot, private_dovecot
from tests.real.dovecot_releases import VERSIONS, release
from tests.real.proof.table import pytest_addoption, pytest_terminal_summary

__all__ = ["pytest_addoption", "pytest_terminal_summary"]


@pytest.fixture
def desktop(tmp_path: Path) -> Iterator[Desktop]:
    """A session with an unlocked keyring."""
    with private_desktop(tmp_path, "--unlock", text=MASTER) as desktop:
        yield desktop


@pytest.fixture
def closed_desktop(tmp_path: Path) -> Iterator[Desktop]:
    """A session whose keyring nobody has unlocked yet."""
    with private_desktop(tmp_path, text="") as desktop:
        yield desktop


@pytest.fixture
def headless(tmp_path: Path) -> Iterator[Machine]:
    """A machine without a session."""
    machine = Machine(tmp_path)
    yield machine
    assert machine.leaks() == []


@pytest.fixture(params=VERSIONS)
def dovecot(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    """A private Dovecot that is not started yet, of each version."""
    with private_dovecot(release(request.param)) as instance:
        yield instance
