"""Run the programs of databases, servers among them as an ordinary user, in a folder of the test's own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers import missing
from tests.real.clients import PATIENCE

_FOLDERS = (
    *os.get_exec_path(),
    "/usr/sbin",
    *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
)
_PACKAGES = "postgresql mariadb-server sqlite3 dovecot-pgsql dovecot-mysql dovecot-sqlite"


class Server:
    """A database server in a folder; `start` and `stop` can be repeated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, command: list[str]) -> None:
        with open(self.folder / "said", "ab") as said:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                user=user().pw_uid if os.getuid() == 0 else None,  # they do not run as root
            )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.answers():
                return
            time.sleep(0.05)
        raise AssertionError(f"{command[0]} does not start:\n{(self.folder / 'said').read_text()}")

    def start(self) -> None:
        """Start it and wait until it answers."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it answers a query."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it at once, as a machine does that is switched off."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield a short folder, as a socket's path has no more than 107 bytes, that belongs to the user of the servers."""
    with tempfile.TemporaryDirectory(prefix="mailpolicy-sql-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        os.chown(folder, user().pw_uid, user().pw_gid)
        yield folder


@contextmanager
def held(command: list[str]) -> Iterator[None]:
    """Run a client that says `locked` when it holds a lock, and end it afterwards."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "locked\n"
        yield
        client.terminate()


def user() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


def program(name: str) -> str:
    return shutil.which(name, path=":".join(_FOLDERS)) or missing(f"{name} is not here: apt install {_PACKAGES}")


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", timeout=PATIENCE * 10)


def require(command: list[str]) -> None:
    owner = user().pw_uid if os.getuid() == 0 else None
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", user=owner)
    assert done.returncode == 0, (done.stdout, done.stderr)


def rows(command: list[str]) -> list[list[str]]:
    done = run(command)
    assert done.returncode == 0, (command[-1], done.stderr)
    return [line.split("\t") for line in done.stdout.splitlines()]
