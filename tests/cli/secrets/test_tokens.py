"""Sources that log in with a token: their commands, and what a token is not, a secret that anything keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.secrets.tokens import BY_TOKEN, PRINT, SENTINEL, SOURCE, WORK, add, define, with_tokens
from tests.machine import ALICE, BOB, FIRST, Machine

KEPT = f"multipop/{ALICE}/work/alice@work.example@pop.work.example:995/implicit"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with with_tokens(tmp_path) as machine:
        yield machine


def test_the_token_is_printed_where_the_policy_allows_the_source(machine: Machine) -> None:
    added = machine.run(*SOURCE, "add", ALICE, "work", *WORK, *BY_TOKEN)
    assert added.out == f"{ALICE}\tsource work\tadded\tchanged\n"
    assert added.err == ""  # no password is missing
    assert 'login = "alice@work.example"\nauth = "xoauth2"\ntoken = "work"\n' in machine.store.read_text()
    assert machine.run(*PRINT) == (0, "token-for-alice@work.example\n", "")
    assert machine.calls() == []  # no keyring was asked
    for closing in (
        ("multipop", "off", ALICE),
        ("account", "suspend", ALICE),
        ("server", "set", "multipop", "off"),
        (*SOURCE, "set", ALICE, "work", "--disabled"),
    ):
        before = machine.store.read_bytes()
        assert machine.run(*closing).status == 0
        refused = machine.run(*PRINT)
        assert (refused.status, refused.out) == (5, "")
        assert f"{ALICE} must not collect from work: " in refused.err
        machine.store.write_bytes(before)
    assert machine.run(*SOURCE, "print-password", ALICE, "wrok").status == 4


def test_a_command_gets_path_and_home_only(machine: Machine) -> None:
    define(machine, "env | grep -v ^_= | cut -d= -f1 | sort | tr '\\n' ,")
    add(machine, *BY_TOKEN)
    shown = machine.run(*PRINT).out
    assert set(shown.strip(",\n").split(",")) <= {"HOME", "PATH", "PWD", "SHLVL"}  # sh adds the last two
    assert shown.startswith("HOME,PATH,")


@pytest.mark.parametrize(
    "body",
    [
        "true",
        f"echo {SENTINEL}; echo {SENTINEL}",
        f"echo {SENTINEL} >&2; exit 1",
        f"echo {SENTINEL}; echo {SENTINEL} >&2; kill -TERM $$",
    ],
)
def test_no_token_is_6_and_nothing_of_its_output_is_repeated(machine: Machine, body: str) -> None:
    define(machine, body)
    add(machine, *BY_TOKEN)
    for options in ((), ("--verbose",)):
        failed = machine.run(*PRINT, *options)
        assert (failed.status, failed.out) == (6, "")
        assert "made no token for the source work of alice@example.com: it " in failed.err


def test_a_token_that_host_toml_does_not_define(machine: Machine) -> None:
    machine.host_config.write_text("[tokens.other]\ncommand = ['/bin/true']\n")
    added = machine.run(*SOURCE, "add", ALICE, "work", *WORK, *BY_TOKEN)
    assert added.status == 0
    note = f"note: {machine.host_config} has no [tokens.work], so this machine cannot make the token\n"
    assert added.err == note
    failed = machine.run(*PRINT)
    assert (failed.status, failed.out) == (6, "")
    assert f"{machine.host_config}: there is no [tokens.work], which makes the token for the source work" in failed.err
    assert machine.run(*SOURCE, "set", ALICE, "work", "--token", "other").err == ""
    assert machine.run(*SOURCE, "set", ALICE, "work", "--token", "work", "--dry-run").err == note


def test_a_token_goes_only_where_host_toml_says(machine: Machine) -> None:
    define(machine, f"touch {machine.folder}/ran; echo {SENTINEL}", 'hosts = ["pop.work.example"]')
    add(machine, *BY_TOKEN)
    assert machine.run(*SOURCE, "set", ALICE, "work", "--host", "pop.evil.example").status == 0
    refused = machine.run(*PRINT)
    assert (refused.status, refused.out) == (5, "")
    assert "a token of tokens.work may be sent to pop.work.example, not to pop.evil.example" in refused.err
    assert not (machine.folder / "ran").exists()


def test_a_login_that_looks_like_an_option(machine: Machine) -> None:
    add(machine, *BY_TOKEN)
    assert machine.run(*SOURCE, "set", ALICE, "work", "--login=-x").status == 0
    refused = machine.run(*PRINT)
    assert (refused.status, refused.out) == (5, "")
    assert "begins with `-`" in refused.err


def test_nothing_is_printed_to_a_terminal(machine: Machine) -> None:
    import pexpect

    add(machine, *BY_TOKEN)
    program, *rest = machine.command(*PRINT)
    shown, status = pexpect.run(
        f"{program} {' '.join(rest)}", env=machine.environment, cwd=str(machine.folder), withexitstatus=True
    )
    assert status == 5
    assert b"no password or token is printed to a terminal" in shown
    assert b"token-for" not in shown


def test_from_a_password_to_a_token_and_back(machine: Machine) -> None:
    before = machine.store.read_bytes()
    assert machine.run(*SOURCE, "add", ALICE, "work", *WORK, "--password-stdin", stdin=f"{FIRST}\n").status == 0
    with_password = machine.store.read_bytes()
    assert machine.kept() == {KEPT: FIRST}

    shown = machine.run(*SOURCE, "set", ALICE, "work", *BY_TOKEN, "--dry-run")
    assert f"the source work password of {ALICE} would be deleted" in shown.err
    assert machine.kept() == {KEPT: FIRST}
    changed = machine.run(*SOURCE, "set", ALICE, "work", *BY_TOKEN)
    assert changed.out.splitlines() == [
        f"{ALICE}\tsource work auth\txoauth2\tchanged",
        f"{ALICE}\tsource work token\twork\tchanged",
        f"{ALICE}\tsource work password\tremoved from the keyring\tchanged",
    ]
    assert machine.kept() == {}
    again = machine.run(*SOURCE, "set", ALICE, "work", *BY_TOKEN)
    assert all(line.endswith("\tok") for line in again.out.splitlines())
    assert machine.run("secrets", "verify").status == 0
    assert machine.run("secrets", "list").out == ""
    assert machine.run("validate", "--secrets", str(machine.store)).err.endswith("valid, 0 errors, 0 warnings\n")

    back = machine.run(*SOURCE, "set", ALICE, "work", "--auth", "password")
    assert back.out.splitlines() == [
        f"{ALICE}\tsource work auth\tpassword\tchanged",
        f"{ALICE}\tsource work token\tnone\tchanged",
    ]
    assert f"set-password {ALICE} work" in back.err
    assert machine.store.read_bytes() == with_password
    again = machine.run(*SOURCE, "set", ALICE, "work", "--auth", "password")
    assert all(line.endswith("\tok") for line in again.out.splitlines())
    assert again.err == ""
    assert machine.run("secrets", "verify").status == 1
    assert machine.run(*SOURCE, "remove", ALICE, "work").status == 0
    assert machine.store.read_bytes() == before


def test_an_undo_says_that_the_password_does_not_come_back(machine: Machine) -> None:
    machine.host_config.write_text(f"journal = true\n{machine.host_config.read_text()}")
    assert machine.run(*SOURCE, "add", ALICE, "work", *WORK, "--password-stdin", stdin=f"{FIRST}\n").status == 0
    with_password = machine.store.read_bytes()
    assert machine.run(*SOURCE, "set", ALICE, "work", *BY_TOKEN).status == 0
    undone = machine.run("undo")
    assert undone.status == 0
    assert machine.store.read_bytes() == with_password
    assert "passwords are not brought back" in undone.err
    assert f"set-password {ALICE} work" in undone.err
    redone = machine.run("undo")
    assert redone.status == 0
    assert machine.run("log").out.count("\tundo\t") <= 2


def test_a_plan_that_names_a_token_takes_the_password_away(machine: Machine) -> None:
    assert machine.run(*SOURCE, "add", ALICE, "work", *WORK, "--password-stdin", stdin=f"{FIRST}\n").status == 0
    source = {"host": "pop.work.example", "login": "alice@work.example", "auth": "oauthbearer", "token": "work"}
    plan = json.dumps({"address": ALICE, "sources": {"work": source}})
    assert machine.run("apply", "-", "--yes", stdin=f"{plan}\n").status == 0
    assert machine.kept() == {}
    exported = [json.loads(line) for line in machine.run("account", "export", "--format", "ndjson").out.splitlines()]
    assert exported[0]["sources"] == {"work": source}
    before = machine.untouched()
    assert machine.run("apply", "-", stdin=f"{plan}\n").status == 0
    assert machine.untouched() == before
    wrong = json.dumps({"address": ALICE, "sources": {"work": source | {"token": SENTINEL}}})
    refused = machine.run("apply", "-", stdin=f"{wrong}\n")
    assert refused.status == 2
    assert "sources.NAME.token is not valid (MP081" in refused.err


def test_a_password_is_refused_for_a_source_with_a_token(machine: Machine) -> None:
    add(machine, *BY_TOKEN)
    refused = machine.run(*SOURCE, "set-password", ALICE, "work", "--password-stdin", stdin=f"{FIRST}\n")
    assert refused.status == 5
    assert "logs in with a token, so it has no password" in refused.err
    assert "mailpolicy multipop source set alice@example.com work --auth password" in refused.err
    assert machine.kept() == {}


@pytest.mark.parametrize("verb", ["remove", "rename"])
def test_no_keyring_is_needed_for_a_source_with_a_token(machine: Machine, verb: str) -> None:
    add(machine, *BY_TOKEN)
    done = {
        "remove": (*SOURCE, "remove", ALICE, "work"),
        "rename": ("account", "rename", ALICE, "alicia@example.com"),
    }[verb]
    assert machine.run(*done).status == 0
    assert machine.calls() == []


def test_half_a_token_is_refused(machine: Machine) -> None:
    add(machine)
    before = machine.store.read_bytes()
    for options, fix in (
        (("--token", "work"), "--auth xoauth2 --token work"),
        (("--auth", "oauthbearer"), "--auth oauthbearer --token NAME"),
    ):
        refused = machine.run(*SOURCE, "set", ALICE, "work", *options)
        assert refused.status == 5
        assert f"mailpolicy multipop source set {ALICE} work {fix}" in refused.err
    assert machine.store.read_bytes() == before
    assert machine.run(*SOURCE, "set", ALICE, "work", *BY_TOKEN).status == 0
    # One that has a token is sent by another mechanism, or gets another one, without the other option.
    assert machine.run(*SOURCE, "set", ALICE, "work", "--auth", "oauthbearer").status == 0
    assert machine.run(*SOURCE, "set", ALICE, "work", "--token", "other").status == 0
    assert 'auth = "oauthbearer"\ntoken = "other"\n' in machine.store.read_text()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--auth", "xoauth2"),
        ("--token", "work"),
        ("--auth", "password", "--token", "work"),
        ("--auth", "oauth2", "--token", "work"),
        ("--auth", "xoauth2", "--token", f"{SENTINEL}"),
        ("--auth", "xoauth2", "--token", "work", "--password-stdin"),
    ],
)
def test_bad_options_are_usage_errors(machine: Machine, wrong: tuple[str, ...]) -> None:
    before = machine.store.read_bytes()
    assert machine.run(*SOURCE, "add", BOB, "work", *WORK, *wrong, stdin=f"{FIRST}\n").status == 2
    assert machine.store.read_bytes() == before


def test_lists_say_how_a_source_is_logged_in_to(machine: Machine) -> None:
    add(machine, *BY_TOKEN)
    listed = machine.run(*SOURCE, "list").out
    assert listed.endswith("\tpolled\txoauth2 work\n")
    told = json.loads(machine.run(*SOURCE, "list", "--json").out)
    assert (told["auth"], told["token"]) == ("xoauth2", "work")


def test_a_review_sees_a_token_that_would_go_elsewhere(machine: Machine) -> None:
    add(machine, *BY_TOKEN)
    old = machine.folder / "old.toml"
    old.write_bytes(machine.store.read_bytes())
    assert machine.run(*SOURCE, "set", ALICE, "work", "--host", "pop.evil.example").status == 0
    seen = machine.run("diff", str(old), str(machine.store), "--fail-on", "widened")
    assert seen.status == 1
    destinations = (f"alice@work.example@pop.{where}.example:995/implicit" for where in ("work", "evil"))
    assert seen.out.startswith("\t".join((ALICE, "credentials", "widened", *destinations)))
    assert seen.err == "1 token sent elsewhere\n"
    installed = machine.run("install", str(old))
    assert "1 token sent elsewhere" in installed.err
    assert "rebind" not in installed.err  # nothing is bound
