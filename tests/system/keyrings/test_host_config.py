"""Check that host.toml names the keyring, and that a bad or unsafe one ends the command."""

from __future__ import annotations

import os
import re

import pytest

from tests.machine import ALICE, FIRST, JSON, Machine, user
from tests.system.keyrings.unnamed import SET, needs_root


def test_host_config_names_the_backend_and_the_service(machine: Machine) -> None:
    machine.host_config.write_text(f'keyring_backend = "{JSON}"\nkeyring_service = "mail of acme"\n')
    assert machine.run(*SET, stdin=FIRST).status == 0
    assert machine.keyring.read_text() == f'{{"mail of acme": {{"{user(ALICE)}": "{FIRST}"}}}}'
    assert machine.run(*SET, "--keyring-backend", "tests.backends.Losing", stdin="other").status == 6  # the option wins


BAD_HOSTS = {
    "unknown key": (b'keyring_backends = "x"\n', "unknown key 'keyring_backends', did you mean keyring_backend?"),
    "policy": (b"version = 1\n", "unknown key 'version'"),
    "wrong type": (b"keyring_backend = 1\n", "keyring_backend must be a string"),
    "not TOML": (b"keyring_backend = \n", "the value is missing after =: "),
    "not UTF-8": (b'keyring_backend = "\xff"\n', "byte 0xff is not UTF-8"),
    "a huge number": (b"keyring_backend = " + b"9" * 5000 + b"\n", "an integer of 5000 digits"),
    "too deep": (b"keyring_backend = " + b"[" * 5000 + b"\n", "nested too deep"),
}


@pytest.mark.parametrize(("content", "message"), BAD_HOSTS.values(), ids=BAD_HOSTS)
def test_a_bad_host_config(machine: Machine, content: bytes, message: str) -> None:
    machine.host_config.write_bytes(content)
    before = machine.untouched()
    for command in (SET, (*SET, "--dry-run")):
        result = machine.run(*command, stdin=FIRST)
        assert (result.status, result.out) == (3, "")
        assert result.err.startswith(f"mailpolicy: {machine.host_config}:1: {message}")
    assert machine.untouched() == before


def test_a_host_config_that_is_not_there(machine: Machine) -> None:
    machine.host_config.unlink()
    assert machine.run(*SET, stdin=FIRST).status == 3


def test_questions_about_policy_do_not_read_the_host_config(machine: Machine) -> None:
    machine.host_config.write_text("broken")
    for command in (
        ["check", ALICE, "pop", "10.0.0.1"],
        ["validate"],
        ["account", "show", ALICE],
    ):
        assert machine.run(*command).status == 0
    assert machine.run("pop", "on", ALICE).status == 3


@needs_root
@pytest.mark.parametrize(("mode", "cure"), [(0o664, "g-w"), (0o646, "go-w")])
def test_root_obeys_no_host_config_that_others_can_write(machine: Machine, mode: int, cure: str) -> None:
    machine.host_config.write_text(f'keyring_backend = "{JSON}"\n')
    machine.host_config.chmod(mode)
    for command in (SET, (*SET, "--dry-run"), ("smart-host", "clear", ALICE)):
        result = machine.run(*command, stdin=FIRST)
        assert (result.status, result.out) == (5, "")
        assert f"chmod {cure} {machine.host_config}" in result.err
    assert machine.calls() == []
    machine.host_config.chmod(0o600)
    os.chown(machine.host_config, 65534, -1)
    assert re.search(f"chown (-h )?root {machine.host_config}", machine.run(*SET, stdin=FIRST).err)


@needs_root
def test_root_obeys_no_host_config_in_a_directory_of_others(machine: Machine) -> None:
    folder = machine.folder / "etc"
    folder.mkdir()
    moved = folder / "host.toml"
    moved.write_text(f'keyring_backend = "{JSON}"\n')
    machine.host_config = moved
    assert machine.run(*SET, stdin=FIRST).status == 0
    folder.chmod(0o775)
    refused = machine.run(*SET, stdin="other")
    assert refused.status == 5
    assert f"chmod g-w {folder}" in refused.err
