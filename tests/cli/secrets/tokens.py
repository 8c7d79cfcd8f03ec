"""A machine with a command that makes tokens, and a source that logs in with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.machine import ALICE, FIRST, JSON, SECOND, Machine

SOURCE = ("multipop", "source")
WORK = ("--host", "pop.work.example", "--login", "alice@work.example")
BY_TOKEN = ("--auth", "xoauth2", "--token", "work")
PRINT = (*SOURCE, "print-password", ALICE, "work")
SENTINEL = "s3ntinel-Of-The-Provider"


def define(machine: Machine, body: str, *more: str) -> Path:
    """Let host.toml have [tokens.work], a script of sh."""
    script = machine.folder / "given"  # which `leaks` does not look into
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    lines = ["[tokens.work]", f'command = ["{script}", "{{login}}"]', *more]
    machine.host_config.write_text("".join(f"{line}\n" for line in lines))
    return script


def add(machine: Machine, *options: str) -> None:
    assert machine.run(*SOURCE, "add", ALICE, "work", *WORK, *options).status == 0


@contextmanager
def with_tokens(folder: Path) -> Iterator[Machine]:
    """A machine with a keyring of the tests' own and a command that makes tokens; no run may leak a secret."""
    machine = Machine(folder, JSON)
    machine.store.write_text(machine.store.read_text().replace("\npop = true\n", "\npop = true\nmultipop = true\n", 1))
    define(machine, 'echo "token-for-$1"')
    machine.known = [FIRST, SECOND, SENTINEL]
    yield machine
    assert machine.leaks() == []
