"""kill -9 at every step from the journal to the rename: the store is old or new, and the journal tells which."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import MINIMAL, ROOT, Run
from tests.machine import ALICE, BOB

_STEPS = 60  # more than there are


def die(store: Path, number: int, *arguments: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "tests.dying", str(number), *options(store), *arguments],
        cwd=ROOT,
        capture_output=True,
        check=False,
    ).returncode


def options(store: Path) -> list[str]:
    return ["--file", str(store), "--host-config", str(store.with_name("host.toml"))]


@pytest.mark.parametrize("half", [False, True])
def test_at_every_step(run: Run, store: Path, half: bool) -> None:
    (store.parent / "host.toml").write_text("journal = true\n")
    log = store.with_name("accounts.toml.log")
    outcomes = []
    for step in range(1, 2 if half else _STEPS):
        store.write_text(MINIMAL)
        log.unlink(missing_ok=True)
        assert run(*options(store), "imap", "off", BOB).status == 0
        before, whole = store.read_bytes(), log.read_bytes()
        status = die(store, -step if half else step, "pop", "off", ALICE)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        replaced = store.read_bytes() != before
        assert log.read_bytes().startswith(whole)
        torn = log.read_bytes()[len(whole) :].decode()
        found = [json.loads(line) for line in run(*options(store), "log", "--json").out.splitlines()]
        killed = [entry for entry in found if ALICE in entry["command"]]
        assert [entry["aborted"] for entry in killed] == ([False] if replaced else [True] * len(killed))
        outcomes.append((replaced, len(killed)))
        # The next edit writes down what came of it, and undo takes back what was done last.
        assert run(*options(store), "multipop", "on", BOB).status == 0
        lines = log.read_text().splitlines()
        if half:
            assert lines.pop(1) == torn != ""  # evidence, which stays
        events = [json.loads(line)["event"] for line in lines]
        assert events == ["edit", *(["edit"] if replaced else ["edit", "aborted"] * len(killed)), "edit"]
        assert run(*options(store), "undo").status == 0
        assert run(*options(store), "undo").status == 0
        assert (b"pop = true\npop_lan_only" in store.read_bytes()) is True
        assert (b"imap = false" in store.read_bytes()) is replaced
        assert not list(store.parent.glob(".accounts.toml.new-*"))
    if not half:
        assert status == 0
        # Before the line, with the line and the old store, with the new one: each was met.
        assert set(outcomes) == {(False, 0), (False, 1), (True, 1)}
