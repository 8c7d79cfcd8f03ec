"""Check what is said and put back if a keyring loses, keeps or cannot read a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers import RELAY
from tests.machine import ALICE, BOB, CAROL, FIRST, HAS_LOGIN, SECOND, Machine, user
from tests.sealing import host_config, sealed_file


@pytest.mark.parametrize("backend", ["Losing", "Cutting"])
def test_a_secret_that_is_not_kept(changed: Machine, backend: str) -> None:
    """What was read back differs: exit 6, the store is not written."""
    before = changed.untouched()
    command = ["smart-host", "set", ALICE, "--login", "new", "--password-stdin"]
    result = changed.run(*command, "--keyring-backend", f"tests.backends.{backend}", stdin=SECOND)
    assert (result.status, result.out) == (6, "")
    assert "it returned a different value" in result.err
    assert changed.untouched() == before
    if backend == "Losing":
        assert changed.kept() == {user(ALICE): FIRST}
        assert changed.pending() == []
    else:  # and the old one could not be kept either, which must not be forgotten
        assert "cannot restore the old secret" in result.err
        assert changed.pending() == [user(ALICE)]
        assert "MP061" in changed.run("validate", "--secrets").out


@pytest.mark.parametrize("command", [("account", "remove", ALICE), ("account", "rename", ALICE, CAROL)], ids=" ".join)
def test_a_secret_that_stays(changed: Machine, command: tuple[str, ...]) -> None:
    """The store is changed and the secret does not go: what was done is told, exit 6, and it is not forgotten."""
    result = changed.run(*command, "--keyring-backend", "tests.backends.Clinging")
    assert result.status == 6
    assert "\taccount\tre" in result.out
    assert f"the store was changed, but the secret {user(ALICE)} is still in the keyring" in result.err
    assert HAS_LOGIN not in changed.store.read_text() or CAROL in changed.store.read_text()
    assert changed.pending() == [user(ALICE)]
    assert f"smart-host clear {ALICE}" in changed.run("validate", "--secrets").out
    assert changed.run("smart-host", "clear", ALICE).status == 0
    assert changed.pending() == []


def test_one_secret_of_several_that_stays(changed: Machine) -> None:
    """What went is told and settled, what stays is named."""
    changed.give(BOB)
    result = changed.run("account", "remove", ALICE, BOB, "--keyring-backend", "tests.backends.Picky")
    assert result.status == 6
    assert f"the secret {user(BOB)} is still in the keyring: the keyring failed (ValueError)" in result.err
    removed = [line for line in result.out.splitlines() if "removed from the keyring" in line]
    assert [line.split("\t")[0] for line in removed] == [ALICE]
    assert changed.kept() == {user(BOB): FIRST}
    assert changed.pending() == [user(BOB)]


def test_the_old_secret_of_a_source_that_was_given_another_port_stays(changed: Machine) -> None:
    """What is advised removes it, and neither the source nor its password in force."""
    assert (
        changed.run("multipop", "source", "add", ALICE, "isp", "--host", "pop.isp.example", "--login", "a").status == 0
    )
    assert changed.run("multipop", "source", "set-password", ALICE, "isp", "--password-stdin", stdin=FIRST).status == 0
    command = ("multipop", "source", "set", ALICE, "isp", "--port", "1995", "--yes")
    result = changed.run(*command, "--keyring-backend", "tests.backends.Clinging")
    assert result.status == 6
    assert f"  try: mailpolicy secrets rebind {ALICE}" in result.err
    assert changed.run("secrets", "rebind", ALICE).status == 0
    sources = [user for user in changed.kept() if user.startswith("multipop/")]
    assert sources == [f"multipop/{ALICE}/isp/a@pop.isp.example:1995/implicit"]
    assert changed.pending() == []


def test_an_old_destination_that_stays(changed: Machine) -> None:
    """A second run would find nothing to move, so the secret that is left is named by the first."""
    changed.store.write_text(changed.store.read_text().replace("smtp.relay.example", "new.example"))
    command = ("secrets", "rebind", "--from", RELAY, "--yes")
    result = changed.run(*command, "--keyring-backend", "tests.backends.Clinging")
    assert (result.status, result.out) == (6, "")
    assert f"the passwords have their new destinations, but the secret {user(ALICE)} may still be in" in result.err
    assert changed.kept() == {user(ALICE): FIRST, user(ALICE, "new.example:587"): FIRST}


RAISED = ["set RuntimeError", "set EOFError", "set CalledProcessError", "set ValueError", "set SystemExit"]


@pytest.mark.parametrize("raised", [*RAISED, "get ValueError", "delete CalledProcessError"])
@pytest.mark.parametrize("form", ["--verbose", "--json"])
def test_foreign_exceptions(changed: Machine, raised: str, form: str) -> None:
    """A backend raises and logs the secret: exit 6, one line that names the exception's kind, the secret nowhere."""
    before = changed.untouched()
    command = ["smart-host", "set", ALICE, "--login", "new", "--password-stdin", form]
    if raised.startswith("delete"):
        command = ["account", "remove", ALICE, form]
    options = ["--keyring-backend", "tests.backends.Raising"]
    result = changed.run(*command, *options, stdin=SECOND, environment={"TEST_RAISE": raised})
    assert result.status == 6
    if form == "--json":
        error = json.loads(result.out.splitlines()[-1])
        assert (error["schema"], error["exit"], result.err) == ("mailpolicy.error/1", 6, "")
    else:
        assert f"the keyring failed ({raised.split()[1]})" in result.err
    assert changed.kept() == {user(ALICE): FIRST}
    assert changed.pending() == ([user(ALICE)] if raised.startswith("delete") else [])
    assert (changed.untouched() == before) is not raised.startswith("delete")


