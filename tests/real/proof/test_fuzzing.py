"""Readers survive any input: each is fuzzed for a minute, guided by the branches that an input takes.

In the short form all of them are fuzzed in one process, as most of the time goes into its start.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import missing
from tests.readers import READERS
from tests.real.proof.fuzz import ALL, UNSUPPORTED, fuzz
from tests.real.proof.promises import PROVE, Promise, Tried, scaled


@pytest.mark.parametrize("name", READERS if PROVE else [ALL])
def test_a_reader_survives_any_input(name: str, tmp_path: Path, tried: Tried) -> None:
    if UNSUPPORTED is not None:
        missing(UNSUPPORTED)
    found = fuzz(name, scaled(60, 15), tmp_path / "corpus", tmp_path / "found")
    assert found.inputs == [], found.report
    what = "all readers" if name == ALL else READERS[name].what
    tried(Promise.READERS, found.executions, f"inputs by coverage-guided fuzzing: {what}")
