"""Root runs commands in a folder that a hostile user can write too, who acts between any two of its system calls.

Three such folders: sticky as /tmp; of a trusted group, in which the user is; the user's own. Before each call that mailpolicy
makes in a place of its source where it has not been tried yet, each thing that can be planted is planted under each name that the
command has used. What is root's stays as it was, nothing of it gets into the output or becomes readable, and nothing that
the user wrote is run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
from collections.abc import Iterator
from enum import Enum
from itertools import cycle, product
from pathlib import Path
from typing import NamedTuple

import pytest

from mailpolicy.cli.app import root as program
from tests.everything import DATA, EDITS, SILENT, STORE, rows, write_everything
from tests.helpers import NOBODY, Result, needs_root
from tests.real.proof import children
from tests.real.proof.hostile import CANARY, Arena, Attack, Call, Planted, User, fingerprint, readable
from tests.real.proof.promises import Promise, Tried, scaled

pytestmark = pytest.mark.real

SHARDS = scaled(4, 1)
STREAMS = ("questions", "log")  # read line by line as they come, from a FIFO too
SECRETS = ("host.toml", "key", "secrets", "secrets.lock", "cases.toml", "token")
STATUSES = {0, 1, 2, 3, 4, 5, 6, 7, 75}
COMMANDS = [
    *rows(EDITS),
    *rows(SILENT),
    *rows(DATA),
    "secrets rotate --new-key-file newkey",
    "deploy --kick",
    "export postfix-sasl-passwd --output sasl",
    "export dovecot --output out --force",
    "validate accounts.toml --secrets",
]


PLANTED_MEANWHILE = [
    (Planted.HARD, False),
    (Planted.PRIVATE, False),
    (Planted.NOTHING, True),
    (Planted.FILE, False),
    (Planted.LINK, True),
    (Planted.NOTHING, False),
    (Planted.HARD, True),
]


class Folder(Enum):
    STICKY = "a sticky folder"
    GROUP = "a folder of a trusted group"
    OWN = "a folder of the user"


class Before(NamedTuple):
    """How everything was before a command."""

    files: dict[str, tuple[bytes, int]]  # in the shared folder: content and mode
    roots: dict[str, tuple[bytes, int]]


class Machine:
    """The arena, made anew for each command."""

    def __init__(self, base: Path, folder: Folder) -> None:
        self.folder = folder
        shared, roots, etc = base / "shared", base / "root", base / "etc"
        for made in (shared, roots, etc):
            made.mkdir()
        place = shared if folder is Folder.STICKY else etc
        write_everything(place)
        ran = roots / "ran"
        host = (place / "host.toml").read_text()
        group = 'trusted_group = "nogroup"\n' if folder is Folder.GROUP else ""
        (place / "host.toml").write_text(
            f'{group}journal = true\ncases = "{place}/cases.toml"\n{host}reload = ["true"]\nkick = ["echo"]\n'
            f'[exports.sasl]\ntarget = "postfix-sasl-passwd"\npath = "{place}/sasl"\nreload = ["true"]\n'
        )
        (place / "cases.toml").write_text((place / "cases.toml").read_text().replace('"deny"', '"allow"'))
        for path in list(place.iterdir()) if place != shared else ():
            if path.name not in SECRETS:
                path.rename(shared / path.name)
        (shared / "private").write_text(f"password {CANARY}\n")
        (shared / "private").chmod(0o600)
        for path in shared.iterdir():
            if path.name not in (*SECRETS, "private"):
                path.chmod(0o664 if folder is Folder.GROUP else 0o644)
        evil = f'[exports.d]\ntarget = "dovecot"\npath = "{shared}/d"\nreload = ["touch", "{ran}"]\nkick = ["touch", "{ran}"]\n'
        self.arena = Arena(
            shared,
            roots,
            {
                "host.toml": evil.encode(),
                **dict.fromkeys(("accounts.toml", "new.toml"), STORE.replace("10.0.0.0/8", "9.0.0.0/8").encode()),
            },
        )
        self.options = ["--file", "accounts.toml", "--host-config", str(place / "host.toml")]
        self._etc = etc
        self._template = {
            place: {path.name: (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in place.iterdir()}
            for place in (shared, etc)
        }
        self.ran = ran
        (roots / "secret").write_text(f'secret = "{CANARY}"\n')
        (roots / "secret").chmod(0o600)
        (roots / "folder").mkdir()
        (roots / "folder" / "passwd").write_text(f"root:{CANARY}\n")
        (roots / "folder" / "passwd").chmod(0o640)
        self.untouched = fingerprint(roots)

    def renew(self) -> None:
        """Put everything where it was."""
        for place, files in self._template.items():
            shutil.rmtree(place)
            place.mkdir(mode=0o755)
            for name, (content, mode) in files.items():
                descriptor = os.open(place / name, os.O_WRONLY | os.O_CREAT, mode)
                os.write(descriptor, content)
                os.fchmod(descriptor, mode)
                if self.folder is Folder.GROUP and place == self.arena.shared and name != "private":
                    os.fchown(descriptor, 0, NOBODY)
                if (
                    self.folder is Folder.OWN
                    and place == self.arena.shared
                    and name not in ("private", "accounts.toml")
                ):
                    os.fchown(descriptor, NOBODY, NOBODY)
                os.close(descriptor)
        shared = self.arena.shared
        match self.folder:
            case Folder.STICKY:
                shared.chmod(0o1777)
            case Folder.GROUP:
                os.chown(shared, 0, NOBODY)
                shared.chmod(0o2775)
            case Folder.OWN:
                os.chown(shared, NOBODY, NOBODY)

    def run(self, line: str, attack: Attack | None) -> tuple[Result, User]:
        """Run a command beside the user; without an attack the user only looks."""
        self.renew()
        stdin = self._template[self.arena.shared]["stdin"][0]

        def work() -> tuple[Result, list[Call], bool]:
            user = User(self.arena, attack)
            user.watch()
            result = children.command([*self.options, *shlex.split(line)], self.arena.shared, stdin)
            return result, user.calls, user.succeeded

        try:
            result, calls, succeeded = children.in_a_fork(work, 60)
        except children.Failed as failed:
            raise AssertionError(f"{line}, {attack}: {failed}") from None
        seen = User(self.arena, attack)
        seen.calls, seen.succeeded = calls, succeeded
        return result, seen


def require_unharmed(machine: Machine, result: Result, what: object, new: bytes) -> None:
    """What is root's is as it was, nothing of it is seen or given away, and nothing of the user's was run."""
    assert not machine.ran.exists(), what
    assert fingerprint(machine.arena.roots) == machine.untouched, what
    assert CANARY not in result.out + result.err, (what, result)
    assert result.status in STATUSES, (what, result)
    assert "Traceback" not in result.err, (what, result)
    assert result.err or result.out or result.status == 0 or "--quiet" in str(what), (what, result)
    for path in machine.arena.shared.rglob("*"):
        st = path.lstat()
        if stat.S_ISREG(st.st_mode) and readable(st):
            content = path.read_bytes()
            assert CANARY.encode() not in content, (what, path)
            assert b":secret\n" not in content, (what, path)
    if machine.folder is Folder.STICKY:
        store = machine.arena.shared / "accounts.toml"
        st = store.lstat()
        assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (0, 0o644), what
        assert store.read_bytes() == (new if result.status == 0 else STORE.encode()), (what, result)


def attacks(machine: Machine, shard: int) -> Iterator[tuple[str, Attack, bytes]]:
    """Yield what is tried, with the command and the store that it makes.

    Before the first call of each command everything is tried under every name; later at each new place in the source everything
    under the name that the call is about, and something under each name that the command has used before.
    """
    sites: set[object] = set()
    begun: set[object] = set()
    turns = cycle(PLANTED_MEANWHILE)
    number = 0
    for line in COMMANDS[:: scaled(1, 6)]:
        result, seen = machine.run(line, None)
        assert result.status in STATUSES, (line, result)
        new = (machine.arena.shared / "accounts.toml").read_bytes()
        chosen = []
        for name in dict.fromkeys(call.name for call in seen.calls if call.name is not None):
            if (line.split()[0], name) not in begun:
                begun.add((line.split()[0], name))
                chosen += [Attack(1, name, planted) for planted in Planted]
        used: list[str] = []
        for call in seen.calls:
            if call.name is not None and call.name not in used:
                used.append(call.name)
            if (site := (*call.site, role(call.name))) in sites:
                continue
            sites.add(site)
            if call.name is not None:
                chosen += [Attack(call.number, call.name, *how) for how in product(Planted, (False, True))]
            chosen += [Attack(call.number, name, *next(turns)) for name in used if name != call.name]
        for attack in chosen:
            if attack.planted is Planted.FIFO and attack.name in STREAMS:
                continue
            number += 1
            if number % SHARDS == shard:
                yield line, attack, new


def role(name: str | None) -> str | None:
    """Return a name, the same for all exports."""
    return re.sub(r"^(\.?)(d|out|sasl)\b", r"\1export", name) if name is not None else None


@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("folder", Folder)
def test_between_two_calls(folder: Folder, shard: int, tmp_path: Path, tried: Tried) -> None:
    needs_root()
    children.preload()
    program()
    tmp_path.chmod(0o755)
    machine = Machine(tmp_path, folder)
    held = 0
    for number, (line, attack, new) in enumerate(attacks(machine, shard)):
        if number % scaled(1, 16) != 0:
            continue
        result, seen = machine.run(line, attack)
        require_unharmed(machine, result, (line, attack), new)
        held += seen.succeeded
    tried(Promise.PRIVILEGES, held, f"swaps between two calls, in {folder.value}")
