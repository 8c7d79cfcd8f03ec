"""The clock: whole processes and peers, taken in turns.

Promises: a process is waited for by the operating system, not polled; one that ends with another status than expected
voids the measurement. Not promised: quiet neighbours; that is what turns and medians are for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

PEERS = Path(__file__).resolve().parent / "peers"
MAILPOLICY = str(Path(sysconfig.get_path("scripts")) / "mailpolicy")

# What steers Python or mailpolicy from outside would steer the measurement.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MAILPOLICY_"))}


class Void(Exception):
    """The two sides did not do the same work, or one failed: there is nothing to compare."""


def whole(
    command: Sequence[str | Path],
    *,
    status: int = 0,
    output: Path | None = None,
    errors: Path | None = None,
    source: Path | None = None,
) -> float:
    """The seconds that a process takes from its start to its end; its stdout goes to `output`, stderr to `errors`.

    Its stdin is `source`.
    """
    with (
        open(output or os.devnull, "wb") as stdout,
        open(errors or os.devnull, "wb") as stderr,
        open(source or os.devnull, "rb") as stdin,
    ):
        begin = perf_counter()
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, env=_ENVIRONMENT)
        ended = process.wait()
        seconds = perf_counter() - begin
    _require_status(command, ended, status)
    return seconds


def peak(command: Sequence[str | Path], *, status: int = 0) -> float:
    """The bytes of memory that a process had at its largest."""
    answer = told("peak", *command)
    _require_status(command, answer["status"], status)
    return float(answer["bytes"])


def _require_status(command: Sequence[str | Path], ended: int, status: int) -> None:
    if ended != status:
        raise Void(f"{Path(command[0]).name} {' '.join(map(str, command[1:]))}: status {ended}, not {status}")


def mailpolicy(
    *arguments: str | Path, status: int = 0, output: Path | None = None, source: Path | None = None
) -> float:
    """The seconds of one whole run of mailpolicy, by its console script."""
    return whole([MAILPOLICY, *arguments], status=status, output=output, source=source)


def script(name: str, *arguments: str | Path) -> list[str | Path]:
    """The command that runs a peer with this Python."""
    return [sys.executable, PEERS / f"{name}.py", *arguments]


def told(name: str, *arguments: str | Path) -> dict[str, Any]:
    """What a peer that times itself tells, in a fresh process: its `seconds`, and more."""
    ended = subprocess.run(script(name, *arguments), env=_ENVIRONMENT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise Void(f"{name}: status {ended.returncode}: {ended.stderr.strip().rpartition(chr(10))[2]}")
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


def turns(rounds: int, *sides: Callable[[], float]) -> list[tuple[float, ...]]:
    """The seconds of each side in each round: A B A B. A round before the first one warms up and is not counted."""
    for side in sides:
        side()
    return [tuple(side() for side in sides) for _ in range(rounds)]
