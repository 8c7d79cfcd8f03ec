"""--quiet takes away messages and the result lines of edits, and never what a command is for."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mailpolicy.cli.app import root
from tests.everything import DATA, EDITS, INTERACTIVE, SILENT, rows, write_everything
from tests.helpers import Run


class Stdin:
    """A stdin that every command finds at its start."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return os.open(self.path, os.O_RDONLY)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine with everything that the commands above name; the options of a run there."""
    monkeypatch.setattr(sys, "stdin", Stdin(tmp_path / "stdin"))
    return write_everything(tmp_path)


@pytest.mark.parametrize("line", rows(DATA))
def test_data_is_never_swallowed(run: Run, place: list[str], line: str) -> None:
    loud = run(*place, *shlex.split(line))
    quiet = run(*place, *shlex.split(line), "--quiet")
    assert loud.out
    assert (quiet.status, quiet.out, quiet.err) == (loud.status, loud.out, "")


@pytest.mark.parametrize("line", rows(EDITS))
def test_an_edit_is_silent_and_its_dry_run_is_not(run: Run, place: list[str], line: str) -> None:
    words = [*place, *shlex.split(line)]
    planned = run(*words, "--dry-run")
    assert planned.status == 0
    assert run(*words, "--dry-run", "--quiet") == (0, planned.out, "")
    assert run(*words, "--quiet") == (0, "", "")
    # A program that asks for an object gets one.
    assert run(*words, "--quiet", "--json").out


@pytest.mark.parametrize("line", rows(SILENT))
def test_nothing_is_printed(run: Run, place: list[str], line: str) -> None:
    loud = run(*place, *shlex.split(line))
    quiet = run(*place, *shlex.split(line), "--quiet")
    assert loud.out
    assert quiet == (loud.status, "", "")


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[str]:
    if not hasattr(command, "list_commands"):
        yield " ".join(words)
        return
    context = typer.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if not inner.hidden:
            yield from leaves(inner, (*words, name))


def test_every_command_is_in_a_table() -> None:
    lines = rows(DATA) + rows(EDITS) + rows(SILENT) + rows(INTERACTIVE)
    missing = [name for name in leaves(root()) if not any(f"{line} ".startswith(f"{name} ") for line in lines)]
    assert not missing


def test_a_group_without_a_verb_says_why_it_fails(run: Run) -> None:
    assert run("account", "--quiet").status == 2
    assert "List accounts" in run("account", "--quiet").err
