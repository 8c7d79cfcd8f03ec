"""Fixtures that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine on which no backend is named; no run may leak a secret."""
    machine = Machine(tmp_path)
    yield machine
    assert machine.leaks() == []
