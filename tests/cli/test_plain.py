"""The short way without Typer answers as Typer does: the same output, messages and status for any line, good or bad."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailpolicy.cli import answers, plain
from mailpolicy.cli.context import OPTIONS
from mailpolicy.cli.run import by_typer, run
from tests.helpers import MINIMAL, Result

QUESTIONS = """\
# comment
alice@example.com pop 10.0.0.1
alice@example.com pop 203.0.113.9
bob@example.com\tmultipop

nobody@example.com imap ::1
alice@example.com ftp 10.0.0.1
one two three four
"""
FILES = {
    "good.toml": MINIMAL,
    "dated.toml": MINIMAL.replace("pop = true", "pop = true\nexpires = 2026-11-30"),
    "broken.toml": MINIMAL.replace("pop = true", "pop = yes"),
    "invalid.toml": MINIMAL.replace("pop = true", "popp = true"),
    "questions": QUESTIONS,
    "empty": "",
}
STORES = ("good.toml", "good.toml", "dated.toml", "broken.toml", "invalid.toml", "missing.toml")


@pytest.fixture(scope="module", autouse=True)
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder, before = tmp_path_factory.mktemp("plain"), Path.cwd()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    os.chdir(folder)
    yield
    os.chdir(before)


def ran(arguments: list[str], *, typer: bool) -> Result:
    """Run a line in this process, with streams that are no terminals."""
    streams = sys.stdin, sys.stdout, sys.stderr
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with open("questions", encoding="utf-8") as questions:
        sys.stdin, sys.stdout, sys.stderr = questions, out, err
        try:
            status = run(arguments, command=by_typer) if typer else run(arguments)
        finally:
            sys.stdin, sys.stdout, sys.stderr = streams
    return Result(status, out.buffer.getvalue().decode(), err.buffer.getvalue().decode())


VALUES = {
    "--file": STORES,
    "--format": ("text", "json", "github", "xml"),
    "--color": ("always", "never", "auto", "maybe"),
    "--at": ("2026-12-31", "2026-12-31T08:00:00Z", "today", "soon", ""),
    "--lock-timeout": ("1", "-1", "soon"),
}
ADDRESSES = (
    "alice@example.com",
    "ALICE@example.com",
    "bob@example.com",
    "alcie@example.com",
    "alice",
    "",
    "ä@ö.example",
)
PROTOCOLS = ("pop", "POP", "imap", "imaps", "multipop", "smtp", "outlook-connector", "ftp", "")
IPS = ("10.0.0.1", "203.0.113.9", "::ffff:10.0.0.1", "10.0.0", "10.0.0.0/8", "-1", "")
BATCHES = ("questions", "-", "empty", "no-such-file", "")
ODD = (
    "--",
    "-",
    "-h",
    "--help",
    "-x",
    "--batc",
    "--batch",
    "--no-such",
    "--json=yes",
    "--version",
    "more",
    "\udcff",
    "\x1b",
)


KNOWN = {**OPTIONS, **answers.OPTIONS}


def option(name: str) -> st.SearchStrategy[list[str]]:
    """An option of `check` or of every command, as it can be written."""
    if KNOWN[name][0] is None:
        return st.just([name])
    value = st.sampled_from(VALUES.get(name, ("value", "")))
    return st.one_of(value.map(lambda value: [name, value]), value.map(lambda value: [f"{name}={value}"]))


COMMON = st.sampled_from(sorted(KNOWN)).flatmap(option)
BATCH = st.builds(
    lambda name, joined: [f"--batch={name}"] if joined else ["--batch", name], st.sampled_from(BATCHES), st.booleans()
)
QUESTION = st.tuples(*map(st.sampled_from, (ADDRESSES, PROTOCOLS, IPS)))


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A line of `check`: a question or a batch, with options at any place, and sometimes with a mistake."""
    asked = draw(
        st.one_of(QUESTION.flatmap(lambda words: st.integers(0, 3).map(lambda count: list(words[:count]))), BATCH)
    )
    parts = [["check"], *([word] for word in asked)] if asked[:1] != ["--batch"] else [["check"], asked]
    for extra in draw(
        st.lists(st.one_of(COMMON, COMMON, COMMON, BATCH, st.sampled_from(ODD).map(lambda word: [word])), max_size=3)
    ):
        parts.insert(draw(st.integers(0, len(parts))), extra)
    return ["--file", draw(st.sampled_from(STORES)), *(word for part in parts for word in part)]


