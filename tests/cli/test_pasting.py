"""Every command that is printed for somebody to copy reaches, pasted into a shell, the same store, machine and keyring."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from mailpolicy.cli.context import split_options
from tests.helpers import MINIMAL, RELAYED, Run

NAMES = (
    "plain.toml",
    "a b.toml",
    "com",
    "mailpolicy",
    "-x.toml",
    "--help",
    'it\'s a "quoted".toml',
    "a\nb.toml",
    "$HOME`id`\\.toml",
    "\x1b[31m\t.toml",
    "ü \N{RIGHT-TO-LEFT OVERRIDE}.toml",
    "not utf-8 \udcff.toml",
)
BROKEN = "version = 1\n[accounts.x]\n"
TEMPLATED = MINIMAL.replace(
    '[accounts."bob', '[templates.t]\n[accounts."carol@example.com"]\ntemplate = "t"\n[accounts."bob'
)
CLOSED = 'version = 1\n[server]\nedition = "pro"\n[templates.t]\n[accounts."alice@example.com"]\n'
FETCHED = MINIMAL + 'multipop = true\n[accounts."bob@example.com".sources.isp]\nhost = "pop.isp.example"\nlogin = "b"\n'
EXPORTS = '[exports.d]\ntarget = "dovecot"\npath = "{folder}/out"\n'
NULL = "keyring.backends.null.Keyring"

# what is asked: the store (None: there is none), the arguments, and whether the printed command then does its work
PRINTED: dict[str, tuple[str | None, tuple[str, ...], int]] = {
    "no store": (None, ("check", "a@x.example", "pop", "10.0.0.1"), 0),
    "no store for an edit": (None, ("pop", "on", "a@x.example"), 0),
    "a store with errors": (BROKEN, ("account", "list"), 1),
    "no account": (MINIMAL, ("pop", "on", "new@x.example"), 0),
    "no account to show": (MINIMAL, ("account", "show", "new@x.example"), 0),
    "no template": (MINIMAL, ("template", "assign", "t", "alice@example.com"), 0),
    "a new account with the connector and no imap": (
        CLOSED.replace('"pro"', '"pro"\noutlook_connector_installed = true'),
        ("account", "add", "q@example.com", "--imap", "off", "--outlook-connector", "on"),
        0,
    ),
    "a template in use": (TEMPLATED, ("template", "remove", "t"), 0),
    "connector without imap": (
        CLOSED.replace('"pro"', '"pro"\noutlook_connector_installed = true'),
        ("outlook-connector", "on", "alice@example.com"),
        0,
    ),
    "connector not installed": (CLOSED, ("outlook-connector", "on", "alice@example.com"), 0),
    "connector from the LAN": (MINIMAL, ("outlook-connector", "lan-only", "alice@example.com"), 0),
    "the verb first": (MINIMAL, ("enable", "imap", "alice@example.com"), 0),
    "the verb first, options ended": (MINIMAL, ("disable", "pop", "--", "alice@example.com"), 0),
    "a denial": (MINIMAL, ("check", "alice@example.com", "multipop"), 0),
    "a denial from outside": (MINIMAL, ("check", "alice@example.com", "pop", "192.168.1.1"), 0),
    "no smart host": (CLOSED, ("export", "exim-conf", "--data", "/d", "--output", "out"), 0),
    "no password": (RELAYED, ("export", "postfix-sasl-passwd", "--output", "out"), 2),
    "no password of a source": (FETCHED, ("export", "fetchmail", "--output", "out"), 2),
    "a login not used": (
        RELAYED.replace("per_account_auth = true", ""),
        ("smart-host", "set", "alice@example.com", "--login", "a", "--password-file", "password", "--dry-run"),
        0,
    ),
    "a question without an IP": (MINIMAL, ("check", "alice@example.com", "pop"), 2),
    "an interrupted change": (MINIMAL, ("pop", "off", "alice@example.com", "--dry-run"), 0),
    "an edit not in force": (MINIMAL, ("imap", "off", "bob@example.com"), 0),
}
LABELS = ("try", "fix", "or", "then", "not in force yet", "is off", "out of date")
PASTED = re.compile(f"(?:{'|'.join(LABELS)}): (mailpolicy .*)")


def pasted(line: str, folder: Path) -> list[str]:
    """The arguments that mailpolicy gets where the line is pasted into a shell."""
    program = folder / "bin" / "mailpolicy"
    program.parent.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", line],
        env={"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": "/"},
        capture_output=True,
        check=True,
        timeout=10,
    )
    return [os.fsdecode(word) for word in done.stdout.split(b"\0")[:-1]]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("kind", PRINTED)
def test_a_printed_command_reaches_the_same_store(run: Run, tmp_path: Path, kind: str, name: str) -> None:
    text, arguments, expected = PRINTED[kind]
    config = f"h {name}"
    (tmp_path / config).write_text(EXPORTS.format(folder=tmp_path))
    (tmp_path / "password").write_text("secret")
    if text is not None:
        (tmp_path / name).write_text(text)
    if kind == "an interrupted change":
        (tmp_path / f"{name}.pending").write_text("smart-host/alice@example.com\n")
    named = {"--file": name, "--host-config": config, "--keyring-backend": NULL}
    result = run(*(word for pair in named.items() for word in pair), *arguments)
    lines = PASTED.findall(result.out + result.err)
    assert lines, result
    for line in lines:
        words = pasted(line, tmp_path)
        options, _ = split_options(words)
        assert options == named, line
        if "HOST" in words:
            words[words.index("HOST")] = "relay.example"
        before = {path: path.read_bytes() for path in tmp_path.glob("*") if path.is_file()}
        assert run(*words).status == expected, line
        after = {path: path.read_bytes() for path in tmp_path.glob("*") if path.is_file()}
        changed = {path.name for path in after if after[path] != before.get(path)}
        assert changed <= {name, f"{name}.lock", f"{name}.pending.lock", "accounts.schema.json", "out", "out.lock"}, (
            line
        )


def test_what_was_not_given_is_not_named(run: Run, store: Path) -> None:
    result = run("--file", str(store), "pop", "on", "new@x.example")
    assert f"  try: mailpolicy account add new@x.example --file {store}\n" in result.err
    for arguments in (("explain", "MP00"), ("pop", "of")):
        assert "--file" not in run("--file", str(store), *arguments).err


def test_an_error_for_programs_has_the_command_without_the_file(run: Run, store: Path) -> None:
    result = run("--file", str(store), "pop", "on", "o'neil@x.example", "--json")
    error = json.loads(result.out)
    assert error["file"] == str(store)
    assert shlex.split(error["fix"]) == ["mailpolicy", "account", "add", "o'neil@x.example"]


@pytest.mark.parametrize(
    "arguments", [("deploy",), ("secrets", "list"), ("export", "postfix-sasl-passwd")], ids=lambda words: words[0]
)
def test_a_fault_of_the_machine_is_not_blamed_on_the_store(run: Run, store: Path, arguments: tuple[str, ...]) -> None:
    store.write_text(RELAYED)
    Path("host.toml").write_text("keyring = 1\n")
    given = ("--file", str(store), "--host-config", "host.toml")
    assert run(*arguments, *given).err.startswith("mailpolicy: host.toml:1: unknown key 'keyring'")
    error = json.loads(run(*arguments, *given, "--json").out)
    assert (error["exit"], error["code"], error["file"]) == (3, "invalid-host", "host.toml")
    assert not error["message"].startswith("host.toml")
