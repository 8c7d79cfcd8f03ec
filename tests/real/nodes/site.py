"""Mail servers in folders that follow one git repository, and the desk on which the policy is written and signed.

Each has the script and the units of docs/systemd, as they are there but for their places, which are in its folder.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.docs.pages import blocks
from tests.helpers import RELAY, ROOT, missing
from tests.sealing import sealed_file

PAGE = "docs/several-nodes.md"
UNITS = ROOT / "docs" / "systemd"
PROGRAM = Path(sys.executable).parent / "mailpolicy"
# A store that names two logins, each of which needs a password where the export `relay` is.
STORE = """\
version = 1

[server]
edition = "pro"
lan = ["10.0.0.0/8"]

[server.smart_host]
host = "smtp.relay.example"
per_account_auth = true

[accounts."alice@example.com"]
pop = true
pop_lan_only = true
smart_host_login = "al"

[accounts."bob@example.com"]
smart_host_login = "bo"
"""
WIDER = STORE.replace("pop_lan_only = true", "pop_lan_only = false")
NO_BOB, BOB = STORE.partition('\n[accounts."bob@example.com"]\n')[0], "bob@example.com"
PASSWORDS = {f"smart-host/{address}/{RELAY}": "secret" for address in ("alice@example.com", BOB)}
_PLACES = re.compile(
    r"(?<![\w/.])/(?:etc/mailpolicy|etc/postfix|etc/systemd/system|root|var/lib/mailpolicy|usr/local)\b"
)
_EXPORT = '[exports.senders]\ntarget = "postfix-sender-login"\npath = "/etc/postfix/sender_login"\n'
# The program of a node, which dies with all that belongs to the run before or after the command that `dies` names.
_PROGRAM = """#!/bin/sh
dies=$(cat {root}/dies 2>/dev/null) || dies=
[ "$dies" != "before $1" ] || kill -KILL 0
{program} "$@"
status=$?
[ "$dies" != "after $1" ] || kill -KILL 0
exit $status
"""


def commands(heading: str) -> list[str]:
    """The blocks for a shell below a heading of the page."""
    found = [block.text for block in blocks(PAGE) if block.kind == "sh" and block.heading == heading]
    assert found, heading
    return found


class Ended(NamedTuple):
    """What a run printed, both streams as they came, without the node's folder, and its status."""

    status: int
    shown: str


