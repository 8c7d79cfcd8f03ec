"""Secrets never leak: every command, every way in which a password comes in, and a crash at many moments of each."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pexpect import fdpexpect

from mailpolicy.cli.run import CRASHED, INTERRUPTED
from tests.real.proof.leaks.forks import Forks, Ran, forking
from tests.real.proof.leaks.rows import ROWS, WITH_SECRETS, Row, missing
from tests.real.proof.leaks.sentinels import MIDDLES
from tests.real.proof.leaks.site import ALICE, BOB, JSON, SEALED, Site, environment, options
from tests.real.proof.promises import PROVE, Promise, Tried, scaled

FORMS = [[], ["--json"], ["--verbose"], ["--quiet"], ["--dry-run"], ["--dry-run", "--json"], ["--json", "--verbose"]]
KINDS = [(middle, keyring) for middle in MIDDLES for keyring in (SEALED, JSON)]


class Watched:
    """The runs on one kind of machine, and everything that may leave them."""

    def __init__(self, folder: Path, forks: Forks, middle: str, keyring: str) -> None:
        self.site = Site(folder / "site", middle, keyring)
        self.place = folder / "place"
        self.forks = forks

    def run(self, row: Row, *more: str, **settings: Any) -> Ran:
        """Run a row on a fresh machine; no secret is where it must not be."""
        self.site.copy(self.place)
        stdin = self.filled(row.stdin).encode("utf-8", "surrogateescape")
        words = [*options(self.place), *row.words, *more]
        ran = self.forks.run(words, self.place, environment(self.place), stdin=stdin, **settings)
        self.look(row, ran, (*more, settings))
        return ran

    def filled(self, text: str) -> str:
        """Return the stdin of a row with the secrets in it."""
        if not text:
            return ""
        texts = {name: secret.text for name, secret in self.site.secrets.items()}
        return text.format(given_json=json.dumps(texts["given"]), **texts)

    def look(self, row: Row, ran: Ran, how: object) -> None:
        """Look for secrets in what a run has printed, logged and written."""
        syslog, self.forks.syslog = self.forks.syslog, b""
        parts = {"stderr": ran.err, "syslog": syslog, "stdout": ran.out}
        if row.prints and not ran.status:
            printed = parts.pop("stdout")
            leaks = self.site.leaks(self.place, {**parts, "stdout": printed}, row.prints)
            leaks += self.site.leaks(self.place, parts)
        else:
            leaks = self.site.leaks(self.place, parts)
        assert not leaks, (row, how, ran)

    def no_program_was_told(self, at_least: int = 0) -> None:
        """No secret is in the arguments or in the environment of a program that was started; at least so many were."""
        self.forks.close()
        started = self.forks.started()
        assert started.count(b"execve(") > at_least
        assert not self.site.leaks(self.place, {"programs": started})


@pytest.fixture(params=range(len(KINDS)) if PROVE else [2, 5], ids=lambda index: " ".join(KINDS[index]))
def shard(request: pytest.FixtureRequest) -> int:
    """Which kind of machine, and which part of all runs is tried on it."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def watched(shard: int, tmp_path: Path, quick: Path) -> Iterator[Watched]:
    with forking(tmp_path / "forks") as forks:
        yield Watched(quick, forks, *KINDS[shard])


def test_every_command_has_a_row() -> None:
    assert missing() == []


def test_nothing_is_told(watched: Watched, shard: int, tried: Tried) -> None:
    """Every row in every form of output; as a dry run too."""
    number = 0
    for index, row in enumerate(ROWS):
        forms = [form for form in FORMS if "--dry-run" not in form or "--dry-run" in row.options]
        few = scaled(2 if row.with_secrets else 1, 1 if shard == 2 or (row.with_secrets and not index % 3) else 0)
        for turn in range(few):
            form = forms[(index + shard * few + turn) % len(forms)]
            ran = watched.run(row, *form)
            assert 0 <= ran.status < CRASHED or ran.status == 74, (row, form, ran)
            number += 1
    watched.no_program_was_told(at_least=5)
    tried(Promise.SECRETS, number, "commands, with passwords given and kept in every way")


def test_crashes_tell_nothing(watched: Watched, shard: int, tried: Tried) -> None:
    """A function raises an exception with the secrets in it: at moments of each command that are spread over all of it."""
    text = " ".join(secret.text for secret in watched.site.secrets.values())
    number = 0
    for index, row in enumerate(WITH_SECRETS):
        if (index - shard) % scaled(6, 12):
            continue
        for kind in ("crash", "interrupt"):
            last = calls(watched, row, kind)
            points = {"crash": scaled(12, 4), "interrupt": scaled(1, 0)}[kind]
            for at in spread(last, points, first=index + shard):
                fault = {"kind": kind, "at": at, "text": text}
                ran = watched.run(row, "--verbose", fault=fault)
                # A failing keyring, store or clock may explain itself; a crash beside them is one, and an interrupt too.
                assert 0 <= ran.status <= CRASHED or ran.status == INTERRUPTED, (row, fault, ran)
                assert b"Traceback" not in ran.err, (row, fault, ran)
                number += 1
    watched.no_program_was_told()
    tried(Promise.SECRETS, number, "crashes with the passwords in the exception, at moments all over a command")


