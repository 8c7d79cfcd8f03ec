"""Compare what the commands of the folder `golden` print with what they should."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.helpers import EXAMPLE, TESTS, Expected, Run, examples


@pytest.mark.parametrize("name", examples("golden", "*"))
def test_golden(name: str, run: Run, expected: Expected, tmp_path: Path) -> None:
    folder = TESTS / "golden" / name
    shutil.copy(EXAMPLE, tmp_path / "accounts.toml")
    for given in folder.iterdir():
        if given.name not in ("command", "status", "stdout", "stderr"):
            shutil.copy(given, tmp_path)
    result = run("--file", "accounts.toml", *shlex.split((folder / "command").read_text(encoding="utf-8")))
    expected(folder / "stdout", result.out)
    expected(folder / "stderr", result.err)
    expected(folder / "status", f"{result.status}\n")
