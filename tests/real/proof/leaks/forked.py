"""Run the real main() in forks of a process that has imported everything: a command costs 15 ms instead of 250.

`python -m tests.real.proof.leaks.forked` takes requests, a line of JSON each, and answers with the exit status of each fork.
`tests/real/proof/leaks/forks.py` starts it. Each fork has a session, a working directory, an environment and streams of its own,
and ends as a program does. A fault may be planted in it (tests/real/proof/leaks/crashes.py).
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import selectors
import signal
import sys
import termios
import threading
from contextlib import suppress
from typing import Any, NoReturn

from mailpolicy.cli import main
from tests.real.proof import warm
from tests.real.proof.leaks import crashes


def serve() -> dict[str, Any] | None:
    """Answer requests until stdin ends; in a fork, return the request."""
    running: dict[
        int, tuple[int, Any]
    ] = {}  # by the descriptor of the process: its number, and what the request calls it
    with selectors.DefaultSelector() as ready:
        ready.register(0, selectors.EVENT_READ)
        unread = b""
        while True:
            for key, _ in ready.select():
                if key.fd in running:
                    ready.unregister(key.fd)
                    _ended(key.fd, *running.pop(key.fd))
                    continue
                piece = os.read(0, 1 << 20)
                *requests, unread = (unread + piece).split(b"\n")
                for line in requests:
                    request = json.loads(line)
                    number = os.fork()
                    if number == 0:
                        return request  # type: ignore[no-any-return]
                    descriptor = os.pidfd_open(number)
                    running[descriptor] = (number, request["id"])
                    ready.register(descriptor, selectors.EVENT_READ)
                if not piece:
                    for number, _ in running.values():
                        os.kill(number, signal.SIGKILL)
                    return None


def _ended(descriptor: int, number: int, name: object) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    os.close(descriptor)
    with suppress(ProcessLookupError):  # what it left behind in its session
        os.killpg(number, signal.SIGKILL)
    os.write(1, json.dumps({"id": name, "status": status}).encode() + b"\n")


def become(request: dict[str, Any]) -> None:
    """Be the process that the request describes."""
    os.setsid()
    if request["terminal"] is not None:
        terminal = os.open(request["terminal"], os.O_RDWR)
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        streams = [terminal, terminal, terminal]
    else:
        new = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        printed = [request["screen"]] * 2 if request["screen"] is not None else [request["stdout"], request["stderr"]]
        streams = [os.open(request["stdin"], os.O_RDONLY), *(os.open(path, new, 0o600) for path in printed)]
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, 64)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0:0] = os.environ.get("PYTHONPATH", "").split(":")
    warm.open_streams()
    sys.argv = ["mailpolicy", *request["arguments"]]


def run() -> NoReturn:
    """Serve, and be a program in each fork."""
    sys.path.insert(0, os.environ["PYTHONPATH"])
    warm.freeze()
    os.write(1, b"{}\n")  # ready
    request = serve()
    if request is None:
        sys.exit(0)
    become(request)
    with crashes.planted(request["fault"]):
        status = main()
    end(status)


def end(status: int) -> NoReturn:
    """End as the interpreter does, but without clearing all modules, which takes longer than a command."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
