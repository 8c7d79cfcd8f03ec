"""Readers survive any input: each is fuzzed for a minute, guided by the branches that an input takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import missing
from tests.readers import READERS
from tests.real.proof.fuzz import UNSUPPORTED, fuzz
from tests.real.proof.promises import Promise, Tried, scaled


@pytest.mark.parametrize("name", READERS)
def test_a_reader_survives_any_input(name: str, tmp_path: Path, tried: Tried) -> None:
    if UNSUPPORTED is not None:
        missing(UNSUPPORTED)
    found = fuzz(name, scaled(60, 2), tmp_path / "corpus", tmp_path / "found")
    assert found.inputs == [], found.report
    tried(Promise.READERS, found.executions, f"inputs by coverage-guided fuzzing: {READERS[name].what}")
