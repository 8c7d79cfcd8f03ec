"""A small machine of the tests' own: a home, a store, perhaps a keyring, and mailpolicy run in it as a program.

Promises: `seen` is everything that was printed; `leaks` looks for a secret in all of it and in every file but the keyring's.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.helpers import PROGRAM, RELAY, ROOT, Result

JSON = "tests.backends.Json"
ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
HAS_LOGIN = 'smart_host_login = "ours"'  # what `Machine.give` writes
FIRST, SECOND = "s3cret-of-yesterday", "s3cret-of-today"

STORE = """\
version = 1

[server]
edition = "pro"
outlook_connector_installed = true
multipop = true
lan = ["10.0.0.0/8"]

[server.smart_host]
host = "smtp.relay.example"
port = 587
per_account_auth = true

[defaults]
imap = true

# Alice, second floor
[accounts."alice@example.com"]
pop = true

[accounts."bob@example.com"]
pop = true
"""


def user(whose: str, relay: str = RELAY) -> str:
    """The keyring's user name for an account's password, or for `--server`."""
    return f"smart-host/{'@server' if whose == '--server' else whose}/{relay}"


class Machine:
    """One machine in one folder; `backend` is named with every command where it is not None."""

    def __init__(self, folder: Path, backend: str | None = None) -> None:
        self.folder = folder
        self.backend = backend
        self.store = folder / "accounts.toml"
        self.store.write_text(STORE, encoding="utf-8")
        self.host_config = folder / "host.toml"
        self.host_config.write_text("", encoding="utf-8")
        self.keyring = folder / "keyring.json"
        self.home = folder / "home"
        self.home.mkdir(mode=0o700)
        self.environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "PYTHONPATH": str(ROOT),
            "TEST_KEYRING": str(self.keyring),
            "TEST_STORE": str(self.store),
        }
        self.known = [FIRST, SECOND]
        self.seen = ""

    def options(self) -> list[str]:
        """What says which machine it is."""
        backend = ["--keyring-backend", self.backend] if self.backend is not None else []
        return ["--file", str(self.store), "--host-config", str(self.host_config), *backend]

    def command(self, *arguments: str) -> list[str]:
        """The command line of a run."""
        options = self.options()
        if "--keyring-backend" in arguments and self.backend is not None:
            options = options[:-2]
        return [*PROGRAM, *options, *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin a run and go on."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command(*arguments), stdin=pipe, stdout=pipe, stderr=pipe, cwd=self.folder, env=self.environment
        )

    def run(self, *arguments: str, stdin: str | bytes = "", **settings: Any) -> Result:
        """Run mailpolicy to its end.

        `prefix` stands before the command, `source` is an open file for stdin; the rest goes to subprocess.run.
        """
        source = settings.pop("source", None)
        feed = {"stdin": source} if source else {"input": stdin.encode() if isinstance(stdin, str) else stdin}
        command = [*settings.pop("prefix", ()), *settings.pop("command", self.command(*arguments))]
        environment = self.environment | settings.pop("environment", {})
        done = subprocess.run(
            command,
            **feed,
            capture_output=True,
            cwd=self.folder,
            env=environment,
            timeout=60,
            check=False,
            **settings,
        )
        return self.note(Result(done.returncode, done.stdout.decode(), done.stderr.decode()))

    def note(self, result: Result) -> Result:
        """Remember what a run printed."""
        self.seen += result.out + result.err
        return result

    def set(self, whose: str, secret: str = FIRST, *options: str, **settings: Any) -> Result:
        """Give an account or `--server` a login and a password."""
        arguments = ("smart-host", "set", whose, "--login", "ours", "--password-stdin", *options)
        return self.run(*arguments, stdin=f"{secret}\n", **settings)

    def type(self, *arguments: str, answer: str, again: str | None = None) -> Result:
        """Run at a real terminal, where somebody types `answer` at the prompt; all that the terminal shows is `out`.

        The password is asked for twice: `again` is the second answer where that is another one.
        """
        screen = io.StringIO()
        program, *rest = self.command(*arguments)
        child = pexpect.spawn(
            program, rest, cwd=str(self.folder), env=self.environment, encoding="utf-8", timeout=30, logfile=None
        )
        child.logfile_read = screen
        child.expect("password for .*: ")
        child.sendline(answer)
        if child.expect([r"\(again\): ", pexpect.EOF]) == 0:
            child.sendline(answer if again is None else again)
            child.expect(pexpect.EOF)
        child.close()
        return self.note(Result(child.exitstatus, screen.getvalue(), ""))

    def kept(self) -> dict[str, str]:
        """What the JSON keyring of tests/backends.py keeps, by user name."""
        services = json.loads(self.keyring.read_text(encoding="utf-8")) if self.keyring.exists() else {}
        return services.get("mailpolicy", {})  # type: ignore[no-any-return]

    def keep(self, whose: str, secret: str = FIRST, relay: str = RELAY) -> None:
        """Put a secret into the JSON keyring."""
        kept = {**self.kept(), user(whose, relay): secret}
        self.keyring.write_text(json.dumps({"mailpolicy": kept}), encoding="utf-8")

    def give(self, whose: str, secret: str = FIRST) -> None:
        """An account's login `ours` and its password, as set before."""
        header = f'[accounts."{whose}"]\n'
        text = self.store.read_text(encoding="utf-8")
        assert header in text
        self.store.write_text(text.replace(header, f"{header}{HAS_LOGIN}\n"), encoding="utf-8")
        self.keep(whose, secret)

    def here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the JSON keyring be used in this process too."""
        for name in ("TEST_KEYRING", "TEST_STORE"):
            monkeypatch.setenv(name, self.environment[name])

    def calls(self) -> list[dict[str, str]]:
        """What the JSON keyring was asked so far: the call, the user name and the store's text at that time."""
        journal = Path(f"{self.keyring}.calls")
        return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []

    def pending(self) -> list[str]:
        """What is written down about unfinished changes."""
        note = Path(f"{self.store}.pending")
        return note.read_text(encoding="utf-8").split() if note.exists() else []

    def untouched(self) -> tuple[bytes, int, int]:
        """What stays the same where the store was not written."""
        facts = self.store.stat()
        return self.store.read_bytes(), facts.st_ino, facts.st_mtime_ns

    def leaks(self) -> list[str]:
        """Where one of the secrets can be read: in what was printed, or in a file that is not the keyring's."""
        secrets = [form for secret in self.known for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1])]
        found = [f"printed: {secret}" for secret in secrets if secret in self.seen]
        for path in self.folder.rglob("*"):
            if path.is_file() and path != self.keyring and path.suffix != ".keyring" and path.name != "given":
                content = path.read_bytes()
                found += [f"{path}: {secret}" for secret in secrets if secret.encode() in content]
        return found
