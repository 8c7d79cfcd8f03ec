"""smart-host, account and validate --secrets against a real, unlocked Secret Service."""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.helpers import RELAY
from tests.machine import ALICE, BOB, CAROL, FIRST, SECOND, user
from tests.real.desktop import Desktop

pytestmark = pytest.mark.real

WHOSE = pytest.mark.parametrize("whose", [ALICE, "--server"])
HOSTILE = {
    "quotes": 'it\'s "quoted" `here`',
    "backslashes": "\\back\\n\\0\\x41\\",
    "blanks": "  two at each end  ",
    "a tab": "a\tb",
    "UTF-8": "pässwörd-密码-🔑",
    "comment": "# no = comment [x]",
    "shell": "$HOME $(id) ${x} %s %(x)s {0} ; & | * ~",
    "controls": "\x01\x1b[31m\x7f",
    "an option": "--password-stdin",
    "four kilobytes": "4k" * 2048,
}


@WHOSE
@pytest.mark.parametrize("way", ["stdin", "file", "prompt", "stdin that is a terminal"])
def test_set(desktop: Desktop, whose: str, way: str) -> None:
    arguments = ["smart-host", "set", whose, "--login", "ours"]
    given = desktop.folder / "given"
    given.write_text(f"{FIRST}\n")
    if way == "stdin":
        result = desktop.run(*arguments, "--password-stdin", stdin=f"{FIRST}\n")
    elif way == "file":
        result = desktop.run(*arguments, "--password-file", str(given))
    elif way == "prompt":
        if whose == "--server":  # an option given would be all that is changed
            desktop.run(*arguments)
            arguments = arguments[:3]
        result = desktop.type(*arguments, answer=FIRST)
    else:
        result = desktop.type(*arguments, "--password-stdin", answer=FIRST)
    assert result.status == 0
    assert "in the keyring" in result.out
    assert FIRST not in result.out + result.err
    assert desktop.secrets() == {user(whose): FIRST}
    assert 'ogin = "ours"' in desktop.store.read_text()
    assert desktop.pending() == []


@WHOSE
def test_the_second_time_there_is_nothing_to_do(desktop: Desktop, whose: str) -> None:
    first = desktop.set(whose)
    assert all(line.endswith("\tchanged") for line in first.out.splitlines())
    assert first.err == ""
    before = desktop.untouched()
    second = desktop.set(whose)
    assert second.status == 0
    assert all(line.endswith("\tok") for line in second.out.splitlines())
    assert desktop.untouched() == before


@WHOSE
def test_another_password(desktop: Desktop, whose: str) -> None:
    desktop.set(whose)
    before = desktop.untouched()
    result = desktop.run("smart-host", "set", whose, "--password-stdin", stdin=SECOND)
    assert result.status == 0
    assert desktop.secrets() == {user(whose): SECOND}
    assert desktop.untouched() == before


@WHOSE
def test_show_and_clear(desktop: Desktop, whose: str) -> None:
    before = desktop.store.read_bytes()
    desktop.set(whose)
    shown = desktop.run("smart-host", "show", whose)
    assert (shown.status, shown.err) == (0, "")
    assert "password\tin the keyring\n" in shown.out
    assert json.loads(desktop.run("smart-host", "show", whose, "--json").out)["password"] == "in the keyring"
    cleared = desktop.run("smart-host", "clear", whose)
    assert (cleared.status, cleared.err) == (0, "")
    assert desktop.secrets() == {}
    assert desktop.store.read_bytes() == before
    again = desktop.run("smart-host", "clear", whose)
    assert again.status == 0
    assert again.out.endswith("\tok\n")
    assert "password\tnone needed\n" in desktop.run("smart-host", "show", whose).out


def test_remove_takes_the_secret_along(desktop: Desktop) -> None:
    desktop.give(ALICE)
    desktop.give(BOB, SECOND)
    result = desktop.run("account", "remove", ALICE)
    assert (result.status, result.err) == (0, "")
    assert "removed from the keyring" in result.out
    assert desktop.secrets() == {user(BOB): SECOND}
    assert desktop.pending() == []


def test_rename_moves_the_secret(desktop: Desktop) -> None:
    desktop.give(ALICE)
    result = desktop.run("account", "rename", ALICE, CAROL)
    assert (result.status, result.err) == (0, "")
    assert "moved in the keyring" in result.out
    assert desktop.secrets() == {user(CAROL): FIRST}
    assert f'[accounts."{CAROL}"]' in desktop.store.read_text()
    assert desktop.pending() == []


def test_validate_finds_a_login_without_a_password(desktop: Desktop) -> None:
    assert desktop.run("account", "add", CAROL, "--login", "carol").status == 0
    warned = desktop.run("validate", "--secrets")
    assert warned.status == 0
    assert [line.partition(": ")[2] for line in warned.out.splitlines()] == [
        f"warning[MP060]: the smart-host password of {CAROL} is not in the keyring for {RELAY}: mailpolicy smart-host set {CAROL}"
    ]
    assert desktop.run("validate", "--secrets", "--strict").status == 1
    assert desktop.run("validate", "--strict").status == 0
    assert desktop.run("smart-host", "set", CAROL, "--password-stdin", stdin=FIRST).status == 0
    quiet = desktop.run("validate", "--secrets", "--strict")
    assert (quiet.status, quiet.out) == (0, "")