@pytest.fixture
def without_key(tmp_path: Path) -> Machine:
    """A server whose master key is only in an encrypted credential, seen from a shell, which does not get it."""
    machine = Machine(tmp_path)
    sealed_file(tmp_path).change("mailpolicy", {user(ALICE): FIRST})
    machine.give(ALICE)
    machine.keyring.unlink()
    config = host_config(tmp_path)
    machine.host_config.write_text(config.replace("key_file", "# key_file"))
    (tmp_path / "key").rename(tmp_path / "credential")
    return machine


WITHOUT_KEY = [
    ("account", "rename", ALICE, CAROL),
    ("account", "remove", ALICE),
    ("smart-host", "clear", ALICE),
    ("smart-host", "set", ALICE, "--login", "new", "--password-stdin"),
    ("secrets", "verify"),
    ("secrets", "list"),
    ("secrets", "rotate"),
    ("secrets", "init"),
]


@pytest.mark.parametrize("command", WITHOUT_KEY, ids=" ".join)
def test_a_sealed_file_whose_key_is_not_here(without_key: Machine, command: tuple[str, ...]) -> None:
    """It is there, so it is not as if there were no keyring: nothing is changed, and what is said brings the key."""
    before = without_key.untouched()
    result = without_key.run(*command, stdin=SECOND)
    assert (result.status, result.out) == (6, "")
    assert f"{without_key.folder / 'secrets'}: cannot open the sealed secrets, no master key found" in result.err
    assert "set key_file in host.toml" in result.err
    assert (
        "try: systemd-run --pty --wait -p LoadCredentialEncrypted=mailpolicy.key mailpolicy secrets verify"
        in result.err
    )
    assert "secrets init" not in result.err
    assert without_key.untouched() == before
    assert without_key.pending() == []


@pytest.mark.parametrize("command", WITHOUT_KEY[:3], ids=" ".join)
def test_a_named_keyring_that_is_not_here(changed: Machine, command: tuple[str, ...]) -> None:
    before = changed.untouched()
    assert changed.run(*command, "--keyring-backend", "keyring.backends.fail.Keyring").status == 6
    assert changed.untouched() == before


def test_doctor_of_a_sealed_file_whose_key_is_not_here(without_key: Machine) -> None:
    told = json.loads(without_key.run("doctor", "--json").out)
    (ill,) = [check for check in told["checks"] if check["state"] == "error" and check["check"] != "permissions"]
    assert ill["check"] == "sealed file"
    assert "no master key found" in ill["message"]
    assert "LoadCredentialEncrypted=mailpolicy.key" in ill["fix"]
    (skipped,) = [check for check in told["checks"] if check["state"] == "skipped"]
    assert (skipped["check"], skipped["message"]) == ("secrets", "the sealed file cannot be opened")
