"""smart-host import: many logins and passwords in one edit and one write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers import RELAYED, Run
from tests.machine import ALICE, BOB, FIRST, SECOND, Machine, user
from tests.sealing import options, sealed_file

LINES = "".join(json.dumps({"address": address, "login": "ours", "password": FIRST}) + "\n" for address in (ALICE, BOB))


def test_all_at_once(machine: Machine) -> None:
    dry = machine.run("smart-host", "import", "-", "--dry-run", stdin=LINES)
    assert (dry.status, machine.calls()) == (0, [])
    assert "2 passwords would be set, if the keyring accepts them" in dry.err
    done = machine.run("smart-host", "import", "-", stdin=LINES)
    assert done.out == "".join(
        f"{address}\t{item}\tchanged\n"
        for item in ("smart-host\tlogin ours", "smart-host password\tin the keyring")
        for address in (ALICE, BOB)
    )
    assert machine.kept() == {user(ALICE): FIRST, user(BOB): FIRST}
    assert machine.pending() == []
    before = machine.untouched()
    assert "changed" not in machine.run("smart-host", "import", "-", stdin=LINES).out
    # The login may stay as it is.
    one = json.dumps({"address": ALICE, "password": SECOND})
    assert machine.run("smart-host", "import", "-", stdin=one).status == 0
    assert machine.kept() == {user(ALICE): SECOND, user(BOB): FIRST}
    assert machine.untouched() == before


BAD = [
    (f'{{"address": "{ALICE}", "password": "{FIRST}"}}', 5, f"-:1: {ALICE} has no login yet: add one"),
    (
        f'{{"address": "{ALICE}", "password": "{FIRST}"}}\n{{"address": "nora@example.com", "login": "n", "password": "x"}}',
        4,
        f"-:1: {ALICE} has no login yet: add one to the line\n-:2: no account nora@example.com\n",
    ),
    ("\n", 2, "-:1: there is nothing in it"),
    (f'{{"address": "nora@example.com", "login": "n", "password": "{FIRST}"}}', 4, "-:1: no account nora@example.com"),
    (f'{{"address": "{ALICE}", "login": "n"}}', 2, f"-:1: {ALICE}: there is no password"),
    (f'{{"address": "{ALICE}", "login": "n", "password": 3}}', 2, f"-:1: {ALICE}: there is no password"),
    (f'{{"address": "{ALICE}", "login": " {FIRST}", "password": "x"}}', 2, f"-:1: {ALICE}: the login has 1 to 255"),
    (f'{{"address": "{ALICE}", "login": 3, "password": "x"}}', 2, f"-:1: {ALICE}: the login has 1 to 255"),
    (
        f'{{"address": "{ALICE}", "pasword": "{FIRST}"}}',
        2,
        f"-:1: {ALICE}: there are other keys than address, login and",
    ),
    (f'{{"address": "{ALICE}", "login": "n", "password": "{FIRST}\\n"}}', 2, "the password contains a newline"),
    (f'{{"address": "{ALICE}", "login": "n", "password": ""}}', 2, "the password is empty"),
    (f'{{"address": "{FIRST}", "password": "x"}}', 2, "-:1: this is not an address: it has no @"),
    (f"{ALICE}:{FIRST}", 2, "-:1: this is not JSON"),
    (f'{{"login": "n", "password": "{FIRST}"}}', 2, "-:1: the object has no address"),
    (LINES + LINES, 2, f"-:3: {ALICE} already stands in line 1"),
]


@pytest.mark.parametrize(("text", "status", "why"), BAD)
def test_all_or_nothing(machine: Machine, text: str, status: int, why: str) -> None:
    before = machine.untouched()
    result = machine.run("smart-host", "import", "-", stdin=text)
    assert (result.status, why in result.err) == (status, True)
    assert FIRST not in result.err
    assert (machine.untouched(), machine.kept()) == (before, {})


def test_passwords_come_from_stdin_only(machine: Machine) -> None:
    refused = machine.run("smart-host", "import", "logins.ndjson")
    assert (refused.status, "smart-host import - < FILE" in refused.err) == (2, True)


def test_the_sealed_file_is_written_once(program: Run, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(RELAYED)
    file = sealed_file(tmp_path)
    machine = options(tmp_path)

    def writes() -> int:
        return int((tmp_path / "secrets").read_bytes().partition(b"\n")[0].split()[-1])  # the head counts them

    before = writes()
    assert program("--file", "accounts.toml", *machine, "smart-host", "import", "-", stdin=LINES).status == 0
    assert writes() == before + 1
    assert len(file.get_all()["mailpolicy"]) == 2
