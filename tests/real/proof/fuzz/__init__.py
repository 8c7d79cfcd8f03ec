"""Coverage-guided fuzzing of every reader with atheris; each runs in a process of its own."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.helpers import ROOT

ALL = "all"  # stands for all readers in one process
_STARTS = 240  # seconds that a target may take beside its time: it imports all modules and reads its corpus

UNSUPPORTED = (
    None
    if importlib.util.find_spec("atheris") is not None
    else "atheris is missing: pip install -e '.[prove]'"
    if sys.version_info < (3, 14)
    else f"fuzzing needs atheris, which has releases for Python 3.11 to 3.13; this is {sys.version.split()[0]}"
)


class Found(NamedTuple):
    """What fuzzing a reader came to: the number of executions, the inputs that it did not survive, and a report."""

    executions: int
    inputs: list[Path]
    report: str


def fuzz(name: str, seconds: int, corpus: Path, found: Path) -> Found:
    """Fuzz a reader for so many seconds, or until it does not survive an input, which goes to the folder `found`."""
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    before = {*found.glob(f"{name}-*")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.real.proof.fuzz.target", name, str(seconds), str(corpus), f"{found}/{name}-"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds + _STARTS,
        check=False,
    )
    output = done.stdout.decode("utf-8", "replace")
    executions = re.search(r"stat::number_of_executed_units: ([0-9]+)", output)
    inputs = sorted({*found.glob(f"{name}-*")} - before)
    if not inputs and (done.returncode != 0 or executions is None):
        raise RuntimeError(f"the target {name} ended with {done.returncode}:\n{output[-4000:]}")
    return Found(int(executions[1]) if executions is not None else 0, inputs, output[-4000:])
