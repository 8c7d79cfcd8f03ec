"""Lists of addresses: what a line is refused for is said without repeating what may be a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import Run

PASSWD, CSV = "this looks like a passwd file", "this looks like CSV"
# A line with a password, what is shown of it, and what it looks like.
LINES = [
    ("bob@x.example:{PLAIN}hunter2:5000::", "bob@x.example", PASSWD),
    ("bob:{PLAIN}hunter2:5000::", "'bob'", PASSWD),
    ("bob:x:1000:1000:hunter2:/home/bob:/bin/sh", "'bob'", PASSWD),
    (":hunter2", "", PASSWD),
    ("mailto:hunter2@x.example", "'mailto'", ""),
    ("bob@x.example,hunter2", "bob@x.example", CSV),
    ('"bob@x.example";"hunter2"', "bob@x.example", CSV),
    ("bob@x.example hunter2", "bob@x.example", ""),
    ("  bob@x.example\thunter2", "bob@x.example", ""),
    ("bob@x.example pop hunter2", "bob@x.example", ""),
    ("bob@x.example hunter2 10.0.0.1", "bob@x.example", ""),
    ("bob@x.example pop 10.0.0.1:hunter2", "bob@x.example", ""),
    ("bob@x.example@hunter2", "bob@x.example", ""),
    ("bob@x.example|hunter2", "bob@x.example", ""),
    ("bob=hunter2", "'bob'", ""),
    ("bob@b\u00fccher.example:h\u00fcnter2 hunter2", "bob@b\u00fccher.example", PASSWD),
    ('{"user": "bob@x.example", "password": "hunter2"}', "", ""),
    ('{"address": "hunter2", "protocol": "pop", "ip": "10.0.0.1"}', "", ""),
    ('{"address": "bob@x.example", "protocol": "hunter2", "ip": "10.0.0.1"}', "", ""),
    ('{"address": "bob@x.example", "protocol": "pop", "ip": "hunter2"}', "", ""),
]
READERS = [
    ("account", "add", "-"),
    ("account", "remove", "--if-exists", "-"),
    ("account", "suspend", "-"),
    ("account", "resume", "--json", "-"),
    ("pop", "on", "-"),
    ("multipop", "inherit", "--skip-unknown", "-"),
    ("template", "assign", "t", "-"),
    ("template", "unassign", "-"),
    ("check", "--batch", "-"),
    ("check", "--batch", "-", "--json"),
    ("replay", "-"),
    ("replay", "-", "--json"),
    ("replay", "-", "--strict"),
]


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_no_reader_of_a_list_repeats_a_password(command: tuple[str, ...], program: Run, store: Path) -> None:
    store.write_text(store.read_text() + "[templates.t]\n")
    before = store.read_bytes()
    for line, shown, looks in LINES:
        if '"address"' in line and "replay" not in command:
            continue  # records of a log
        result = program("--file", str(store), *command, stdin=f"# a comment\n\n{line}\n")
        said = result.out + result.err
        assert "hunter2" not in said, line
        assert "h\u00fcnter2" not in said, line
        assert any(place in said for place in ("line 3: ", "error\t3\t", '"line": 3,', "-:3: ")), line
        if "replay" in command:
            continue  # a line without the three fields of a record is told without any of it
        assert result.status == 2, line
        assert shown in said, line
        assert looks in said, line
    assert store.read_bytes() == before


@pytest.mark.parametrize(
    "command",
    [
        ("validate", "-"),
        ("validate", "-", "--json"),
        ("install", "-"),
        ("diff", "-", "accounts.toml"),
        ("test", "-"),
        ("check", "a@x.example", "multipop", "--file", "/dev/stdin"),
        ("server", "set", "multipop", "on", "--host-config", "/dev/stdin"),
        ("smart-host", "set", "alice@example.com", "--password-stdin"),
        ("export", "dovecot", "--token-file", "/dev/stdin"),
    ],
    ids=" ".join,
)
def test_a_list_given_for_another_file_is_not_repeated(command: tuple[str, ...], program: Run, store: Path) -> None:
    for line, _, _ in LINES:
        result = program("--file", str(store), *command, stdin=f"{line}\n{line}\n")
        assert "hunter2" not in result.out + result.err, line


def test_of_many_wrong_lines_some_are_told(program: Run, store: Path) -> None:
    result = program("--file", str(store), "account", "add", "-", stdin="bob:x:1::\n" * 5000)
    assert result.status == 2
    assert "line 1: 'bob' is not an address" in result.err
    assert "; and 4980 more" in result.err
    assert len(result.err) < 5000


def test_what_is_typed_is_repeated(run: Run, store: Path) -> None:
    assert "'a b@x.example' is not an address" in run("--file", str(store), "account", "add", "a b@x.example").err


def test_a_list_may_begin_with_a_byte_order_mark(program: Run, store: Path) -> None:
    result = program("--file", str(store), "pop", "on", "-", stdin="\ufeffbob@example.com\n")
    assert (result.status, result.out.split("\t")[0]) == (0, "bob@example.com")
