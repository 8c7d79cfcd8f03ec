"""The commands that make tokens, `[tokens.NAME]` in host.toml: its mistakes, and what `doctor` says of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.secrets.tokens import BY_TOKEN, PRINT, add, define, with_tokens
from tests.machine import ALICE, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with with_tokens(tmp_path) as machine:
        yield machine


def doctor(machine: Machine) -> list[tuple[str, str, str | None, str | None]]:
    told = json.loads(machine.run("doctor", "--json").out)["checks"]
    return [
        (check["state"], check["message"], check["fix"], check["step"]) for check in told if check["check"] == "tokens"
    ]


def test_doctor_of_tokens(machine: Machine) -> None:
    assert doctor(machine) == []
    add(machine, *BY_TOKEN)
    script = define(machine, f"touch {machine.folder}/ran", 'hosts = ["POP.work.example"]')
    assert doctor(machine) == [("ok", f"tokens.work: {script}, for 1 source", None, None)]
    script.chmod(0o644)
    assert doctor(machine)[0][:3] == ("error", f"tokens.work: {script} cannot be executed", f"chmod a+x {script}")
    script.chmod(0o777)
    if os.geteuid() == 0:
        assert (doctor(machine)[0][0], doctor(machine)[0][2]) == ("error", f"chmod go-w {script}")
    script.unlink()
    assert doctor(machine)[0][:2] == ("error", f"tokens.work: {script} is missing")
    define(machine, "true")
    (state, message, _, step) = doctor(machine)[0]
    assert (state, message) == ("warning", "tokens.work: its token is sent to whatever server the store names")
    assert step is not None
    define(machine, "true", 'hosts = ["pop.other.example"]')
    assert doctor(machine)[0][0] == "error"
    assert doctor(machine)[0][1].startswith(f"{ALICE}/work: a token of tokens.work may be sent to pop.other.example")
    machine.host_config.write_text("")
    assert doctor(machine)[0][:2] == ("error", f"there is no [tokens.work], which {ALICE}/work needs")
    assert not (machine.folder / "ran").exists()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[tokens.work]\n", "command must be an array of strings"),
        ("[tokens.work]\ncommand = []\n", "command must be an array of strings"),
        ("[tokens.work]\ncommand = '/bin/true'\n", "command must be an array of strings"),
        ("[tokens.work]\ncommand = ['/bin/true', 1]\n", "command must be an array of strings"),
        ("[tokens.work]\ncommand = ['true']\n", "the program must be an absolute path"),
        ("[tokens.work]\ncommand = ['/bin/true', '{user}']\n", "{user} stands for nothing, only {login} does"),
        ("[tokens.work]\ncommand = ['/bin/{login}']\n", "{login} cannot be part of the program"),
        ("[tokens.work]\ncomand = ['/bin/true']\n", "unknown key 'comand', did you mean command?"),
        ("[tokens.work]\ncommand = ['/bin/true']\nhosts = []\n", "hosts must be an array of strings"),
        ("[tokens.work]\ncommand = ['/bin/true']\nhosts = ['a b']\n", "not a domain name"),
        ("[tokens.'Work']\ncommand = ['/bin/true']\n", "'Work' is not the name of a token"),
        ("[tokens]\nwork = 1\n", "tokens.work must be a table"),
        ("tokens = 1\n", "tokens must be a table"),
    ],
)
def test_an_error_in_host_toml_ends_what_reads_it(machine: Machine, table: str, message: str) -> None:
    before = machine.store.read_bytes()
    machine.host_config.write_text(table)
    failed = machine.run("pop", "off", ALICE)
    assert failed.status == 3
    assert message in failed.err
    assert f"{machine.host_config}:" in failed.err
    assert machine.store.read_bytes() == before


def test_a_program_with_arguments_of_its_own(machine: Machine) -> None:
    words = ["/bin/sh", "-c", 'echo "$0-$1"', "scope={}", "u={login}"]
    machine.host_config.write_text(f"[tokens.work]\ncommand = {json.dumps(words)}\n")
    add(machine, *BY_TOKEN)
    assert machine.run(*PRINT).out == "scope={}-u=alice@work.example\n"
