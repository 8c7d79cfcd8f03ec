"""Check what is true of the options, the messages and the forms of every command."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pexpect
import pytest

from mailpolicy.cli.app import LazyGroup
from tests.cli.commands.small_store import written
from tests.helpers import MINIMAL, ROOT, Run


def test_options_stand_anywhere(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    forms = [
        ("--file", str(path), "--json", "account", "list"),
        ("account", "--file", str(path), "--json", "list"),
        ("account", "list", "--json", f"--file={path}"),
        ("account", "list", "--format", "json", "--file", str(path)),
    ]
    assert len({run(*form) for form in forms}) == 1


def test_json_of_every_edit_is_one_object(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    for command in (
        ("pop", "on", "a@x.example"),
        ("pop", "on", "a@x.example"),
        ("lan", "add", "10.0.0.0/8"),
        ("template", "rename", "office", "desk"),
        ("init",),
        ("account", "add", "q@x.example", "--dry-run"),
        ("smart-host", "set", "--server", "--host", "smtp.example"),
    ):
        lines = run("--file", str(path), *command, "--json").out.splitlines()
        assert len(lines) == 1
        edit = json.loads(lines[0])
        assert edit["schema"] == "mailpolicy.edit/1"
        assert edit["file"] == str(path)
        assert edit["changed"] is bool(edit["changes"])
        assert edit["dry_run"] is ("--dry-run" in command)
        assert all(change.keys() == {"address", "key", "old", "new"} for change in edit["changes"])


def test_one_object_also_for_what_cannot_be_opened(run: Run, tmp_path: Path) -> None:
    result = run("validate", "missing.toml", str(written(tmp_path)), "--json")
    assert result.status == 3
    answer = json.loads(result.out)
    assert [file["valid"] for file in answer["files"]] == [False, True]
    assert "no such file" in answer["files"][0]["error"]["message"]
    assert json.loads(run("--json").out)["code"] == "usage"


def test_typos_are_answered_in_words(run: Run) -> None:
    assert "Did you mean 'on'?" in run("pop", "onn").err
    assert (
        run(
            "account",
            "add",
            "alice@acme.example",
            "imani@acme.example",
            "--pop",
            "off",
            "--file",
            str(ROOT / "accounts.toml.example"),
        ).err.count("with pop = true")
        == 2
    )


@pytest.mark.parametrize(
    ("arguments", "built"),
    [
        ("multipop source print-password", {"source": {"print-password"}}),
        ("multipop on x@example.com", {"on": None}),
        ("multipop source print", {"source": {"add", "list", "print-password", "remove", "set", "set-password"}}),
    ],
)
def test_no_other_command_of_a_group_is_built(arguments: str, built: dict[str, set[str] | None]) -> None:
    """Which would take longer than to run most of them; of a name that is none all are there to be suggested."""
    name, *below = arguments.split()
    group = LazyGroup().get_command(None, name, below)
    assert {one: set(inner.commands) if built[one] else None for one, inner in group.commands.items()} == built
    assert len(LazyGroup().get_command(None, name).commands) > 5


REFUSED_TOGETHER = (
    (("--max-size-kb", "5"), ("--any-size",)),
    (("--delete-after-days", "5"), ("--never-delete",)),
)


@pytest.mark.parametrize(("limit", "none"), REFUSED_TOGETHER)
def test_options_that_exclude_each_other_are_both_named_and_no_other(
    run: Run, limit: tuple[str, ...], none: tuple[str, ...]
) -> None:
    error = run("multipop", "source", "set", "a@x.example", "isp", *limit, *none).err
    assert set(re.findall("--[a-z-]+", error)) == {limit[0], none[0]}


@pytest.mark.parametrize(
    "command",
    [
        ("account", "suspend"),
        ("account", "resume"),
        ("template", "assign", "office"),
        ("template", "unassign"),
        ("pop", "on"),
        ("imap", "lan-only"),
        ("multipop", "off"),
    ],
    ids=" ".join,
)
def test_no_option_is_offered_that_the_command_does_not_have(run: Run, command: tuple[str, ...]) -> None:
    has = set(re.findall("(--[a-z-]+)", run(*command, "--help").out))
    for way in ((), ("a@x.example", "--all")):
        result = run(*command, *way)
        assert result.status == 2
        offered = set(re.findall("--[a-z-]+", result.err))
        assert offered == has & {"--domain", "--with-template", "--all", "--in-template", "--in-defaults"}


def test_a_person_is_asked_although_stdout_is_a_pipe(store: Path) -> None:
    """`| tee log` is what people type; the question goes to stderr."""
    accounts = "".join(f'\n[accounts."u{number}@example.com"]\npop = true\n' for number in range(30))
    store.write_text(MINIMAL + accounts)
    command = f"{sys.executable} -m mailpolicy --file {store} pop off --all | cat"
    child = pexpect.spawn("sh", ["-c", command], encoding="utf-8", timeout=30)
    child.expect("Change 3[0-9] accounts")
    child.sendline("n")
    child.expect(pexpect.EOF)
    assert store.read_text() == MINIMAL + accounts
