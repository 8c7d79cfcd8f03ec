"""What a command imports, which is most of the time that a short one takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import EXAMPLE

FILE = ("--file", str(EXAMPLE))
HEAVY = {"pydantic", "rich", "tomlkit", "keyring", "idna", "socket"}
# Of the standard library, those that Typer imports and a plain question has no use for.
TYPERS = {"typer", "click", "inspect", "pathlib", "platform", "shutil", "subprocess", "traceback", "uuid"}


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command imports."""
    code = (
        "import sys; from mailpolicy.cli import main; main(sys.argv[1:]); print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    [
        "check alice@acme.example pop 203.0.113.9",
        "check imani@acme.example pop 203.0.113.9",
        "check nobody@acme.example pop 1.2.3.4",
        "check rosa@acme.example connector 1.2.3.4 --json",
    ],
)
def test_check_imports_nothing_heavy(arguments: str) -> None:
    """Also not what a denial prints: the fix is in words, the place is found by a scan."""
    loaded = loaded_by(*FILE, *arguments.split())
    assert "mailpolicy.policy.verdict" in loaded
    assert not {name.partition(".")[0] for name in loaded} & (HEAVY | TYPERS)
    assert not {
        name
        for name in loaded
        if name.startswith(("mailpolicy.export", "mailpolicy.secrets", "mailpolicy.edit", "mailpolicy.cli.app"))
    }
    # A store without dates asks no clock.
    assert not loaded & {
        "zoneinfo",
        "mailpolicy.policy.dates",
        "mailpolicy.policy.moments",
        "mailpolicy.policy.when",
    }
    if "imani@acme.example" in arguments:
        assert "mailpolicy.store.locate" not in loaded


@pytest.mark.parametrize("line", ["", "check ", "check al", "account list --domain ", "pop on --", "lan remove "])
def test_a_tab_imports_no_typer(line: str) -> None:
    loaded = loaded_by("completion", "--line", f"mailpolicy --file {EXAMPLE} {line}")
    assert "mailpolicy.cli.command_tree" in loaded
    assert not {name.partition(".")[0] for name in loaded} & TYPERS


def test_a_batch_imports_no_typer() -> None:
    loaded = loaded_by(*FILE, "check", "--batch", "/dev/null")
    assert "mailpolicy.cli.batch" in loaded
    assert not {name.partition(".")[0] for name in loaded} & TYPERS


@pytest.mark.parametrize(
    "command",
    [
        "account show alice@acme.example",
        "account list",
        "template list",
        "server show",
        "lan list",
        "smart-host show alice@acme.example",
        "multipop source list alice@acme.example",
    ],
)
def test_a_command_that_only_reads_imports_nothing_of_edits(command: str) -> None:
    loaded = loaded_by(*FILE, *command.split())
    assert not loaded & {"mailpolicy.edit.transaction", "mailpolicy.edit.text.splices", "tomlkit"}


def test_a_toggle_imports_no_other_pen(store: Path) -> None:
    before = store.read_bytes()
    loaded = loaded_by("--file", str(store), "pop", "off", "alice@example.com")
    assert store.read_bytes() != before
    assert {"mailpolicy.edit.transaction", "mailpolicy.edit.text.splices"} <= loaded
    assert "mailpolicy.policy.access" not in loaded  # compared for --verbose and JSON only
    assert not {name.partition(".")[0] for name in loaded} & {"tomlkit", "keyring", "rich", "sqlite3"}


def test_help_imports_no_command() -> None:
    assert not {
        name
        for name in loaded_by("--help")
        if name.startswith(("mailpolicy.edit", "mailpolicy.store.store", "mailpolicy.cli.commands.check", "rich"))
    }


def test_a_plain_edit_imports_no_typer(tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_bytes(EXAMPLE.read_bytes())
    loaded = loaded_by("--file", str(store), "pop", "off", "alice@acme.example")
    assert "mailpolicy.edit.transaction" in loaded
    assert not {name.partition(".")[0] for name in loaded} & (HEAVY | {"typer", "click", "inspect"})
