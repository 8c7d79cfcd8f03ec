"""A machine in a folder of its own in memory, which can be as it was at first, and in which commands run with one fault."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from tests.everything import USERS, write_everything
from tests.helpers import RELAY, ROOT, Result
from tests.real.loopback import need
from tests.sealing import sealed_file

SOURCE = Path(__file__).with_name("interpose.c")
MEMORY = Path("/dev/shm")
# A user who may read the store and nothing else: access control lists are copied to the new file.
ACL = bytes.fromhex("0200000001000600ffffffff02000400feff000004000400ffffffff10000400ffffffff20000400ffffffff")


class Action(IntEnum):
    """What becomes of a call: the numbers of interpose.c."""

    NONE = 0
    FAIL = 1
    SIGNAL = 2
    HALF = 3
    HALF_KILL = 4


class Fault(NamedTuple):
    """One fault: the how-manieth call, what becomes of it, and with which error or signal."""

    number: int = 0
    action: Action = Action.NONE
    value: int = 0


CAROL = """
[accounts."carol@example.com"]
template = "t"
suspended = true
imap = true
pop_lan_only = true
outlook_connector = true
extra_lan = ["branch"]
smart_host_login = "c"

[templates.unused]
"""
MORE = """
[exports.e]
target = "exim-passwd"
path = "{0}/e"

