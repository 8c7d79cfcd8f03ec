"""A machine of root's whose files are in a folder that a hostile user can write: sticky, of a trusted group, or the user's own."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from enum import Enum
from pathlib import Path

from tests.everything import DATA, EDITS, SILENT, STORE, rows, write_everything
from tests.helpers import NOBODY, Result
from tests.real.proof.privileges import children
from tests.real.proof.privileges.user import CANARY, Arena, Attack, Call, User, fingerprint, readable

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


class Folder(Enum):
    STICKY = "a sticky folder"
    GROUP = "a folder of a trusted group"
    OWN = "a folder of the user"


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
        self._template = {
            place: {path.name: (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in place.iterdir()}
            for place in (shared, etc)
        }
        self.stdin = (shared / "stdin").read_bytes()
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

    def protects(self, name: str) -> bool:
        """Return whether the user can do nothing about a name, as root's file has it in a sticky folder."""
        return self.folder is Folder.STICKY and name in self._template[self.arena.shared]

    def run(self, line: str, attack: Attack | None = None) -> tuple[Result, User]:
        """Run a command beside the user; without an attack the user only looks."""
        self.renew()

        def work() -> tuple[Result, list[Call], bool]:
            user = User(self.arena, attack)
            user.watch()
            result = children.command([*self.options, *shlex.split(line)], self.arena.shared, self.stdin)
            return result, user.calls, user.succeeded

        try:
            result, calls, succeeded = children.in_a_fork(work, 60)
        except children.Failed as failed:
            raise AssertionError(f"{line}, {attack}: {failed}") from None
        seen = User(self.arena, attack)
        seen.calls, seen.succeeded = calls, succeeded
        return result, seen


def require_unharmed(machine: Machine, result: Result, what: object, new: bytes | None = None) -> None:
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
    if machine.folder is Folder.STICKY and new is not None:
        store = machine.arena.shared / "accounts.toml"
        st = store.lstat()
        assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (0, 0o644), what
        assert store.read_bytes() == (new if result.status == 0 else STORE.encode()), (what, result)
