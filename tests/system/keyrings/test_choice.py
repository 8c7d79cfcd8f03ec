"""Check which keyring is used, and that none is that nobody named or that does not protect."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import keyring
import keyring.core
import pytest
from keyring.backends import SecretService, chainer, fail, null

from mailpolicy.cli.context import DEFAULT_FILE, Context
from mailpolicy.errors import KeyringError
from mailpolicy.secrets.credentials import Credentials, KeyringConfig
from tests.backends import Json, PlaintextKeyring
from tests.machine import ALICE, FIRST, JSON, Machine, user
from tests.system.keyrings.unnamed import SET, needs_root

PLAINTEXT = "tests.backends.PlaintextKeyring"


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The warnings; keyring's own choice is as it was afterwards."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    return []


@pytest.fixture
def nobody() -> list[str]:
    """What stands before a command that is not to run as root: nothing where it would not anyway."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is missing: apt install util-linux")
    # Root's own directories stay readable, as the interpreter may live in one.
    capability = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    prefix = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", *capability]
    if subprocess.run([*prefix, sys.executable, "-c", "import mailpolicy"], check=False).returncode != 0:
        pytest.skip("nobody cannot run this interpreter here")
    return prefix


def trap(machine: Machine) -> Path:
    """A backend that leaves a trace where it is so much as imported."""
    module = machine.folder / "trap.py"
    module.write_text(
        "import pathlib\npathlib.Path(__file__).with_name('trace').touch()\nfrom tests.backends import Json\n"
        "class Trap(Json):\n    priority = 99\n"
    )
    machine.environment["PYTHONPATH"] += f":{machine.folder}"
    return machine.folder / "trace"


