"""A warm Python that runs mailpolicy again and again, each time in a forked child with one fault: `python -m ... SOCKET`.

Started with the preloaded library of interpose.c; requests and answers are lines of JSON on stdin and stdout. What a start
of Python costs is paid once, so that each system call of each command can be made to fail in each way.
"""

from __future__ import annotations

import ctypes
import json
import os
import pty
import signal
import sys
from contextlib import suppress
from typing import Any

from mailpolicy.cli import main as mailpolicy
from tests.helpers import now
from tests.real.proof import warm

LIBRARY = ctypes.CDLL(None)
CRASHED_HERE = 99


def run(request: dict[str, Any]) -> None:
    """Run one command in this process, a child of its own, and exit with its status."""
    folder = request["folder"]
    os.chdir(folder)
    for number, path in enumerate((request["stdin"], request["out"], request["err"])):
        if request["terminal"]:
            break
        descriptor = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    warm.open_streams()  # those of the server know what its descriptors were
    if request.get("record"):
        LIBRARY.faults_record(os.open(request["record"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    signal.alarm(60)  # a command that waits for ever ends by a signal that no test expects
    LIBRARY.faults_arm(os.fsencode(folder), request["number"], request["action"], request["value"])
    status = mailpolicy(request["arguments"], now)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout.flush()
    sys.stderr.flush()
    if request.get("calls"):
        LIBRARY.faults_names.restype = ctypes.c_char_p
        names = LIBRARY.faults_names()
        LIBRARY.faults_arm(b"", 0, 0, 0)
        with open(request["calls"], "wb") as file:
            file.write(names)
    os._exit(status)


def at_a_terminal(request: dict[str, Any]) -> None:
    """Run one command in a child at a terminal whose person agrees to everything, and end as it did."""
    child, terminal = pty.fork()
    if child == 0:
        run(request)
    screen, answered = b"", 0
    with suppress(OSError):  # the end, on Linux
        while more := os.read(terminal, 4096):
            screen += more
            if screen.endswith((b"] ", b"]: ", b"writing ")) and len(screen) > answered:
                question = screen.rsplit(b"\n", 1)[-1]
                os.write(
                    terminal, b"w\n" if b"w to write" in question else b"x\n" if b"x to leave" in question else b"y\n"
                )
                answered = len(screen)
    text = screen.decode("utf-8", "replace").replace("\r\n", "\n")
    with open(request["out"], "w") as out, open(request["err"], "w") as err:
        for line in text.splitlines(keepends=True):
            (err if line.startswith("mailpolicy: ") else out).write(line)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status < 0:
        os.kill(os.getpid(), -status)
    os._exit(status)


def main() -> None:
    """Answer each request with the status of its child, negative for a signal."""
    warm.freeze()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    requests = os.fdopen(os.dup(0), "r")
    answers = os.fdopen(os.dup(1), "w")
    for line in requests:
        child = os.fork()
        if child == 0:
            try:
                request = json.loads(line)
                (at_a_terminal if request["terminal"] else run)(request)
            except BaseException:  # noqa: BLE001 - the child must not go on as another server
                import traceback

                traceback.print_exc()
            finally:
                os._exit(CRASHED_HERE)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    main()