[exports.p]
target = "postfix-sasl-passwd"
path = "{0}/p"
reload = ["true"]
"""


NEXT = "lan add 198.51.100.7"
# What writes the other files, where there are any.
ELSEWHERE = (
    "secrets rotate",
    "deploy",
    "lan add 198.51.100.7 --file fresh.toml",
    "secrets rotate --host-config fresh-host.toml",
)
NOTHING = Fault()
_TEMPORARY = re.compile(r"\..+\.new-[0-9a-f]{16}")


class Site:
    """A machine with everything that commands can be about; `first` is what it is made of."""

    def __init__(self, folder: Path) -> None:
        self.outside = folder
        self.folder = folder / "site"
        self.folder.mkdir(mode=0o700)
        self.options = write_everything(self.folder)
        self._write()
        self.first = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        self.modes = {name: (self.folder / name).stat().st_mode & 0o777 for name in self.first}
        sealed = sealed_file(self.folder)
        self._sealed = sealed.get_all(), sealed.header().key_id
        (folder / "keyring.json").write_text(json.dumps({"mailpolicy": dict.fromkeys(USERS, "of the desktop")}))
        self.keyring = (folder / "keyring.json").read_bytes()
        library = folder / "interpose.so"
        compiler = need("cc", "gcc")
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "TERM": "dumb",
            "PYTHONHASHSEED": "0",
            "MAILPOLICY_NO_CACHE": "1",
            "TEST_KEYRING": str(folder / "keyring.json"),
            "TEST_STORE": str(folder / "keyring.json"),
            "EDITOR": "sed -i s/imap.=.true/imap=false/",
            "LD_PRELOAD": str(library),
        }
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.real.proof.faults.server"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment,
        )  # fmt: skip

    def _write(self) -> None:
        """Add what makes every command change something."""
        store, config, fresh = (self.folder / name for name in ("accounts.toml", "host.toml", "fresh-host.toml"))
        text = store.read_text().replace("multipop = true\nlan", 'multipop = true\ngovern = ["smtp"]\nlan') + CAROL
        text = text.replace("[networks]\n", '[networks]\nspare = ["198.51.100.0/24"]\n')
        store.write_text(text)
        (self.folder / "moved.toml").write_text(text.replace("smtp.relay.example", "other.example"))
        (self.folder / "new.toml").write_text(text.replace("imap = true", "imap = false"))
        machine = config.read_text().partition("[exports.d]")[0] + "journal = true\n"
        config.write_text(machine + MORE.format(self.folder))
        fresh.write_text(
            machine.replace(f"{self.folder}/secrets", f"{self.folder}/other").replace(
                f"{self.folder}/key", f"{self.folder}/otherkey"
            )
        )
        (self.folder / "password").write_text("another")
        sealed_file(self.folder).change("mailpolicy", {f"smart-host/carol@example.com/{RELAY}": "of carol"})

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(10)

    def put_back(self) -> None:
        """Make the folder what it was at first."""
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif self.first.get(path.name) != path.read_bytes():
                path.unlink()
        for name, content in self.first.items():
            path = self.folder / name
            if not path.exists():
                path.write_bytes(content)
                path.chmod(self.modes[name])
        os.setxattr(self.folder / "accounts.toml", "system.posix_acl_access", ACL)
        (self.outside / "keyring.json").write_bytes(self.keyring)

    def run(
        self, command: str, fault: Fault = NOTHING, *, calls: Path | None = None, record: Path | None = None
    ) -> Result:
        """Run a command, perhaps with a fault; its calls about the folder go to a file if that is named."""
        out, err = self.outside / "out", self.outside / "err"
        request = {
            "arguments": [*self.options, *shlex.split(command)],
            "folder": str(self.folder),
            "stdin": str(self.folder / "stdin"),
            "out": str(out),
            "err": str(err),
            "calls": None if calls is None else str(calls),
            "record": None if record is None else str(record),
            "terminal": command == "edit",
            **fault._asdict(),
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(request), file=self._server.stdin, flush=True)
        status = int(self._server.stdout.readline())
        return Result(status, out.read_text(), err.read_text())

    def calls(self, command: str) -> list[str]:
        """Return the calls of a command that concern the folder, without a fault: `NAME PATH`."""
        self.put_back()
        path = self.outside / "calls"
        result = self.run(command, calls=path)
        assert result.status == 0, (command, result)
        return path.read_text().splitlines()

    def files(self) -> dict[str, bytes]:
        """Return the content of every file."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }

    def temporary_files(self) -> list[str]:
        """Return the names of new files that did not take the place of an old one."""
        return [path.name for path in self.folder.iterdir() if _TEMPORARY.fullmatch(path.name)]

    def require_next_edit(self, command: str, facts: object) -> None:
        """The next edit works, and no temporary file outlives the next run that writes there."""
        result = self.run(NEXT)
        assert result.status == 0, (facts, result)
        for again in (command, *ELSEWHERE):
            if self.temporary_files():
                self.run(again)
        assert not self.temporary_files(), facts

    def become(self, files: dict[str, bytes]) -> None:
        """Make the folder these files."""
        shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(content)
            path.chmod(self.modes.get(name, 0o600))

    def state(self) -> dict[str, object]:
        """Return what each file is, compared by meaning where a run writes what no other does."""
        return {
            path.name: self._meaning(path) for path in self.folder.iterdir() if path.suffix not in (".lock", ".log")
        }

    def journal(self) -> list[str]:
        """Return the events in the journal of the store, without a last line that was cut off."""
        lines = (self.folder / "accounts.toml.log").read_bytes().split(b"\n")
        return [json.loads(line)["event"] for line in lines[:-1]]

    def _secrets(self, content: bytes) -> object:
        """Return what is sealed, and whether with another key than at first."""
        if content == self.first["secrets"]:
            return self._sealed
        file = sealed_file(self.folder)
        return file.get_all(), file.header().key_id

    def _meaning(self, path: Path) -> object:
        if path.is_symlink():
            return os.readlink(path)
        if path.is_dir():
            return sorted(path.iterdir())
        content = path.read_bytes()
        if path.name == "secrets":
            return self._secrets(content)
        if path.name in ("key", "key.next", "other", "otherkey"):
            return "there"
        return content


@contextmanager
def site() -> Iterator[Site]:
    """A site in memory, where a sync costs nothing; gone afterwards."""
    folder = Path(mkdtemp(prefix="mailpolicy-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        made = Site(folder)
        try:
            yield made
        finally:
            made.close()
    finally:
        shutil.rmtree(folder)
