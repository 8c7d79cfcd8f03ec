"""Work in forks of this process, which has imported everything: a command costs some milliseconds.

What a fork does to itself (its mounts, its limits, its `os`) ends with it.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from mailpolicy.cli import main
from tests.helpers import Result, now
from tests.real.proof import warm

T = TypeVar("T")


class Failed(AssertionError):
    """The work of a fork raised something, or the fork was killed."""


def in_a_fork(work: Callable[[], T], seconds: int = 30) -> T:
    """Return what `work` returns in a fork, which is killed after `seconds`."""
    warm.preload()
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    number = os.fork()
    if number == 0:
        _be_the_fork(work, writing, seconds)
    os.close(writing)
    with open(reading, "rb") as answers:
        answer = answers.read()
    status = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    if status != 0 or not answer:
        raise Failed(
            f"a fork ended with {status} ({-status == signal.SIGALRM and f'not within {seconds} s'}): {answer.decode('utf-8', 'replace')}"
        )
    return pickle.loads(answer)  # type: ignore[no-any-return]


def _be_the_fork(work: Callable[[], Any], writing: int, seconds: int) -> None:
    signal.alarm(seconds)
    status = 0
    try:
        answer = pickle.dumps(work())
    except BaseException:  # noqa: BLE001 - the fork must not go on as its parent
        answer, status = traceback.format_exc().encode(), 1
    write = _REAL_WRITE
    while answer:
        answer = answer[write(writing, answer) :]
    os._exit(status)


_REAL_WRITE, _REAL_CLOSE = os.write, os.close


def command(
    arguments: Sequence[str],
    folder: Path,
    stdin: bytes = b"",
    environment: Mapping[str, str] = MappingProxyType({}),
    begin: Callable[[], None] = lambda: None,
) -> Result:
    """Be mailpolicy in a folder, and return what that came to; `begin` is called right before.

    Only for a fork, as the streams and the folder stay.
    """
    os.chdir(folder)
    os.environ.update({"MAILPOLICY_NO_CACHE": "1", **environment})
    # Pipes, and not files, to which the limits of files would apply; with room for all that a command prints.
    pipes = [os.pipe() for _ in range(3)]
    for _, writing in pipes:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
    _REAL_WRITE(pipes[0][1], stdin)
    _REAL_CLOSE(pipes[0][1])
    os.dup2(pipes[0][0], 0)
    for number in (1, 2):
        os.dup2(pipes[number][1], number)
        _REAL_CLOSE(pipes[number][1])
    warm.open_streams()
    begin()
    status = main(list(arguments), now)
    sys.stdout.flush()
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_RDWR)
    texts = []
    for number in (1, 2):
        os.dup2(null, number)
        os.set_blocking(pipes[number][0], False)
        with open(pipes[number][0], "rb") as file:
            texts.append((file.read() or b"").decode("utf-8", "replace"))
    return Result(status, *texts)


def run(
    arguments: Sequence[str], folder: Path, stdin: bytes = b"", environment: Mapping[str, str] = MappingProxyType({})
) -> Result:
    """Run mailpolicy in a fork."""
    return in_a_fork(lambda: command(arguments, folder, stdin, environment))
