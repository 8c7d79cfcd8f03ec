"""Text that others chose reaches a terminal, a log or a review tool only as text: in every command and every format."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import MINIMAL, Run

HOSTILE = "a\n::error::forged\x1b[31m\u202e\u009b2J\u2066##[group]x.toml"
# What a terminal obeys, shows in another order or not at all; tabs and newlines are ours.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
LOGIN = "re\u202elay\u2066x"
STORE = MINIMAL.replace('login = "relay"', f'login = "{LOGIN}"') + f'smart_host_login = "{LOGIN}"\n# \u009b\u202e\n'
BAD = STORE.replace("version = 1", 'version = 1\n"x\\u009b\\u202e\\n::error::" = 1')
CASES = """\
[[case]]
address = "alice@example.com"
protocol = "pop"
ip = "203.0.113.9"
expect = "allow"
name = "\\u009b\\u202e\\n::error::forged"
"""
ALICE = "alice@example.com"
COMMANDS = [
    ("check", ALICE, "pop", "10.0.0.1"),
    ("check", ALICE, "pop", "10.0.0.1", "--verbose"),
    ("check", ALICE, "pop", "203.0.113.9"),
    ("check", ALICE, "pop", "192.168.1.1"),
    ("check", ALICE, "pop", "2001:db8::1%\n::error::forged\x1b"),
    ("check", ALICE, "x\n::error::forged\x1b\u202e", "::1"),
    ("check", "x\n::error::forged\x1b\u202e@y", "pop", "::1"),
    ("check", "nobody@example.com", "pop", "10.0.0.1"),
    ("check", ALICE),
    ("check", "--batch", HOSTILE),
    ("check", "--batch", "questions"),
    ("account", "list"),
    ("account", "show", ALICE),
    ("account", "suspend", ALICE, "--dry-run"),
    ("account", "suspend", ALICE, "--verbose"),
    ("account", "suspend", "nobody@example.com"),
    ("account", "add", "x\n::error::\x1b"),
    ("smart-host", "show", ALICE),
    ("smart-host", "show", "--server"),
    ("server", "show"),
    ("server", "set", "\n::error::forged\x1b", "on"),
    ("lan", "add", "\n::error::forged\x1b"),
    ("lan", "list"),
    ("template", "add", "\n::error::forged\x1b"),
    ("template", "show", "\n::error::forged\x1b"),
    ("validate", "--strict"),
    ("validate", HOSTILE, "bad\n::error::\x1b\u202e", "missing\n::error::\x1b"),
    ("validate", HOSTILE, "bad\n::error::\x1b\u202e", "--format", "github"),
    ("validate", HOSTILE, "missing\n::error::\x1b", "--format", "github"),
    ("validate", HOSTILE, "bad\n::error::\x1b\u202e", "--format", "sarif"),
    ("validate", HOSTILE, "bad\n::error::\x1b\u202e", "--format", "junit"),
    ("diff", HOSTILE, "new\n::error::\x1b"),
    ("diff", HOSTILE, "new\n::error::\x1b", "--format", "markdown"),
    ("diff", HOSTILE, "bad\n::error::\x1b\u202e"),
    ("diff", HOSTILE, "missing\n::error::\x1b"),
    ("install", "new\n::error::\x1b", "--dry-run"),
    ("install", "bad\n::error::\x1b\u202e"),
    ("who", "pop"),
    ("who", "\n::error::\x1b"),
    ("test", "cases\n::error::\x1b"),
    ("test", "cases\n::error::\x1b", "--format", "github"),
    ("test", "cases\n::error::\x1b", "--format", "junit"),
    ("test", "bad\n::error::\x1b\u202e"),
    ("replay", "log\n::error::\x1b"),
    ("export", "dovecot", "--output", "out\n::error::\x1b", "--diff"),
    ("export", "dovecot", "--output", "out\n::error::\x1b", "--check"),
    ("export", "dovecot", "--output", "no\n::error::\x1b/folder"),
    ("export", "\n::error::\x1b"),
    ("deploy", "--host-config", "missing\n::error::\x1b"),
    ("doctor", "--host-config", "host\n::error::\x1b"),
    ("explain", "\n::error::\x1b"),
    ("pop", "on", "--in-template", "\n::error::\x1b"),
    ("pop", "\n::error::\x1b"),
    ("\n::error::\x1b\u202e",),
    ("check", "--\n::error::\x1b\u202e"),
    ("check", "--format", "\n::error::\x1b"),
]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder whose files have names, and a store that has text, that would be obeyed."""
    (tmp_path / HOSTILE).write_text(STORE)
    (tmp_path / "bad\n::error::\x1b\u202e").write_text(BAD)
    (tmp_path / "new\n::error::\x1b").write_text(STORE.replace("pop_lan_only = true", "pop_lan_only = false"))
    (tmp_path / "cases\n::error::\x1b").write_text(CASES)
    (tmp_path / "host\n::error::\x1b").write_text('"x\\u009b\\n::error::" = 1\n')
    (tmp_path / "log\n::error::\x1b").write_text(f"{ALICE} pop 203.0.113.9 \x1b\u202e\n{ALICE} pop \x1b\u202e\n")
    (tmp_path / "questions").write_text(
        f"{ALICE} pop 2001:db8::1%\x1b\u202e::error::\n{ALICE} pop fe80::1%eth0\n\x1b\n"
    )
    return tmp_path


