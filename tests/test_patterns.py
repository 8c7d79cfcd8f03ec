"""No regular expression takes more than linear time, whatever it is given: its worst inputs would hang if one did."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.helpers import ROOT
from tests.readers.worst import SECONDS, WORST


@pytest.mark.parametrize("reader", WORST)
def test_the_worst_inputs_are_read(reader: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.readers.worst", reader],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    last = (done.stdout.splitlines() or ["none"])[-1]
    assert done.returncode != -signal.SIGVTALRM, f"more than {SECONDS:g} s of the processor for input {last}"
    assert done.returncode == 0, f"input {last}\n{done.stderr}"
