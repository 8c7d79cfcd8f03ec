"""Run programs for deploy and return their output, or the reason of their failure in one line."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from typing import NamedTuple

_MOST = 8 << 20  # bytes; doveconf and reload commands print some kilobytes


class Ended(NamedTuple):
    """The result of a program. `failure` is the reason if it failed; `status` is None if it did not start or end."""

    status: int | None
    out: str
    failure: str | None


def run(command: Sequence[str], patience: float) -> Ended:
    """Run a command without a shell and without stdin, for at most `patience` seconds and 8 MiB of output."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/"
        )
    except (OSError, ValueError) as error:
        return Ended(None, "", f"cannot start: {(getattr(error, 'strerror', None) or 'invalid command').lower()}")
    with process:
        try:
            printed = _printed(process, time.monotonic() + patience)
        finally:
            process.kill()  # does nothing if the process has ended
    if printed is None:
        return Ended(None, "", f"did not end within {patience:.3g} s")
    out, err = (part.decode("utf-8", "replace") for part in printed)
    if max(map(len, printed)) > _MOST:
        return Ended(None, "", f"printed more than {_MOST >> 20} MiB")
    if process.returncode == 0:
        return Ended(0, out, None)
    why = _reason(err) or _reason(out)
    return Ended(process.returncode, out, f"failed (exit {process.returncode}){f': {why}' if why else ''}")


def _printed(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes] | None:
    """Return the output of a process until it ends or prints too much, None if it does not end in time."""
    assert process.stdout is not None
    assert process.stderr is not None
    parts = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as waiting:
        for descriptor in parts:
            waiting.register(descriptor, selectors.EVENT_READ)
        while waiting.get_map() and all(len(part) <= _MOST for part in parts.values()):
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            for key, _ in ready:
                piece = os.read(key.fd, 1 << 16)
                parts[key.fd] += piece
                if not piece:
                    waiting.unregister(key.fd)
        if not waiting.get_map():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                return None
    out, err = parts.values()
    return bytes(out), bytes(err)


def _reason(printed: str) -> str:
    """Return the last line that is not a warning: Dovecot 2.4 prints warnings about itself after the error."""
    lines = [line for line in printed.splitlines() if line.strip()]
    errors = [line for line in lines if "Warning:" not in line]
    return (errors or lines or [""])[-1].strip()
