"""Programs of this machine that deploy runs: what they print, and in one line why they failed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import NamedTuple


class Ended(NamedTuple):
    """How a program ended. `failure` says why it is no success, None where it is one; without a `status` it did not end."""

    status: int | None
    out: str
    failure: str | None


def run(command: Sequence[str], patience: float) -> Ended:
    """Run a command to its end, without a shell and without stdin, for at most `patience` seconds."""
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, cwd="/", timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        return Ended(None, "", f"did not end within {patience:g} s")
    except (OSError, ValueError) as error:
        return Ended(None, "", f"cannot be started: {(getattr(error, 'strerror', None) or 'invalid command').lower()}")
    out = ended.stdout.decode("utf-8", "replace")
    if ended.returncode == 0:
        return Ended(0, out, None)
    why = _reason(ended.stderr.decode("utf-8", "replace")) or _reason(out)
    return Ended(ended.returncode, out, f"ended with {ended.returncode}{f': {why}' if why else ''}")


def _reason(printed: str) -> str:
    """The last line that is no warning: Dovecot 2.4 warns of itself after it has said what is wrong."""
    lines = [line for line in printed.splitlines() if line.strip()]
    errors = [line for line in lines if "Warning:" not in line]
    return (errors or lines or [""])[-1].strip()
