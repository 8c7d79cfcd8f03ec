"""What private servers on loopback share: a folder that their users can enter, free ports, a certificate, waiting."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

from tests.helpers import missing

HOST = "127.0.0.1"
_PATIENCE = 20.0  # seconds


def need(program: str, package: str) -> str:
    """The path of a program of root's; without it the test is skipped, or fails where everything is required."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        missing(f"{program} is missing: apt install {package}")
    return found


def need_root() -> None:
    """Mail servers change to users of their own, which only root may."""
    if os.geteuid() != 0:
        missing("mail servers are started as root: run the tests as root")


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that every user can enter, whose name is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="mailpolicy-", dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def until(what: str, true: Callable[[], object]) -> None:
    """Wait until it is true."""
    deadline = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"this did not happen: {what}"
        time.sleep(0.02)


def listening(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((HOST, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


class Server(ABC):
    """A server in a folder of its own, which runs from `with` on and is ended by its own process id."""

    def __init__(self, folder: Path, *ports: int) -> None:
        self.folder = folder
        self._ports = ports

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that stays in the foreground."""

    def __enter__(self) -> Self:
        with open(self.folder / "errors", "wb") as errors:
            self._running = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True
            )
        try:
            until(f"{type(self).__name__} listens", self._listens)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def _listens(self) -> bool:
        assert self._running.poll() is None, (self.folder / "errors").read_text() + self.log()
        return all(listening(port) for port in self._ports)

    def _end(self) -> None:
        self._running.terminate()
        self._running.wait(20)

    def log(self) -> str:
        """Return all that it wrote down."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""


class Certificate:
    """A certificate for loopback and the authority that signed it, as files in a folder."""

    def __init__(self, where: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert(
            "localhost", HOST, common_name="localhost"
        )  # without a CommonName fetchmail refuses it
        self.authority, self.chain, self.key = (where / name for name in ("ca.pem", "cert.pem", "key.pem"))
        authority.cert_pem.write_to_path(str(self.authority))
        issued.private_key_pem.write_to_path(str(self.key))
        issued.private_key_and_cert_chain_pem.write_to_path(str(self.chain))
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        issued.configure_cert(self.context)
