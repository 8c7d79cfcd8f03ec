"""Fixtures of the tests that prove the promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.proof.leaks.forks import quick_folder
from tests.real.proof.promises import Promise, Tried


@pytest.fixture
def tried(record_property: Any) -> Tried:
    """Count what was tried; call it once it held."""

    def tried(promise: Promise, number: int, what: str) -> None:
        assert number > 0, f"nothing was tried: {what}"
        record_property("tried", [promise.name, number, what])

    return tried


@pytest.fixture
def quick() -> Iterator[Path]:
    """A folder in memory."""
    with quick_folder() as folder:
        yield folder
