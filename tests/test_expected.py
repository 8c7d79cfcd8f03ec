"""The switch that writes expected outputs: what it writes, what it leaves alone, and where it is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

EXAMPLE = """\
from pathlib import Path

HERE = Path(__file__).parent


def test_text(expected):
    expected(HERE / "stdout", (HERE / "command").read_bytes().decode().upper())


def test_gone(expected):
    expected(HERE / "refused", None)


def test_reader():
    assert (HERE / "stdout").read_text() == "of before"
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A test of one example, whose expected output is of another day."""
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_example.py").write_text(EXAMPLE)
    (tmp_path / "command").write_text("list\r\n")
    (tmp_path / "stdout").write_text("of before")
    (tmp_path / "refused").write_text("5")
    return tmp_path


def run(folder: Path, *options: str, **variables: str) -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_without_the_switch_a_difference_is_a_failure_that_names_the_cure(example: Path) -> None:
    before = contents(example)
    status, shown = run(example)
    assert (status, contents(example)) == (1, before)
    assert "2 failed, 1 passed" in shown
    assert "make expected" in shown


def test_the_switch_writes_outputs_and_no_input_and_runs_no_other_test(example: Path) -> None:
    before = contents(example)
    status, shown = run(example, "--update-expected")
    assert status == 0
    assert "2 passed, 1 deselected" in shown
    del before["refused"]
    assert contents(example) == before | {"stdout": b"LIST\r\n"}
    assert run(example, "-k", "text or gone")[0] == 0


def test_the_switch_is_refused_in_ci(example: Path) -> None:
    before = contents(example)
    status, shown = run(example, "--update-expected", CI="true")
    assert (status, contents(example)) == (pytest.ExitCode.USAGE_ERROR, before)
    assert "CI" in shown