@pytest.mark.parametrize("secret", HOSTILE.values(), ids=HOSTILE)
def test_hostile_passwords(desktop: Desktop, secret: str) -> None:
    desktop.known.append(secret)
    result = desktop.set(ALICE, secret)
    assert result.status == 0
    assert desktop.secrets() == {user(ALICE): secret}


def test_hostile_password_at_the_prompt(desktop: Desktop) -> None:
    secret = "pässwörd \\ '\" #$密"
    desktop.known.append(secret)
    assert desktop.type("smart-host", "set", ALICE, "--login", "ours", answer=secret).status == 0
    assert desktop.secrets() == {user(ALICE): secret}


def test_no_secret_in_any_output(desktop: Desktop) -> None:
    """What every run printed, and every file, is searched when the desktop is cleared away."""
    for options in (["--verbose"], ["--verbose", "--json"]):
        assert desktop.set(ALICE, SECOND, "--dry-run", *options).status == 0
        assert desktop.set(ALICE, FIRST, *options).status == 0
        assert desktop.run("smart-host", "show", ALICE, *options).status == 0
        assert desktop.run("validate", "--secrets", *options).status == 0
        assert desktop.run("account", "rename", ALICE, CAROL, *options).status == 0
        assert desktop.run("smart-host", "clear", CAROL, *options).status == 0
        assert desktop.run("account", "rename", CAROL, ALICE).status == 0
    assert desktop.seen
    assert desktop.secrets() == {}


def test_json_of_a_password_alone(desktop: Desktop) -> None:
    desktop.give(ALICE)
    told = json.loads(desktop.run("smart-host", "set", ALICE, "--password-stdin", "--json", stdin=SECOND).out)
    assert told["changes"] == [{"address": ALICE, "key": "password", "old": None, "new": None}]


CHAINED = """
import keyring
from keyring.backends.chainer import ChainerBackend
import tests.backends
from mailpolicy.secrets.credentials import KeyringConfig, Credentials
chainer = ChainerBackend()
assert type(chainer.backends[0]).__name__ == "PlaintextKeyring", chainer.backends
keyring.set_keyring(chainer)
Credentials(KeyringConfig(), print).set("smart-host/@server/smtp.relay.example:587", input())
"""


def test_in_a_chainer_the_safe_one_is_used(desktop: Desktop) -> None:
    done = desktop.run(command=[sys.executable, "-c", CHAINED], stdin=FIRST)
    assert (done.status, done.out, done.err) == (0, "", "")
    assert desktop.secrets() == {user("--server"): FIRST}
    assert desktop.calls() == []
    assert not desktop.keyring.exists()


def test_another_service_name(desktop: Desktop) -> None:
    desktop.host_config.write_text('keyring_service = "other"\n')
    assert desktop.set(ALICE).status == 0
    assert desktop.secrets() == {}
    assert "password\tin the keyring\n" in desktop.run("smart-host", "show", ALICE).out


def test_a_password_from_a_process_substitution(desktop: Desktop) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{FIRST}\n".encode())
    os.close(writing)
    result = desktop.run(
        "smart-host", "set", ALICE, "--login", "ours", "--password-file", f"/dev/fd/{reading}", pass_fds=[reading]
    )
    os.close(reading)
    assert result.status == 0
    assert desktop.secrets() == {user(ALICE): FIRST}


def test_writers_beside_each_other(desktop: Desktop) -> None:
    """Secrets of several accounts set at once: none is lost, and no note stays behind."""
    several = [f"user{number}@example.com" for number in range(4)]
    assert desktop.run("account", "add", *several).status == 0
    runs = []
    for address in several:
        run = desktop.start("smart-host", "set", address, "--login", "ours", "--password-stdin")
        assert run.stdin is not None
        run.stdin.write(FIRST.encode())
        run.stdin.close()
        run.stdin = None
        runs.append(run)
    for run in runs:
        out, err = run.communicate(timeout=60)
        desktop.seen += (out + err).decode()
        assert run.returncode == 0
    assert desktop.secrets() == {user(address): FIRST for address in several}
    assert desktop.store.read_text().count("smart_host_login") == len(several)
    assert desktop.pending() == []


def test_rebind_finds_what_the_secret_service_has(desktop: Desktop) -> None:
    """It can list its names, so nobody must say where the password was sent so far."""
    desktop.give(ALICE)
    desktop.store.write_text(desktop.store.read_text().replace("smtp.relay.example", "new.example"))
    assert "mailpolicy secrets rebind" in desktop.run("smart-host", "show", ALICE).err
    assert desktop.run("secrets", "rebind", "--yes").status == 0
    assert desktop.secrets() == {user(ALICE, "new.example:587"): FIRST}
