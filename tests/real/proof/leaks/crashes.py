"""Plant a fault in a process: its N-th call of a function of mailpolicy raises, or its N-th system call for files fails.

A fault is a dictionary: `kind`, `at` (the number of the call, 0 to let all of them pass), `text` (what the exception says) and
`report`, the file that gets how many calls there were.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import mailpolicy

_FOLDER = os.path.dirname(mailpolicy.__file__)
# Nothing of ours could handle a failure to begin, neither of the whole nor of a thread.
_NOT_RAISING = ("main", "guarded", "_terminate")
SYSTEM_CALLS = (
    "open",
    "write",
    "pwrite",
    "ftruncate",
    "fsync",
    "fchown",
    "fchmod",
    "rename",
    "link",
    "unlink",
    "mkdir",
)


@contextmanager
def planted(fault: dict[str, Any] | None) -> Iterator[None]:
    """Let the block run with the fault in it."""
    if fault is None:
        yield
        return
    counted = _Counted(fault)
    if fault["kind"] in ("crash", "interrupt"):
        threading.settrace(counted.called)
        sys.settrace(counted.called)
    else:
        for name in SYSTEM_CALLS:
            setattr(os, name, counted.wrapped(getattr(os, name)))
    try:
        yield
    finally:
        sys.settrace(None)
        threading.settrace(None)
        if fault["at"] == 0:
            with open(fault["report"], "w", encoding="utf-8") as report:
                report.write(str(counted.number))


class _Counted:
    """Counts calls, and lets one of them fail."""

    def __init__(self, fault: dict[str, Any]) -> None:
        self.number = 0
        self._kind, self._at, self._text = fault["kind"], fault["at"], fault["text"]

    def called(self, frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(_FOLDER) or code.co_name in _NOT_RAISING:
            return
        self.number += 1
        if self.number == self._at:
            raise (RuntimeError if self._kind == "crash" else KeyboardInterrupt)(self._text)

    def wrapped(self, original: Any) -> Any:
        def call(*arguments: Any, **settings: Any) -> Any:
            self.number += 1
            if self.number == self._at:
                if self._kind == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*arguments, **settings)

        return call
