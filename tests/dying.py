"""Run mailpolicy and die by SIGKILL at one system call that touches a file: `python -m tests.dying NUMBER [ARGUMENTS]...`.

Calls are counted from the first that writes to a journal. A negative number writes half of what that call writes, then dies.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from mailpolicy.cli import main

CALLS = ("pwrite", "ftruncate", "fsync", "open", "fchown", "fchmod", "rename", "link", "unlink", "close")


def die_at(number: int) -> None:
    counted = 0

    def wrapped(name: str, original: Any) -> Any:
        def call(*arguments: Any, **settings: Any) -> Any:
            nonlocal counted
            if counted or name == "pwrite":
                counted += 1
            if counted == abs(number):
                if number < 0 and name == "pwrite":
                    descriptor, content, offset = arguments
                    original(descriptor, content[: len(content) // 2], offset)
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **settings)

        return call

    for name in CALLS:
        setattr(os, name, wrapped(name, getattr(os, name)))


if __name__ == "__main__":
    die_at(int(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