def test_failing_system_calls_leave_nothing(watched: Watched, shard: int, tried: Tried) -> None:
    """A system call for files fails, or the process is killed at it: no file that is left has a secret."""
    number = 0
    for index, row in enumerate(WITH_SECRETS):
        if (index - shard) % scaled(6, 20):
            continue
        for at in spread(calls(watched, row, "failure"), scaled(6, 3), first=index):
            for kind in ("failure", "kill"):
                fault = {"kind": kind, "at": at, "text": ""}
                ran = watched.run(row, fault=fault)
                assert b"Traceback" not in ran.err, (row, fault, ran)
                number += 1
    watched.no_program_was_told()
    tried(Promise.SECRETS, number, "system calls that fail or kill, and the files that are left")


def calls(watched: Watched, row: Row, kind: str) -> int:
    """Return how many calls a run makes in which a fault can be planted."""
    report = watched.place.with_name("report")
    watched.run(row, "--verbose", fault={"kind": kind, "at": 0, "text": "", "report": str(report)})
    return int(report.read_text())


def spread(last: int, points: int, first: int) -> list[int]:
    """Return numbers of calls that are spread from 1 to the last, not the same ones for each `first`."""
    if last <= points:
        return list(range(1, last + 1))
    return [1 + (round((step + first % 7 / 7) * last / points) % last) for step in range(points)]


TYPED = [
    (f"smart-host set {ALICE} --login n", "{given}", "{given}"),
    (f"smart-host set {ALICE} --login n --verbose", "{given}", "{listed}"),
    (f"smart-host set {ALICE} --login n --json", "{given}", "{given}"),
    ("smart-host set --server --host other.example --yes --password-stdin", "{given}", "{given}"),
    (f"multipop source add {ALICE} isp --host pop.isp.example --login a --password-stdin", "{given}", "{given}"),
    (f"multipop source set-password {BOB} isp", "{given}", "{given}"),
    (f"multipop source set-password {BOB} isp", "{given}", "\x04"),
    (f"multipop source set-password {BOB} isp", "{given}", "\x03"),
]


def test_nothing_is_shown_at_a_terminal(watched: Watched, tried: Tried) -> None:
    """Passwords are typed at the prompt: the terminal, which is all of the output here, never shows them."""
    for line, *answers in TYPED:
        watched.site.copy(watched.place)
        with at_terminal(watched, line) as (number, terminal):
            for answer in answers:
                terminal.expect(r"(password.*|again\)): $")
                terminal.send(watched.filled(answer) + ("\n" if len(answer) > 1 else ""))
            ran = watched.forks.result(number)
            shown = drained(terminal)
        row = Row(line, with_secrets=True)
        assert ran.status in (0, 2, INTERRUPTED), (line, ran.status, shown)
        assert (ran.status == 0) is (answers == ["{given}", "{given}"]), (line, ran.status, shown)
        watched.look(row, Ran(ran.status, shown, b""), "typed")
    # Nothing secret is printed to a terminal, and an editor gets none.
    for line in (f"multipop source print-password {BOB} isp", "export postfix-sasl-passwd", "export fetchmail", "edit"):
        watched.site.copy(watched.place)
        with at_terminal(watched, line) as (number, terminal):
            ran = watched.forks.result(number)
            shown = drained(terminal)
        watched.look(Row(line), Ran(ran.status, shown, b""), "at a terminal")
        assert ran.status == (0 if line == "edit" else 5)
    watched.no_program_was_told()
    tried(Promise.SECRETS, len(TYPED) + 4, "commands at a terminal")


@contextmanager
def at_terminal(watched: Watched, line: str) -> Iterator[tuple[int, fdpexpect.fdspawn]]:
    """A command at a terminal of its own: the number of its run, and what is at the other end."""
    ours, theirs = os.openpty()
    try:
        words = [*options(watched.place), *shlex.split(line)]
        path = f"/proc/{os.getpid()}/fd/{theirs}"
        number = watched.forks.start(words, watched.place, environment(watched.place), terminal=path)
        yield number, fdpexpect.fdspawn(ours, timeout=30, encoding="utf-8", codec_errors="replace")
    finally:
        os.close(ours)
        os.close(theirs)


def drained(terminal: fdpexpect.fdspawn) -> bytes:
    """Return everything that a terminal has shown."""
    before = str(terminal.before or "") + str(terminal.after or "") + terminal.buffer
    descriptor = terminal.child_fd
    os.set_blocking(descriptor, False)
    rest = b""
    with suppress(BlockingIOError):
        while piece := os.read(descriptor, 1 << 16):
            rest += piece
    return bytes(before.encode() + rest)
