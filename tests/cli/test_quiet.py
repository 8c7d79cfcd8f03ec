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
from tests.helpers import MINIMAL, RELAY, RELAYED, Run
from tests.sealing import options, sealed_file

STORE = (
    RELAYED.replace("imap = true\n", "imap = true\nsmtp = true\nsieve = true\n")
    + """\
multipop = true

[accounts."bob@example.com".sources.isp]
host = "pop.isp.example"
login = "b"

[accounts."bob@example.com".temporary]
until = 2099-12-31
pop = false

[templates.t]

[networks]
branch = ["192.0.2.0/24"]
"""
)
CASES = '[[case]]\naddress = "alice@example.com"\nprotocol = "pop"\nip = "10.0.0.1"\nexpect = "deny"\n'
JOURNAL = (
    '{"event": "edit", "time": "2026-11-27T12:00:00Z", "id": "4f2a91c07d", "user": "root", "command": "mailpolicy '
    'pop on alice@example.com", "changes": [{"path": ["accounts", "alice@example.com", "pop"], "old": null, "new": '
    'true}], "before": "0", "after": "1"}\n'
)
LOG = "Jun 12 16:21:30 mx1 dovecot: pop3-login: Login: user=<alice@example.com>, method=PLAIN, rip=203.0.113.9, lip=10.0.0.2\n"

# what a command prints on stdout is what it is for
DATA = """
account export
account export --format toml --effective
account list
account show alice@example.com
check alice@example.com
check --batch questions
completion bash
help account add
version
diff accounts.toml new.toml
diff accounts.toml new.toml --format markdown
doctor
explain
explain MP005
export dovecot
export dovecot --output out --check
export dovecot --output out --diff
deploy --check
deploy --diff
lan list
log
network list
network show branch
temporary list
multipop source list
multipop source print-password bob@example.com isp
replay log
schema
secrets list
secrets verify
server show
smart-host show alice@example.com
template list
template show t
test cases.toml
validate doubtful.toml
validate doubtful.toml --format sarif
who
who pop
"""

# what a command prints is what it did
EDITS = """
account add new@example.com
account remove bob@example.com
account rename bob@example.com rob@example.com
account copy alice@example.com new@example.com
account set alice@example.com --pop off
apply plan.csv
domain rename example.com example.org
account expire alice@example.com --never
account resume alice@example.com
account suspend alice@example.com
imap anywhere alice@example.com
imap inherit alice@example.com
imap lan-only alice@example.com
imap off alice@example.com
imap on alice@example.com
init --file fresh.toml
install new.toml
lan add 192.168.1.0/24
lan import lan.txt
import mdaemon mdaemon.csv
smart-host import -
lan remove 10.0.0.0/8
lan reset
network add home 203.0.113.0/24
network assign branch alice@example.com
network remove branch
network rename branch office
network unassign branch bob@example.com
multipop inherit bob@example.com
multipop off bob@example.com
multipop on alice@example.com
multipop source add alice@example.com isp --host h.example --login l
multipop source remove bob@example.com isp
multipop source set bob@example.com isp --port 110 --yes
multipop source set-password bob@example.com isp --password-file password
outlook-connector inherit alice@example.com
outlook-connector off alice@example.com
outlook-connector on alice@example.com
pop anywhere alice@example.com
pop inherit alice@example.com
pop lan-only alice@example.com
pop off alice@example.com
pop on bob@example.com
secrets init
secrets rebind
secrets rotate
secrets move --from keyring.backends.null.Keyring --to mailpolicy.sealed.Keyring
server govern sieve
server set multipop off
server ungovern smtp
sieve anywhere --in-defaults
sieve inherit --in-defaults
sieve lan-only --in-defaults
sieve off --in-defaults
sieve on --in-template t
smtp anywhere --in-defaults
smtp inherit --in-defaults
smtp lan-only --in-defaults
smtp off --in-defaults
smtp on --in-template t
smart-host clear alice@example.com
smart-host set alice@example.com --login a --password-file password
temporary end alice@example.com
template add u
template assign t alice@example.com
template remove t
template rename t u
template unassign alice@example.com
undo
"""

# they want a terminal: tests/cli/commands/test_edit.py
INTERACTIVE = """
edit
"""

# the exit status is the answer, as with grep -q; the last two have no dry run
SILENT = """
check alice@example.com pop 10.0.0.1
check alice@example.com pop 203.0.113.9
check alice@example.com pop 203.0.113.9 --json
deploy
export dovecot --output out
"""


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
    (tmp_path / "stdin").write_text('{"address": "bob@example.com", "login": "b", "password": "secret"}\n')
    monkeypatch.setattr(sys, "stdin", Stdin(tmp_path / "stdin"))
    source = "multipop/bob@example.com/isp/b@pop.isp.example:995/implicit"
    users = (f"smart-host/@server/{RELAY}", f"smart-host/alice@example.com/{RELAY}", source)
    sealed_file(tmp_path).change("mailpolicy", dict.fromkeys(users, "secret"))
    machine = options(tmp_path)
    (tmp_path / "host.toml").open("a").write(f'[exports.d]\ntarget = "dovecot"\npath = "{tmp_path}/d"\n')
    files = {
        "accounts.toml": STORE,
        "new.toml": STORE.replace("imap = true", "imap = false"),
        "doubtful.toml": MINIMAL.replace("10.0.0.0/8", "8.8.8.8"),
        "questions": "alice@example.com pop 10.0.0.1\nalice@example.com pop nowhere\n",
        "cases.toml": CASES,
        "log": LOG,
        "accounts.toml.log": JOURNAL,
        "password": "secret",
        "lan.txt": "192.168.*.*\n",
        "mdaemon.csv": '"MailBox","Domain","AllowAccess","Password"\n"new","example.com",Yes,"hunter2"\n',
        "plan.csv": "address,pop,imap\nalice@example.com,off,inherit\nnew@example.com,,off\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return ["--file", "accounts.toml", *machine]


def rows(table: str) -> list[str]:
    return table.strip().splitlines()


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