def configured(machine: Machine, backend: str) -> None:
    folder = machine.home / "config" / "python_keyring"
    folder.mkdir(parents=True)
    (folder / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring={backend}\nkeyring-path={machine.folder}\n")


@pytest.mark.parametrize("way", ["variable", "configuration"])
def test_somebody_is_refused_what_was_not_named(machine: Machine, nobody: list[str], way: str) -> None:
    if way == "variable":
        machine.environment["PYTHON_KEYRING_BACKEND"] = JSON
    else:
        configured(machine, JSON)
    before = machine.untouched()
    result = machine.run(*SET, stdin=FIRST, prefix=nobody)
    assert (result.status, result.out) == (6, "")
    assert result.err == (
        f"mailpolicy: the keyring backend {JSON} is not known to be safe; to use it: --keyring-backend {JSON}\n"
    )
    assert machine.untouched() == before
    assert machine.calls() == []


@pytest.mark.parametrize("name", ["no.such.Backend", "keyring.backends.SecretService.Keyring", "keyring.backends.null"])
def test_somebody_whose_own_choice_cannot_be_used(machine: Machine, nobody: list[str], name: str) -> None:
    machine.environment["PYTHON_KEYRING_BACKEND"] = name
    result = machine.run(*SET, stdin=FIRST, prefix=nobody)
    assert result.status == 6
    assert "PYTHON_KEYRING_BACKEND or keyringrc.cfg" in result.err
    assert result.err.count("\n") == 1


@needs_root
@pytest.mark.parametrize("way", ["variable", "configuration"])
def test_root_does_not_obey_keyrings_own_settings(machine: Machine, way: str) -> None:
    trace = trap(machine)
    if way == "variable":
        machine.environment["PYTHON_KEYRING_BACKEND"] = "trap.Trap"
    else:
        configured(machine, "trap.Trap")
    result = machine.run(*SET, stdin=FIRST)
    assert result.status == 6
    assert result.err.startswith("mailpolicy: no keyring is available: ")
    assert not trace.exists()
    assert machine.calls() == []
    assert machine.run(*SET, "--keyring-backend", "trap.Trap", stdin=FIRST).status == 0  # the trap works
    assert trace.exists()


@needs_root
def test_under_sudo_the_callers_settings_are_not_obeyed(machine: Machine) -> None:
    machine.environment |= {"SUDO_UID": "1000", "MAILPOLICY_FILE": str(machine.store), "PYTHON_KEYRING_BACKEND": JSON}
    command = [sys.executable, "-m", "mailpolicy", *SET]
    result = machine.run(command=command, stdin=FIRST)
    assert result.err.splitlines()[0] == "note: MAILPOLICY_FILE is ignored under sudo; use --file PATH"
    assert "ours" not in machine.store.read_text()
    assert machine.calls() == []
    if not Path("/etc/mailpolicy/accounts.toml").exists():
        assert result.status == 3
        assert "/etc/mailpolicy/accounts.toml: no such file" in result.err
    del machine.environment["SUDO_UID"]
    assert machine.run(command=[*command, "--keyring-backend", JSON], stdin=FIRST).status == 0


@needs_root
def test_under_sudo_nothing_of_the_callers_session_is_left() -> None:
    environment = {
        "SUDO_UID": "1000",
        "HOME": "/root",
        **dict.fromkeys(("MAILPOLICY_HOST_CONFIG", "MAILPOLICY_FILE", "CREDENTIALS_DIRECTORY"), "/home/caller/x"),
        **dict.fromkeys(("DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS", "DISPLAY", "XDG_RUNTIME_DIR"), "his"),
        **dict.fromkeys(("TMPDIR", "TMP", "TEMP", "PYTHONTZPATH"), "/home/caller/x"),
    }
    context = Context.from_environment({}, environment)
    assert environment == {"SUDO_UID": "1000", "HOME": "/root"}
    assert (context.host_config, context.credentials_folder, context.file) == (None, None, DEFAULT_FILE)
    assert context.ignored == ("MAILPOLICY_HOST_CONFIG", "MAILPOLICY_FILE")


def ask(backend: object, warnings: list[str]) -> str | None:
    keyring.set_keyring(backend)  # type: ignore[arg-type]
    return Credentials(KeyringConfig(timeout=10), warnings.append).get(user(ALICE))


@pytest.mark.parametrize("kind", [Json, PlaintextKeyring, null.Keyring])
def test_an_unnamed_backend_is_refused(found: list[str], kind: type) -> None:
    with pytest.raises(KeyringError, match=f"{kind.__module__}.{kind.__name__} is not known to be safe") as caught:
        ask(kind(), found)
    assert (caught.value.exit_status, caught.value.code) == (6, "unsafe-keyring")


def test_no_backend_at_all(found: list[str]) -> None:
    with pytest.raises(KeyringError, match="no keyring is available") as caught:
        ask(fail.Keyring(), found)
    assert caught.value.code == "no-keyring"


@pytest.mark.parametrize("safe", [True, False])
def test_a_chainer(found: list[str], safe: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain-text one comes first; it is passed over for the safe one, and never asked."""
    monkeypatch.delenv("TEST_KEYRING", raising=False)  # asked, it would raise KeyError
    members = [PlaintextKeyring(), *([SecretService.Keyring()] if safe else [])]
    monkeypatch.setattr(chainer.ChainerBackend, "backends", members)
    with pytest.raises(KeyringError) as caught:
        ask(chainer.ChainerBackend(), found)
    assert caught.value.code == ("no-keyring" if safe else "unsafe-keyring")
    assert (type(keyring.get_keyring()) is SecretService.Keyring) is safe


def test_an_empty_chainer(found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [])
    with pytest.raises(KeyringError, match="no keyring is available"):
        ask(chainer.ChainerBackend(), found)


@pytest.mark.parametrize("name", ["keyring.backends.null.Keyring", PLAINTEXT])
def test_a_named_backend_that_protects_nothing_warns_each_time(machine: Machine, name: str) -> None:
    machine.run("account", "add", "carol@example.com", "--login", "carol")
    for _ in range(2):
        result = machine.run("smart-host", "show", "carol@example.com", "--keyring-backend", name)
        assert result.status == 0
        assert result.err.count(f"warning: the keyring backend {name} does not protect secrets\n") == 1


def test_a_named_chainer_warns_for_what_is_in_it(found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [SecretService.Keyring(), PlaintextKeyring()])
    keyring = Credentials(KeyringConfig("keyring.backends.chainer.ChainerBackend"), found.append)
    with pytest.raises(KeyringError):
        keyring.get(user(ALICE))
    assert found == [f"warning: the keyring backend {PLAINTEXT} does not protect secrets"]


def test_the_null_backend_keeps_nothing(machine: Machine) -> None:
    before = machine.untouched()
    result = machine.run(*SET, "--keyring-backend", "keyring.backends.null.Keyring", stdin=FIRST)
    assert result.status == 6
    assert "it returned a different value" in result.err
    assert machine.untouched() == before


@pytest.mark.parametrize("name", ["no.such.Backend", "tests.backends.Missing", "json.JSONDecoder", "Keyring", "a..b"])
def test_a_name_that_is_no_backend(machine: Machine, name: str) -> None:
    before = machine.untouched()
    result = machine.run(*SET, "--keyring-backend", name, stdin=FIRST)
    assert result.status == 6
    assert result.err.startswith(f"mailpolicy: cannot use the keyring backend '{name}' (")
    assert result.err.count("\n") == 1
    assert machine.untouched() == before