@pytest.mark.parametrize("workflow", [False, True], ids=["", "workflow"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: repr(" ".join(command))[:60])
def test_nothing_foreign_is_obeyed(
    command: tuple[str, ...], workflow: bool, hostile: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    if workflow:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    before = {path.name: path.read_bytes() for path in hostile.iterdir()}
    forms: list[tuple[str, ...]] = [()] if "--format" in command else [(), ("--json",)]
    for form in forms:
        result = run("--file", HOSTILE, *command, *form)
        assert result.status != 70, result.err
        for text in (result.out, result.err):
            raw = (
                text if "--dry-run" not in command or form else "".join(re.findall("^(?:---|\\+\\+\\+).*", text, re.M))
            )
            assert not OBEYED.search(raw), repr(text)
            if "github" not in command:
                assert not re.search(r"^\s*::", text, re.MULTILINE), repr(text)
            if workflow and "github" not in command:  # what is a command of ours already is searched for no other
                assert "##[" not in text
        if "github" in command:
            own = [line for line in result.out.splitlines() if line.lstrip().startswith("::")]
            assert all(re.match("::(error|warning|notice) file=[^\n]*,line=[0-9]+", line) for line in own)
            assert not re.search(r"^\s*::", result.err, re.MULTILINE)
        if form or "sarif" in command:
            for line in result.out.splitlines() if form else [result.out]:
                json.loads(line)  # what is escaped is still the text
    for name in before.keys() - {HOSTILE}:
        assert (hostile / name).read_bytes() == before[name]


def test_json_keeps_the_text(hostile: Path, run: Run) -> None:
    shown = json.loads(run("--file", HOSTILE, "account", "show", ALICE, "--json").out)
    assert shown["file"] == HOSTILE
    answer = json.loads(run("--file", HOSTILE, "smart-host", "show", "--server", "--json").out)
    assert LOGIN in answer.values()


def test_a_diff_is_bytes_for_a_program_and_text_for_a_terminal(hostile: Path, run: Run) -> None:
    import pexpect

    command = ["--file", HOSTILE, "account", "suspend", "bob@example.com", "--dry-run"]
    piped = run(*command).out
    assert "# \u009b\u202e\n" in piped
    terminal = pexpect.run(
        f"{sys.executable} -m mailpolicy " + " ".join(f"'{part}'" for part in command),
        cwd=str(hostile),
        env={**os.environ, "TERM": "xterm"},
    ).decode()
    assert "# \\x9b\\u202e" in terminal
    assert "+suspended = true" in terminal
    assert not OBEYED.search(terminal.replace("\r\n", "\n"))


@pytest.mark.parametrize(
    "zone", ["eth0", "1", "a-b_c.d~e", "\n", "eth0\x1b", "e th", "\u202e", "a/b", "a:b", "%25eth0", ""]
)
def test_a_zone_has_the_characters_of_one(zone: str, run: Run, store: Path) -> None:
    result = run("--file", str(store), "check", ALICE, "pop", f"fe80::1%{zone}")
    assert result.status == (1 if re.fullmatch("[A-Za-z0-9._~-]+", zone) else 2)


def test_a_patch_of_a_file_with_a_hostile_name_is_a_patch(hostile: Path, run: Run) -> None:
    patch = run("--file", HOSTILE, "account", "suspend", ALICE, "--dry-run").out
    (hostile / "accounts.toml").write_text(STORE)
    done = subprocess.run(
        ["patch", "accounts.toml"], input=patch, text=True, cwd=hostile, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "suspended = true" in (hostile / "accounts.toml").read_text()