@given(lines())
@example(["--file", "good.toml", "check", "alice@example.com", "pop", "10.0.0.1", "--json"])
@example(["--file", "good.toml", "check", "alice@example.com", "pop", "203.0.113.9", "--verbose"])
@example(["--file", "good.toml", "check", "--batch", "questions", "--json"])
@example(["--file", "good.toml", "check", "--batch", "-"])
@example(["--file", "good.toml", "check", "--batch"])
@example(["--file", "dated.toml", "check", "alice@example.com", "pop", "10.0.0.1", "--at", "2026-12-31"])
def test_both_ways_answer_alike(line: list[str]) -> None:
    assert ran(line, typer=False) == ran(line, typer=True)


NOUNS = ("pop", "imap", "multipop", "outlook-connector", "smtp", "sieve", "pop3", "lan", "")
VERBS = ("on", "off", "lan-only", "anywhere", "inherit", "ON", "enable", "")
EDITED = {**FILES, "governed.toml": MINIMAL.replace("[server]", '[server]\ngovern = ["smtp"]')}
EDIT_OPTIONS = (
    "--dry-run",
    "--yes",
    "--lan-only",
    "--until=+1d",
    "--domain=example.com",
    "--in-defaults",
    "--no-cases",
)


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A store, and a line that switches a service for accounts, sometimes with options or a mistake."""
    targets = draw(st.lists(st.sampled_from(ADDRESSES), max_size=3))
    words = [draw(st.sampled_from(NOUNS)), draw(st.sampled_from(VERBS)), *targets]
    extra = st.one_of(
        st.sampled_from(sorted(OPTIONS)).flatmap(option),
        st.sampled_from((*ODD, *EDIT_OPTIONS)).map(lambda word: [word]),
    )
    parts = [[word] for word in words]
    for some in draw(st.lists(extra, max_size=2)):
        parts.insert(draw(st.integers(0, len(parts))), some)
    store = draw(st.sampled_from(("good.toml", "governed.toml", "dated.toml", "broken.toml", "missing.toml")))
    # No store that it would share with the next line.
    return store, [word for part in parts for word in part if not word.endswith(STORES)]


@given(edits())
@example(("good.toml", ["pop", "off", "alice@example.com", "--json"]))
@example(("good.toml", ["imap", "lan-only", "alice@example.com", "BOB@example.com"]))
@example(("good.toml", ["smtp", "on", "alice@example.com"]))
@example(("governed.toml", ["smtp", "on", "alice@example.com"]))
@example(("good.toml", ["multipop", "lan-only", "alice@example.com"]))
@example(("good.toml", ["pop", "on", "-"]))
def test_both_ways_edit_alike(edit: tuple[str, list[str]]) -> None:
    store, line = edit
    done = []
    for typer in (False, True):
        path = Path("edited.toml")
        path.unlink(missing_ok=True)
        if store in EDITED:
            path.write_text(EDITED[store])
        result = ran(["--file", "edited.toml", *line], typer=typer)
        done.append((result, path.read_text() if path.exists() else None))
    assert done[0] == done[1]


WORDS = (
    "check",
    "pop",
    "on",
    "account",
    "list",
    "--domain",
    "--file",
    "good.toml",
    "alice@example.com",
    "al",
    "--",
    "-",
    "",
    "--fi",
)


@given(
    st.lists(st.sampled_from(WORDS), max_size=6),
    st.sampled_from(("", "--json", "--format=github", "--file=broken.toml")),
)
def test_both_ways_complete_alike(words: list[str], common: str) -> None:
    line = "mailpolicy " + " ".join(map(shlex.quote, words))
    options = [common] if common else []
    for asked in (["--line", line], ["--", "words", *words]):
        arguments = [*options, "completion", *asked]
        assert ran(arguments, typer=False) == ran(arguments, typer=True)


@pytest.mark.parametrize(
    ("line", "understood"),
    [
        ("check alice@example.com pop 10.0.0.1", True),
        ("check alice@example.com multipop", True),
        ("check --batch questions.txt", True),
        ("check --batch=-", True),
        ("completion --line 'mailpolicy check '", True),
        ("completion -- words check ''", True),
        ("check alice@example.com pop 10.0.0.1 more", False),
        ("check alice@example.com pop -- 10.0.0.1", False),
        ("check -h", False),
        ("check --batc questions.txt", False),
        ("check --batch", False),
        ("pop on alice@example.com", True),
        ("outlook-connector off alice@example.com bob@example.com", True),
        ("pop on", False),
        ("pop on -", False),
        ("pop on alice@example.com --until +1d", False),
        ("multipop lan-only alice@example.com", False),
        ("pop3 on alice@example.com", False),
        ("pop enable alice@example.com", False),
        ("completion bash", False),
        ("account list", False),
        ("--version", False),
        ("", False),
    ],
)
def test_only_plain_lines_go_the_short_way(line: str, understood: bool) -> None:
    assert (plain.understood(shlex.split(line)) is not None) is understood
