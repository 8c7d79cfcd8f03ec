"""Keep what a keyring backend does besides its work from our output and from later steps.

Backends are other people's code: some print, run programs that print, or change the working directory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress


@contextmanager
def isolated() -> Iterator[None]:
    """Send what is written to stdout in the block to stderr, also by other threads and programs; keep the directory."""
    with ExitStack() as undo:
        undo.callback(setattr, sys, "stdout", sys.stdout)
        undo.callback(setattr, sys, "stderr", sys.stderr)
        with suppress(OSError):  # no directory, or none that this user may enter
            folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            undo.callback(_close, folder)
            undo.callback(_return_to, folder)
        with suppress(OSError):  # one of the two is closed
            messages, data = os.dup(2), os.dup(1)
            undo.callback(_close, data)
            undo.callback(os.dup2, data, 1)
            os.dup2(messages, 1)
            # A stream of its own, which a backend may close.
            sys.stdout = undo.enter_context(open(messages, "w", encoding="utf-8", errors="backslashreplace"))
        yield


def _return_to(folder: int) -> None:
    with suppress(OSError):  # this user was there, but may not enter it
        os.fchdir(folder)


def _close(descriptor: int) -> None:
    with suppress(OSError):  # nothing was written through it that this could lose
        os.close(descriptor)
