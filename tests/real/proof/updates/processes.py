"""Editors and readers as processes of their own: each command runs in a fork of one that has loaded the program already."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, NoReturn

import tomli

from mailpolicy.cli import main
from tests.helpers import now
from tests.real.proof.updates.own import own_part, step

KILLED, BUSY = -signal.SIGKILL, 75
PAIR = ("tom@pair.example", "ulf@pair.example")


class Place(NamedTuple):
    """A store that all of them use, and the folder of what they have to say."""

    store: Path
    host: Path
    told: Path

    def options(self) -> list[str]:
        return ["--file", str(self.store), "--host-config", str(self.host)]

    def read(self) -> bytes:
        return self.store.read_bytes()


def run(place: Place, name: str, arguments: list[str], killed_after: float | None = None) -> tuple[int, str]:
    """Run a command in a process of its own; return its status (negative if a signal ended it) and its output."""
    output = place.told / f"{name}.out"
    output.write_text("")  # the process may be killed before it opens it
    child = os.fork()
    if child == 0:
        _become(place, output, arguments)
    if killed_after is not None:
        time.sleep(killed_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output.read_text()


def _become(place: Place, output: Path, arguments: list[str]) -> NoReturn:
    status = 99
    try:
        with open(output, "w") as sys.stdout:
            sys.stderr = sys.stdout
            status = main([*place.options(), *arguments], now)
            sys.stdout.flush()
    finally:
        os._exit(status)


def edit(place: Place, number: int, edits: int, seed: int) -> Counter[str]:
    """Make edits of one's own part, and hold the store against it after each; every second editor is killed now and then."""
    drawn = random.Random(f"{seed} {number}")
    own = own_part(tomli.loads(place.read().decode()), number)
    counts: Counter[str] = Counter()
    for turn in range(edits):
        command, wanted = step(drawn, own)
        dies = number % 2 == 0 and drawn.random() < 0.3
        timeout = "0.005" if drawn.random() < 0.15 else "120"
        status, told = run(
            place, f"editor{number}", [*command, "--lock-timeout", timeout], drawn.uniform(0, 0.06) if dies else None
        )
        found = own_part(tomli.loads(place.read().decode()), number)
        about = f"seed {seed}, editor {number}, {turn}: {command}: {status} {told}: {own} -> {found}"
        if status == 0:
            assert found == wanted, f"an acknowledged edit is not there: {about}"
            counts["acknowledged"] += 1
        elif status == KILLED:
            assert found in (own, wanted), f"neither the old nor the new state: {about}"
            counts["killed"] += 1
        else:
            assert status == BUSY, about
            assert timeout != "120", about
            assert found == own, f"nothing was to be written: {about}"
            counts["busy"] += 1
        own = found
    return counts


def edit_pair(place: Place, edits: int, seed: int) -> Counter[str]:
    """Change two accounts in each edit, and two keys, so that every version shows whether it is whole."""
    for turn in range(edits):
        pop, imap = ("on", "off") if turn % 2 else ("off", "on")
        status, told = run(
            place, "pair", ["account", "set", *PAIR, "--pop", pop, "--imap", imap, "--lock-timeout", "120"]
        )
        assert status == 0, f"seed {seed}: {told}"
    return Counter(acknowledged=edits)


def read(place: Place, number: int, seed: int) -> Counter[str]:
    """Read in every way until all edits are made; what is read is one version. Raw reads note which."""
    drawn = random.Random(f"{seed} reader {number}")
    counts: Counter[str] = Counter()
    digests = set()
    while not (place.told / "done").exists():
        digests.add(sha256(place.read()).hexdigest())
        command = drawn.choice(
            [
                ["account", "show", PAIR[0], "--json"],
                ["account", "list", "--json"],
                ["validate"],
                ["check", PAIR[1], "pop", "10.0.0.1"],
            ]
        )
        status, told = run(place, f"reader{number}", [*command, *(["--no-cache"] if drawn.random() < 0.5 else [])])
        about = f"seed {seed}, {command}: {status} {told[:2000]}"
        assert status in ((0, 1) if command[0] == "check" else (0,)), about
        if "--json" in command:
            objects = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
            pair = [_switches(each) for each in objects if each.get("address") in PAIR]
            assert pair, about
            assert len({pop for pop, _ in pair}) == 1, f"half of an edit: {about}"
            assert all(pop is not imap for pop, imap in pair), f"half of an edit: {about}"
        counts["reads"] += 1
    (place.told / f"reader{number}.digests").write_text(json.dumps(sorted(digests)))
    return counts


def _switches(account: dict[str, object]) -> tuple[bool, bool]:
    text = json.dumps(account["services"])
    found = json.loads(text)
    return found["pop"]["on"], found["imap"]["on"]
