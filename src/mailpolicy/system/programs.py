"""Run programs and return their output, or the reason of their failure in one line."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

_MAX_OUTPUT = 8 << 20  # bytes; doveconf and reload commands print some kilobytes


class ProgramResult(NamedTuple):
    """The result of a program. `failure` is the reason if it failed; `status` is None if it did not start or end."""

    status: int | None
    out: str
    failure: str | None


def run(
    command: Sequence[str],
    timeout: float,
    environment: Mapping[str, str] | None = None,
    *,
    with_children: bool = False,
) -> ProgramResult:
    """Run a command without a shell and without stdin, for at most `timeout` seconds and 8 MiB of output.

    Its environment is this process's, or `environment`. A program that does not end is killed, `with_children` along
    with those that it started. A reload command gets no group of its own, as it may start a daemon that is to stay.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=environment,
            start_new_session=with_children,
        )
    except (OSError, ValueError) as error:
        return ProgramResult(
            None, "", f"cannot start: {(getattr(error, 'strerror', None) or 'invalid command').lower()}"
        )
    with process:
        try:
            output = _read_output(process, time.monotonic() + timeout)
        finally:
            _kill(process, with_children=with_children)
    if output is None:
        return ProgramResult(None, "", f"did not end within {timeout:.3g} s")
    out, err = (part.decode("utf-8", "replace") for part in output)
    if max(map(len, output)) > _MAX_OUTPUT:
        return ProgramResult(None, "", f"printed more than {_MAX_OUTPUT >> 20} MiB")
    if process.returncode == 0:
        return ProgramResult(0, out, None)
    reason = _last_error(err) or _last_error(out)
    return ProgramResult(
        process.returncode, out, f"failed (exit {process.returncode}){f': {reason}' if reason else ''}"
    )


def _kill(process: subprocess.Popen[bytes], *, with_children: bool) -> None:
    """Kill a process that has not ended; one that was waited for is left alone, as its number may be another's."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            if with_children:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()


def _read_output(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes] | None:
    """Return the output of a process until it ends or prints too much, None if it does not end in time."""
    assert process.stdout is not None
    assert process.stderr is not None
    outputs = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    # Both pipes at once: a program blocks if one of them is full while the other is waited for.
    with selectors.DefaultSelector() as selector:
        for descriptor in outputs:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map() and all(len(part) <= _MAX_OUTPUT for part in outputs.values()):
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            for key, _ in ready:
                piece = os.read(key.fd, 1 << 16)
                outputs[key.fd] += piece
                if not piece:
                    selector.unregister(key.fd)
        if not selector.get_map():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                return None
    out, err = outputs.values()
    return bytes(out), bytes(err)


def _last_error(output: str) -> str:
    """Return the last line that is not a warning: Dovecot 2.4 prints warnings about itself after the error."""
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "Warning:" not in line]
    return (errors or lines or [""])[-1].strip()
