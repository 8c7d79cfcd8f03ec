"""Mistakes in the text of a TOML file: each with its place and its cure, in every form, whatever the text is.

What is said of which mistake stands in tests/invalid; tests/real has every invalid file of toml-test.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pexpect
import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.render import excerpt
from mailpolicy.store.document import Document
from mailpolicy.store.mistakes import MOST
from tests.helpers import EXAMPLE, MINIMAL, TESTS, Expected, Run

BROKEN = """\
version = 1

[defaults]
pop = yes
imap = “true”

[server]
lan = [
  "10.0.0.0/8"
  "192.168.0.0/16",
]
"""
FOUND = [
    (4, 7, "`yes` is not a TOML value: write true or false, without quotes"),
    (5, 8, '“ is a typographic quote: write "'),
    (9, 15, "a comma is missing between two values of the list: write it here"),
]


def _is_toml(data: bytes) -> bool:
    try:
        tomli.loads(data.decode("utf-8-sig"))
    except ValueError:
        return False
    return True


def _check_places(document: Document) -> None:
    """Every fault is one line, at a place in the file."""
    lines = document.data[len(document.bom) :].decode("utf-8", "replace").split("\n")
    for _, _, message, position in document.faults:
        assert position is not None
        line, column = position
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1
        assert "\n" not in message
    positions = [fault.position for fault in document.faults]
    assert positions == sorted(positions, key=lambda position: position or (0, 0))
    assert len(positions) <= MOST


_PIECES = [
    '"',
    "'",
    '"""',
    "[",
    "]",
    "[[",
    "{",
    "}",
    ",",
    "=",
    ":",
    "#",
    "\\",
    "\n",
    "\r",
    " ",
    ".",
    "@",
    "“",
    "\u00a0",
]
_PIECES += [
    "yes",
    "pop",
    "[a]",
    '[accounts."x@y.example"]',
    "<<<<<<< a\n",
    "=======\n",
    ">>>>>>> b\n",
    "\0",
    "\ufeff",
    "1_",
    "é",
]


@given(
    st.sampled_from([MINIMAL, EXAMPLE.read_text(encoding="utf-8"), BROKEN]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(_PIECES)), min_size=1, max_size=6),
    st.booleans(),
)
def test_a_mutated_store_is_explained(text: str, mutations: list[tuple[float, int, str]], windows: bool) -> None:
    for where, length, piece in mutations:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + length :]
    data = (text.replace("\n", "\r\n") if windows else text).encode()
    document = Document("accounts.toml", data)
    assert bool(document.faults) is not _is_toml(data)
    _check_places(document)


@given(st.text("\"'[]{}=,#\\\n a1.@:<>-", max_size=60))
def test_any_text_is_explained(text: str) -> None:
    document = Document("accounts.toml", text.encode())
    assert bool(document.faults) is not _is_toml(document.data)
    _check_places(document)


def test_many_mistakes_are_not_all_looked_for() -> None:
    document = Document("accounts.toml", b"".join(b"key%d = yes\n" % number for number in range(1000)))
    assert [fault.position for fault in document.faults] == [
        (line, len(f"key{line - 1} = ") + 1) for line in range(1, 21)
    ]


def test_a_good_run_does_not_load_the_explanations(store: Path, tmp_path: Path) -> None:
    code = "import sys; from mailpolicy.cli import main; main(sys.argv[1:]); print(*sys.modules, sep='\\n')"

    def loaded(*arguments: str) -> set[str]:
        command = [sys.executable, "-c", code, "--file", str(store), *arguments]
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n"))

    for arguments in (("check", "alice@example.com", "pop"), ("validate",), ("pop", "on", "bob@example.com")):
        assert "mailpolicy.store.document" in loaded(*arguments)
        assert not {name for name in loaded(*arguments) if name.startswith("mailpolicy.store.mistakes")}
    store.write_text(BROKEN)
    assert "mailpolicy.store.mistakes.values" in loaded("validate")


def test_every_form_says_the_same(run: Run, store: Path) -> None:
    store.write_text(BROKEN, encoding="utf-8")

    def output(name: str) -> str:
        result = run("validate", "--format", name, "--file", "accounts.toml")
        assert result.status == 1
        assert "10.0.0.0/8" not in result.out + result.err  # no line of the file but on a terminal
        return result.out

    expected = [(line, column, f"error[MP002]: {message}") for line, column, message in FOUND]
    assert output("text").splitlines() == [f"accounts.toml:{line}:{column}: {text}" for line, column, text in expected]
    findings = json.loads(output("json"))["files"][0]["findings"]
    assert [(each["line"], each["column"], each["message"]) for each in findings] == FOUND
    results = json.loads(output("sarif"))["runs"][0]["results"]
    assert [result["message"]["text"] for result in results] == [message for _, _, message in FOUND]
    regions = [result["locations"][0]["physicalLocation"]["region"] for result in results]
    assert regions == [{"startLine": line, "startColumn": column} for line, column, _ in FOUND]
    github = output("github")
    for line, column, message in FOUND:
        assert re.search(
            f"^::error file=accounts.toml,line={line},col={column},.*::.*: {re.escape(message)}$", github, re.M
        )
    failures = [failure.attrib["message"] for failure in ElementTree.fromstring(output("junit")).iter("failure")]
    assert failures == [message for _, _, message in FOUND]


