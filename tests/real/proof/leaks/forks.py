"""Run many commands quickly, each a process of its own, with everything that leaves it watched.

The processes are forks of `tests.real.proof.leaks.forked`, which has a mount namespace of its own with a /dev/log of the tests'. strace
writes down each program that one of them starts, with its arguments and its environment.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from tests.helpers import ROOT, mount_namespace
from tests.real.loopback import need

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd", "stdin", "stdout", "stderr")
_TIMEOUT = 120.0  # seconds; nothing that is run here may take so long


class Ran(NamedTuple):
    """What a run came to, byte for byte."""

    status: int
    out: bytes
    err: bytes


class Forks:
    """A process that forks for each command, and what it is watched with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._ended: dict[int, int] = {}
        self._unread = b""
        self.programs = folder / "programs"  # what strace writes
        self._log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._log.bind(str(folder / "log"))
        self._log.setblocking(False)
        self._log.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.syslog = b""
        (folder / "dev").mkdir()
        dev = f"{folder}/dev"
        strace = [need("strace", "strace"), "-f", "--seccomp-bpf", "-qq", "-e", "trace=execve", "-e", "signal=none"]
        strace += ["-xx", "-v", "-s", "1000000", "-o", str(self.programs)]
        script = [f"mount --rbind /dev {dev} && mount -t tmpfs tmpfs /dev && ln -s {folder}/log /dev/log"]
        script += [f"ln -s {dev}/{name} /dev/{name}" for name in _DEVICES]
        script += ['exec "$@"']
        command = [*strace, sys.executable, "-m", "tests.real.proof.leaks.forked"]
        self._process = subprocess.Popen(
            [mount_namespace(), "-m", "sh", "-c", " && ".join(script), "sh", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)},
        )
        assert self._answer(_TIMEOUT) == {}

    def start(
        self,
        arguments: Iterable[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        stdin: bytes = b"",
        terminal: str | None = None,
        screen: str | None = None,
        fault: Mapping[str, Any] | None = None,
    ) -> int:
        """Begin a run and go on; its number is what `result` takes.

        `terminal` is the path of one for everything, `screen` of one for the output only.
        """
        self._count += 1
        paths = {name: str(self._folder / f"{self._count}.{name}") for name in ("stdin", "stdout", "stderr")}
        Path(paths["stdin"]).write_bytes(stdin)
        request = {
            "id": self._count,
            "arguments": list(arguments),
            "folder": str(folder),
            "environment": dict(environment),
            "terminal": terminal,
            "screen": screen,
            "fault": fault,
            **paths,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return self._count

    def result(self, number: int, timeout: float = _TIMEOUT) -> Ran:
        """Wait for the end of a run."""
        deadline = time.monotonic() + timeout
        while number not in self._ended:
            answer = self._answer(deadline - time.monotonic())
            self._ended[answer["id"]] = answer["status"]
        self._hear()
        parts = []
        for name in ("stdin", "stdout", "stderr"):
            path = self._folder / f"{number}.{name}"
            parts.append(path.read_bytes() if path.exists() else b"")
            path.unlink(missing_ok=True)
        return Ran(self._ended.pop(number), *parts[1:])

    def run(self, arguments: Iterable[str], folder: Path, environment: Mapping[str, str], **settings: Any) -> Ran:
        """Run a command to its end."""
        return self.result(self.start(arguments, folder, environment, **settings))

    def on_screen(self, arguments: Iterable[str], folder: Path, environment: Mapping[str, str], stdin: bytes) -> Ran:
        """Run a command whose output goes to a terminal; all that it shows is the `out`."""
        ours, theirs = os.openpty()
        shown: list[bytes] = []
        reading = threading.Thread(target=_read_all, args=(ours, shown))
        reading.start()
        try:
            screen = f"/proc/{os.getpid()}/fd/{theirs}"
            ran = self.result(self.start(arguments, folder, environment, stdin=stdin, screen=screen))
        finally:
            os.close(theirs)  # the last one, so that the terminal ends
            reading.join()
            os.close(ours)
        return Ran(ran.status, b"".join(shown), b"")

    def _answer(self, timeout: float) -> Any:
        assert self._process.stdout is not None
        while b"\n" not in self._unread:
            assert select.select([self._process.stdout], [], [], max(timeout, 0.0))[0], "a command did not end"
            piece = os.read(self._process.stdout.fileno(), 1 << 16)
            assert piece, "the process that forks has ended"
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def _hear(self) -> None:
        while True:
            try:
                self.syslog += self._log.recv(1 << 16) + b"\n"
            except BlockingIOError:
                return

    def close(self) -> None:
        """End the process that forks, and all that it has started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._log.close()

    def started(self) -> bytes:
        """Return the arguments and environments of all programs that were started, as bytes."""
        text = self.programs.read_bytes()
        return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text)


def _read_all(descriptor: int, shown: list[bytes]) -> None:
    with suppress(OSError):  # how the end of a terminal is told
        while piece := os.read(descriptor, 1 << 16):
            shown.append(piece)


@contextmanager
def forking(folder: Path) -> Iterator[Forks]:
    """A process that forks, ended afterwards."""
    folder.mkdir(exist_ok=True)
    forks = Forks(folder)
    try:
        yield forks
    finally:
        forks.close()


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory, so that nothing waits for a disk."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="mailpolicy-proof-", dir=memory) as folder:
        yield Path(folder)
