"""Every reader survives the inputs that fuzzing found it not to survive, and those that fuzzing begins with.

The first are in tests/fuzzed/READER/NAME, and NAME says what was wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.helpers import ROOT, TESTS
from tests.readers import READERS, printed, stores, survives

FOUND = sorted((TESTS / "fuzzed").glob("*/*"))


@pytest.mark.parametrize("path", FOUND, ids=[f"{path.parent.name}/{path.name}" for path in FOUND])
def test_what_fuzzing_found(path: Path) -> None:
    survives(READERS[path.parent.name], path.read_bytes())


@pytest.mark.parametrize("reader", READERS)
def test_what_fuzzing_begins_with(reader: str) -> None:
    for seed in READERS[reader].seeds():
        survives(READERS[reader], seed)


def digests() -> str:
    """Return a digest of what is printed for the inputs of each reader that prints no stamp of a file."""
    found = []
    for name in ("store", "host", "cases", "plan", "import", "logins", "log", "batch"):
        inputs = [*READERS[name].seeds(), *(path.read_bytes() for path in FOUND if path.parent.name == name)]
        text = "".join(printed(READERS[name].read, data).replace(str(stores.folder()), "") for data in inputs)
        found.append(f"{name} {sha256(text.encode()).hexdigest()}")
    return "\n".join(found)


def test_the_same_is_printed_in_every_process() -> None:
    """The order of a set of strings is another one in each process."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", "from tests.test_fuzzed import digests; print(digests())"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