def test_a_broken_host_toml_lists_its_mistakes(run: Run, store: Path, tmp_path: Path) -> None:
    host = tmp_path / "host.toml"
    host.write_text("keyring_service = mail\n\n[exports.a\ntarget: 'dovecot'\n")
    edit = ("--file", str(store), "--host-config", str(host), "pop", "on", "bob@example.com")
    said = [
        (1, 19, "this is not a TOML value: write true or false, or put a text in quotes"),
        (3, 11, "the header is not closed: write ] at its end"),
        (4, 7, "write = between a key and its value, not :"),
    ]
    result = run(*edit)
    assert result.status == 3
    assert result.err.splitlines() == [
        f"mailpolicy: {host}:1: {said[0][2]}",
        *(f"{host}:{line}:{column}: error[MP002]: {message}" for line, column, message in said[1:]),
    ]
    error = json.loads(run(*edit, "--json").out)
    assert (error["exit"], error["code"], error["line"], error["message"]) == (3, "invalid-host", 1, said[0][2])
    assert [(each["line"], each["column"], each["message"]) for each in error["findings"]] == said


def test_broken_cases_list_their_mistakes(run: Run, store: Path, tmp_path: Path) -> None:
    (tmp_path / "cases.toml").write_text("[[case]\naddress = alice@example.com\n", encoding="utf-8")
    result = run("--file", str(store), "test", "cases.toml")
    assert result.status == 2
    assert result.err.splitlines() == [
        "cases.toml:1:7: error[MP002]: the header is not closed: write ]] at its end",
        "cases.toml:2:11: error[MP002]: this is not a TOML value: write true or false, or put a text in quotes",
        "mailpolicy: cases.toml: the cases have 2 errors; no case was tested",
    ]


LONG = "x" * 100
WIDE = "日本語" * 20


@pytest.mark.parametrize(
    ("source", "column", "shown"),
    [
        ("pop = yes", 7, ["pop = yes", "      ^"]),
        ("pop = yes\r", 10, ["pop = yes", "         ^"]),
        ("\tpop\t= yes", 8, ["    pop    = yes", "             ^"]),
        ("a = '日本' x", 10, ["a = '日本' x", "           ^"]),
        ("a\x1b[2J\u202e = x", 8, ["a\\x1b[2J\\u202e = x", " " * 15 + "^"]),
        (f"pop = yes # {LONG}", 7, [f"pop = yes # {LONG}"[:33] + "...", "      ^"]),
        (f"{LONG} = yes", 104, ["..." + f"{LONG} = yes"[-33:], " " * 33 + "^"]),
        (f"{LONG} = {LONG}", 104, ["..." + "x" * 12 + " = " + "x" * 15 + "...", " " * 18 + "^"]),
        (f"{WIDE} = {WIDE}", 64, ["...日本語日本語 = 日本語日本語日...", " " * 18 + "^"]),
        ("x" * 36, 36, ["x" * 36, " " * 35 + "^"]),
        ("", 1, ["", "^"]),
    ],
)
def test_an_excerpt_fits(source: str, column: int, shown: list[str]) -> None:
    gutter, line, caret = excerpt.lines(12, column, source, 41)
    assert (gutter, line, caret) == ("   |", f"12 | {shown[0]}".rstrip(), f"   | {shown[1]}")


@given(st.text(max_size=200), st.integers(0, 200), st.integers(30, 120))
def test_no_excerpt_is_wrapped(source: str, at: int, width: int) -> None:
    from rich.cells import cell_len

    for line in excerpt.lines(7, min(at, len(source)) + 1, source, width):
        assert cell_len(line) <= width
        assert line.isprintable() or not line.isascii()


def _on_a_terminal(tmp_path: Path, *command: str, **variables: str) -> str:
    environment = {**os.environ, "TERM": "xterm", **variables}
    del environment["COLUMNS"]
    arguments = ["-m", "mailpolicy", *command]
    child = pexpect.spawn(
        sys.executable, arguments, cwd=str(tmp_path), env=environment, dimensions=(24, 80), timeout=30, encoding="utf-8"
    )
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before).replace("\r\n", "\n")


def test_the_line_is_shown_on_a_terminal(tmp_path: Path, expected: Expected) -> None:
    wide_and_hostile = f'\n[accounts."{WIDE}@example.com"]\n\tpop\t= no\t# \u202e\u009b2J{LONG}\n'
    (tmp_path / "accounts.toml").write_text(BROKEN + wide_and_hostile, encoding="utf-8")
    shown = _on_a_terminal(tmp_path, "validate", "accounts.toml")
    expected(TESTS / "terminal" / "mistakes-80.txt", shown)
    # On stderr too: of the store, of host.toml and of cases.
    excerpt_of_first = "\n".join(shown.splitlines()[:4])
    for command in (("account", "list", "--file", "accounts.toml"), ("test", "accounts.toml")):
        assert excerpt_of_first in _on_a_terminal(tmp_path, *command)
    (tmp_path / "good.toml").write_text(MINIMAL)
    host = ("pop", "on", "bob@example.com", "--file", "good.toml", "--host-config", "accounts.toml")
    assert "\n".join(shown.splitlines()[1:4]) in _on_a_terminal(tmp_path, *host)
    for plain in ({"TERM": "dumb"}, {"GITHUB_ACTIONS": "true"}):
        assert " | " not in _on_a_terminal(tmp_path, "validate", "accounts.toml", **plain)
