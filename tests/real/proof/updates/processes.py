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
from tests.real.proof import warm
from tests.real.proof.updates.own import Own, Tree, own_part
from tests.real.proof.updates.steps import after_undo, step, undo
from tests.sealing import sealed_file

KILLED, BUSY = -signal.SIGKILL, 75
SERVICE = "mailpolicy"
PAIR = ("tom@pair.example", "ulf@pair.example")
# What one process alone edits: each command, where its result is written, and as what.
SERVER: list[tuple[list[str], tuple[str, ...], object]] = [
    (["server", "set", "multipop", "off"], ("server", "multipop"), False),
    (["server", "set", "multipop", "on"], ("server", "multipop"), True),
    (["server", "set", "time-zone", "Europe/Vienna"], ("server", "time_zone"), "Europe/Vienna"),
    (["server", "govern", "smtp"], ("server", "govern"), ["smtp", "sieve"]),
    (["pop", "on", "--in-defaults"], ("defaults", "pop"), True),
    (["pop", "off", "--in-defaults"], ("defaults", "pop"), False),
    (["smart-host", "set", "--server", "--port", "25", "--yes"], ("server", "smart_host", "port"), 25),
    (["smart-host", "set", "--server", "--port", "465", "--yes"], ("server", "smart_host", "port"), 465),
    (["secrets", "rotate"], ("version",), 1),  # which the store does not show
]


class Place(NamedTuple):
    """A store that all of them use, its machine, and the folder of what they have to say."""

    store: Path
    folder: Path  # host.toml, the sealed file and its key
    told: Path

    def options(self) -> list[str]:
        return ["--file", str(self.store), "--host-config", str(self.folder / "host.toml")]

    def read(self) -> bytes:
        return self.store.read_bytes()

    def tree(self) -> Tree:
        return tomli.loads(self.read().decode())

    def own(self, number: int) -> Own:
        """Return the part of an editor, with the passwords for the smart host that the store names."""
        while True:
            tree = self.tree()
            secrets = sealed_file(self.folder).get_all().get(SERVICE, {})
            if self.tree()["server"] == tree["server"]:  # or another process has just moved them
                return own_part(tree, secrets, number)


def run(
    place: Place, name: str, arguments: list[str], killed_after: float | None = None, stdin: str = ""
) -> tuple[int, str]:
    """Run a command in a process of its own; return its status (negative if a signal ended it) and its output."""
    output, given = place.told / f"{name}.out", place.told / f"{name}.in"
    output.write_text("")  # the process may be killed before it opens it
    given.write_text(stdin)
    child = os.fork()
    if child == 0:
        _become(place, given, output, arguments)
    if killed_after is not None:
        time.sleep(killed_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output.read_text()


def _become(place: Place, given: Path, output: Path, arguments: list[str]) -> NoReturn:
    status = 99
    try:
        os.dup2(os.open(given, os.O_RDONLY), 0)
        written = os.open(output, os.O_WRONLY | os.O_APPEND)
        for number in (1, 2):
            os.dup2(written, number)
        warm.open_streams()
        status = main([*place.options(), *arguments], now)
        sys.stdout.flush()
    finally:
        os._exit(status)


def edit(place: Place, number: int, edits: int, seed: int) -> Counter[str]:
    """Make edits of one's own part, and hold the store against it after each; every second editor is killed now and then."""
    drawn = random.Random(f"{seed} {number}")
    own = place.own(number)
    before: Own | None = None  # of an edit that was acknowledged and that may be undone
    counts: Counter[str] = Counter()
    for turn in range(edits):
        undoes = before is not None and drawn.random() < 0.15
        made, wanted = undo(place.store, own, before) if undoes and before else step(drawn, own)
        dies = not own.keeps_passwords and drawn.random() < 0.3
        timeout = "0.005" if drawn.random() < 0.15 else "120"
        status, told = run(
            place,
            f"editor{number}",
            [*made.command, "--lock-timeout", timeout],
            drawn.uniform(0, 0.06) if dies else None,
            made.stdin,
        )
        found = place.own(number)
        about = f"seed {seed}, editor {number}, {turn}: {made.command}: {status} {told}: {own} -> {found}"
        if undoes and status == 0:
            wanted = wanted._replace(passwords=after_undo(own, wanted, found.passwords))
        if status == 0:
            assert found == wanted, f"an acknowledged edit is not there: {about}"
            counts["acknowledged"] += 1
            counts[f"of {made.command[0]}"] += 1
        elif status == KILLED:
            assert found in (own, wanted), f"neither the old nor the new state: {about}"
            counts["killed"] += 1
        else:
            assert status == BUSY, about
            assert timeout != "120" or "changed the store meanwhile" in told, about
            assert found == own, f"nothing was to be written: {about}"
            counts["busy"] += 1
        # A change of passwords alone is not in the journal.
        edited = found._replace(passwords={}) != own._replace(passwords={})
        before = own if status == 0 and edited and not undoes else None
        own = found
    return counts


def edit_server(place: Place, edits: int, seed: int) -> Counter[str]:
    """Change what the server is and what it does by default, and give the master key and all passwords another place."""
    drawn = random.Random(f"{seed} server")
    for turn in range(edits):
        command, path, value = drawn.choice(SERVER)
        status, told = run(place, "server", [*command, "--lock-timeout", "120"])
        about = f"seed {seed}, {turn}: {command}: {status} {told}"
        assert status == 0, about
        found: object = place.tree()
        for part in path:
            assert isinstance(found, dict), about
            found = found.get(part)
        assert found == value, f"an acknowledged edit is not there: {about}"
    return Counter(acknowledged=edits)


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


def _switches(account: Tree) -> tuple[bool, bool]:
    found: Tree = account["services"]
    return found["pop"]["on"], found["imap"]["on"]