class Desk:
    """A clone with the store, a bare repository on the same machine as its origin, and the keys of some people."""

    def __init__(self, folder: Path) -> None:
        for program in ("git", "ssh-keygen", "flock"):
            if shutil.which(program) is None:
                missing(f"{program} is missing: apt install git openssh-client util-linux")
        self.folder = folder
        self.work = folder / "desk"
        self.origin = folder / "policy.git"
        self.environment = {
            "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Ann" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "ann@example.com" for who in ("AUTHOR", "COMMITTER")},
        }
        (folder / "home/.ssh").mkdir(parents=True)
        self.work.mkdir()
        self.git("init", "-q", "--bare", "-b", "main", str(self.origin))
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", str(self.origin))
        self.key("ann").rename(folder / "home/.ssh/id_ed25519")
        (folder / "ann.pub").rename(folder / "home/.ssh/id_ed25519.pub")

    def git(self, *arguments: str, **more: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.work, env=self.environment | more, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def run(self, script: str) -> None:
        """Run a block of the page."""
        done = subprocess.run(
            ["bash", "-euc", script], cwd=self.work, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def key(self, name: str) -> Path:
        """Make a key."""
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
        return path

    def signer(self, public: Path, options: str = 'namespaces="git"') -> str:
        """The line of a key in the file of signers."""
        return f"ann@example.com {options} {public.read_text()}"

    @property
    def ann(self) -> str:
        return self.signer(self.folder / "home/.ssh/id_ed25519.pub")

    def commit(self, text: str | None = None, *options: str, push: bool = True, **more: str) -> str:
        """Commit what there is, with another store if `text` is given, and push it, by force if need be."""
        if text is not None:
            (self.work / "accounts.toml").write_text(text)
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", "policy", *options, **more)
        if push:
            self.push()
        return self.git("rev-parse", "HEAD")

    def push(self, what: str = "HEAD") -> None:
        self.git("push", "-q", "--force", "origin", f"{what}:refs/heads/main")


class Node:
    """A mail server in a folder; `run` runs a script there as root would, `pull` what its unit starts."""

    def __init__(self, root: Path, desk: Desk, page: str) -> None:
        """Set it up with the commands of the page."""
        self.root = root
        self.desk = desk
        for place in ("etc/mailpolicy", "etc/systemd/system", "root", "var/lib/mailpolicy", "usr/local/sbin"):
            (root / place).mkdir(parents=True)
        (root / "usr/local/bin").mkdir()
        program = root / "usr/local/bin/mailpolicy"
        program.write_text(_PROGRAM.format(root=root, program=PROGRAM))
        program.chmod(0o755)
        self.config = root / "etc/mailpolicy/host.toml"
        self.store = root / "etc/mailpolicy/accounts.toml"
        self.senders = root / "etc/postfix/sender_login"
        self.signers = root / "etc/mailpolicy/signers"
        self.repository = root / "var/lib/mailpolicy/policy.git"
        self.signers.write_text(desk.ann)
        self.config.write_text(self.placed(f'repository = "/var/lib/mailpolicy/policy.git"\n{_EXPORT}'))
        self.clone = root / "usr/local/src/mailpolicy"
        (self.clone / "docs/systemd").mkdir(parents=True)
        for path in UNITS.iterdir():
            there = self.clone / "docs/systemd" / path.name
            there.write_text(self.placed(path.read_text()))
        done = self.run(page)
        assert done.status == 0, done.shown

    def placed(self, text: str) -> str:
        """A text of docs/systemd or of the page with the places of this node."""
        text = text.replace("ssh://git@git.example.com/policy.git", str(self.desk.origin))
        return _PLACES.sub(lambda place: f"{self.root}{place[0]}", text)

    def run(self, script: str, **more: str) -> Ended:
        """Run a script as a block of the page."""
        return self._run(["bash", "-euo", "pipefail", "-c", self.placed(script)], more)

    def pull(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
        """Run what the unit runs, in its environment."""
        unit = (self.root / "etc/systemd/system/mailpolicy-pull.service").read_text()
        (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.M)
        settings = dict(setting.split("=", 1) for setting in re.findall(r"^Environment=(.*)$", unit, re.M))
        script = self.root / "usr/local/sbin/mailpolicy-pull"
        assert self.placed(command) == str(script)
        return self._run([str(script), *arguments], {"HOME": self.placed(settings["HOME"]), **(environment or {})})

    def _run(self, command: list[str], more: Mapping[str, str]) -> Ended:
        # In a session of its own, so that `kill 0` ends the run and nothing else.
        done = subprocess.run(
            command,
            cwd=self.clone,
            env={
                "PATH": f"{self.root}/usr/local/sbin:{self.root}/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": str(self.root / "root"),
                "LANG": "C.UTF-8",
                "MAILPOLICY_FILE": str(self.store),
                "MAILPOLICY_HOST_CONFIG": str(self.config),
                "MAILPOLICY_NO_CACHE": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                **more,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
            start_new_session=True,
        )
        return Ended(done.returncode, done.stdout.replace(str(self.root), ""))

    def git(self, *arguments: str) -> str:
        return self.desk.git("-C", str(self.repository), *arguments)

    @property
    def in_force(self) -> str | None:
        """The commit that is in force."""
        found = self.git("for-each-ref", "--format=%(objectname)", "refs/mailpolicy")
        return found or None

    @property
    def policy(self) -> tuple[str | None, str, str]:
        """What may not change if a commit is refused: the commit in force, the store and what was deployed."""
        return self.in_force, self.store.read_text(), self.senders.read_text()

    def die(self, when: str) -> None:
        """Die in the next run, before or after a command of mailpolicy; "" is never."""
        (self.root / "dies").write_text(when)

    def with_secrets(self) -> None:
        """Give it the key of the desk, and an export with passwords."""
        sealed_file(self.desk.folder)
        shutil.copy(self.desk.folder / "key", self.root / "etc/mailpolicy/key")
        (self.root / "etc/mailpolicy/key").chmod(0o400)
        head = (
            'keyring_backend = "mailpolicy.sealed.Keyring"\n'
            'secrets_file = "/var/lib/mailpolicy/secrets"\nkey_file = "/etc/mailpolicy/key"\n'
        )
        relay = '[exports.relay]\ntarget = "postfix-sasl-passwd"\npath = "/etc/postfix/sasl_passwd"\n'
        self.config.write_text(self.placed(head) + self.config.read_text() + self.placed(relay))

    def doctor(self, check: str) -> str:
        """The lines of one check."""
        shown = self.run(f"mailpolicy doctor | grep {shlex.quote(f'^{check}')} || true").shown
        assert shown
        return shown
