"""Keyring backends of the tests' own, named by --keyring-backend: one that keeps a JSON file, and its bad relatives.

TEST_KEYRING names the JSON file; each call is written down beside it, with the text of TEST_STORE at that time.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from keyring.backend import KeyringBackend
from keyring.backends import SecretService


class Json(KeyringBackend):
    """Keeps what it is given, in a JSON file."""

    priority = 1

    def _services(self) -> dict[str, dict[str, str]]:
        path = Path(os.environ["TEST_KEYRING"])
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def _keep(self, services: dict[str, dict[str, str]]) -> None:
        Path(os.environ["TEST_KEYRING"]).write_text(json.dumps(services), encoding="utf-8")

    def _write_down(self, call: str, username: str) -> None:
        store = Path(os.environ["TEST_STORE"]).read_text(encoding="utf-8")
        with open(os.environ["TEST_KEYRING"] + ".calls", "a", encoding="utf-8") as journal:
            journal.write(json.dumps({"call": call, "user": username, "store": store[:1000]}) + "\n")

    def get_password(self, service: str, username: str) -> str | None:
        self._write_down("get", username)
        return self._services().get(service, {}).get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write_down("set", username)
        services = self._services()
        services.setdefault(service, {})[username] = password
        self._keep(services)

    def delete_password(self, service: str, username: str) -> None:
        self._write_down("delete", username)
        services = self._services()
        del services[service][username]
        self._keep(services)


class Beside(Json):
    """Has another command run when it is asked to do what TEST_BESIDE says: `get 2` for the second time, and the command's arguments."""

    calls = 0

    def _write_down(self, call: str, username: str) -> None:
        super()._write_down(call, username)
        when, *command = json.loads(os.environ["TEST_BESIDE"])
        kind, _, number = when.partition(" ")
        Beside.calls += call == kind
        told = Path(os.environ["TEST_KEYRING"] + ".beside")
        if call == kind and Beside.calls == int(number or 1) and not told.exists():
            told.touch()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            told.write_text(json.dumps([done.returncode, done.stdout + done.stderr]), encoding="utf-8")


class Alias(Json):
    """Another name for the same JSON file."""


class Layered(Json):
    """Keeps in a file of its own, and shows what is in the other one too, as a chainer does."""

    def _own(self) -> dict[str, str]:
        path = Path(os.environ["TEST_KEYRING"] + ".own")
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def _keep_own(self, own: dict[str, str]) -> None:
        Path(os.environ["TEST_KEYRING"] + ".own").write_text(json.dumps(own), encoding="utf-8")

    def get_password(self, service: str, username: str) -> str | None:
        return self._own().get(username) or super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self._keep_own({**self._own(), username: password})

    def delete_password(self, service: str, username: str) -> None:
        own = self._own()
        del own[username]
        self._keep_own(own)


class Sharing(Layered):
    """Keeps passwords in the JSON file and everything else in its own: no trial tells that there is one file."""

    def set_password(self, service: str, username: str, password: str) -> None:
        if username.startswith("smart-host/"):
            Json.set_password(self, service, username, password)
        else:
            super().set_password(service, username, password)


class Remembering(Json):
    """Reads the file once, and from then on writes what it has in mind."""

    _mind: dict[str, dict[str, str]] | None = None

    def _services(self) -> dict[str, dict[str, str]]:
        if self._mind is None:
            self._mind = super()._services()
        return self._mind


class RememberingToo(Remembering):
    """The same by another name."""


class PlaintextKeyring(Json):
    """Called like the one of keyrings.alt, and preferred to every other backend."""

    priority = 20


class Losing(Json):
    """Forgets what it is given."""

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write_down("set", username)


class Cutting(Json):
    """Keeps the beginning of what it is given."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password[:3])


class Clinging(Json):
    """Removes nothing."""

    def delete_password(self, service: str, username: str) -> None:
        self._write_down("delete", username)


class Picky(Json):
    """Removes nothing of Bob's."""

    def delete_password(self, service: str, username: str) -> None:
        if "bob" in username:
            raise ValueError(username)
        super().delete_password(service, username)


class Raising(Json):
    """Raises what TEST_RAISE names (CALL EXCEPTION), with every secret it knows in the message."""

    def _perhaps(self, call: str, *secrets: str | None) -> None:
        wanted, _, kind = os.environ["TEST_RAISE"].partition(" ")
        if wanted != call:
            return
        text = f"cannot keep {secrets}"
        logging.getLogger("backend").error("%s", text)
        if kind == "CalledProcessError":
            raise subprocess.CalledProcessError(1, ["pass", text], text, text)
        raise {"RuntimeError": RuntimeError, "EOFError": EOFError, "ValueError": ValueError, "SystemExit": SystemExit}[
            kind
        ](text)

    def get_password(self, service: str, username: str) -> str | None:
        secret = super().get_password(service, username)
        self._perhaps("get", secret)
        return secret

    def set_password(self, service: str, username: str, password: str) -> None:
        self._perhaps("set", password)
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        self._perhaps("delete", *self._services()[service].values())
        super().delete_password(service, username)


class Hanging(Json):
    """Never answers."""

    def get_password(self, service: str, username: str) -> str | None:
        threading.Event().wait()
        return None


class Stalling(Json):
    """Reads, and never answers when it is to keep something."""

    def set_password(self, service: str, username: str, password: str) -> None:
        threading.Event().wait()


class Locking(Json):
    """Takes the store's lock when a secret is kept, as another writer may."""

    _held: Any = None

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password)
        if Locking._held is None:
            Locking._held = open(os.environ["TEST_STORE"] + ".lock", "w")  # noqa: SIM115 - held until the end
            fcntl.flock(Locking._held, fcntl.LOCK_EX)


class Racing(Json):
    """Puts TEST_RIVAL in the store's place when a secret is kept, as another writer may."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password)
        rival = Path(os.environ["TEST_RIVAL"])
        if rival.exists():
            os.replace(rival, os.environ["TEST_STORE"])


class Terminating(Json):
    """Ends its own process with SIGTERM when the first secret is kept."""

    _done = False

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password)
        if not Terminating._done:
            Terminating._done = True
            os.kill(os.getpid(), signal.SIGTERM)


class TerminatingTwice(Json):
    """Ends its own process with SIGTERM whenever a secret is kept, also when the old one is put back."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password)
        os.kill(os.getpid(), signal.SIGTERM)


class Late(Json):
    """Is still at work on the first secret when SIGTERM ends the command; who asks meanwhile gets the old one."""

    _begun = False
    _asked, _kept = threading.Event(), threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        secret = super().get_password(service, username)
        if Late._begun:
            Late._asked.set()
            Late._kept.wait(5)
        return secret

    def set_password(self, service: str, username: str, password: str) -> None:
        if not Late._begun:
            Late._begun = True
            Late._asked.wait(0.2)  # until the command waits for us
            os.kill(os.getpid(), signal.SIGTERM)
            Late._asked.wait(0.5)
        super().set_password(service, username, password)
        Late._kept.set()


class Interrupted(Stalling):
    """Gets a signal, and never answers."""

    def set_password(self, service: str, username: str, password: str) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        super().set_password(service, username, password)


class Dying(SecretService.Keyring):
    """The Secret Service, and the end of its own process at the moment that TEST_DIE names: kept, or removing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password)
        if os.environ["TEST_DIE"] == "kept":
            os.kill(os.getpid(), signal.SIGKILL)

    def delete_password(self, service: str, username: str) -> None:
        if os.environ["TEST_DIE"] == "removing":
            os.kill(os.getpid(), signal.SIGKILL)
        super().delete_password(service, username)
