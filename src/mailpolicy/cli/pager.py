"""A pager for long output on a terminal, started as git starts one."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

# Quit if it fits on one screen, let colours through, leave the text on the screen. LESSSECURE: no shell from inside.
_LESS = {"LESS": "FRX", "LV": "-c"}


@contextmanager
def paged(pager: str, environment: Mapping[str, str]) -> Iterator[None]:
    """Send stdout through the pager, and wait until its user has left it; leaving it early is no error.

    If the pager is not installed, stdout stays as it is.
    """
    if shutil.which(pager.split()[0]) is None:
        yield
        return
    sys.stdout.flush()
    # A secure less ignores Ctrl-Z; if we stopped, the shell and the pager would share the keyboard. The pager inherits it.
    with _ignored(signal.SIGTSTP):
        process = subprocess.Popen(
            pager, shell=True, stdin=subprocess.PIPE, env={**_LESS, **environment, "LESSSECURE": "1"}
        )
        assert process.stdin is not None
        stdout = sys.stdout
        sys.stdout = io.TextIOWrapper(process.stdin, stdout.encoding, errors="backslashreplace")
        # Ctrl-C belongs to the pager, where it stops a search; it must not end us and leave the pager without a terminal.
        with _ignored(signal.SIGINT):
            try:
                yield
            except BrokenPipeError:
                pass
            finally:
                with suppress(BrokenPipeError):
                    sys.stdout.close()
                process.wait()
                sys.stdout = stdout


@contextmanager
def _ignored(number: signal.Signals) -> Iterator[None]:
    """Ignore a signal for a while."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)
