"""Help pages: examples that work, groups that fit a screen, and nothing cut."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from mailpolicy.cli import examples
from mailpolicy.cli.app import COMMANDS, SECTIONS, root
from tests.everything import JOURNAL
from tests.helpers import RELAYED, ROOT, TESTS, Run
from tests.sealing import host_config, sealed_file

NETWORKS = '[networks]\nbranch = ["192.0.2.0/24", "198.51.100.9"]\nunused = ["198.51.100.9"]\n\n'
STORE = (
    RELAYED.replace("imap = true\n", "imap = true\nsmtp = true\nsieve = true\n").replace(
        "[accounts", NETWORKS + "[templates.staff]\nimap = true\n\n[templates.unused]\n\n[accounts", 1
    )
    + """
multipop = true
template = "staff"

[accounts."bob@example.com".sources.isp]
host = "pop.isp.example"
login = "b"
"""
)
HOST = '{}[exports.dovecot]\ntarget = "dovecot"\npath = "{}"\nreload = ["true"]\n'
CASES = '[[case]]\naddress = "alice@example.com"\nprotocol = "pop"\nip = "10.0.0.1"\nexpect = "allow"\n'
LOG = (
    "Jun 12 16:21:30 mx1 dovecot: imap-login: Login: user=<bob@example.com>, method=PLAIN, rip=10.0.0.9, lip=10.0.0.2\n"
)
# Commands whose answer in the store above is no.
SAYS_NO = ("doctor", "check", "validate --strict", "secrets verify")


def pages() -> Iterator[tuple[str, Any]]:
    """Yield every command that can be seen, by its name; "" is the root."""

    def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
        yield path, command
        for name, below in getattr(command, "commands", {}).items():
            if not below.hidden:
                yield from walk(below, f"{path} {name}")

    yield "", root()
    for name in COMMANDS:
        yield from walk(root().get_command(None, name), name)


PAGES = [path for path, _ in pages()]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the examples name, and the program on the path."""
    files = {
        "accounts.toml": STORE, "new.toml": STORE.replace("pop = true", "pop = false", 1), "cases.toml": CASES,
        "plan.csv": "address,pop\nalice@example.com,on\nbob@example.com,off\n", "addresses.txt": "bob@example.com\n",
        "password.txt": "s3cret\n", "host.toml": HOST.format(host_config(tmp_path), tmp_path / "passwd"),
        "lan-ips.txt": "192.168.*.*\n",
        "logins.ndjson": '{"address": "bob@example.com", "login": "b", "password": "s3cret"}\n',
        "accounts-of-mdaemon.csv": '"MailBox","Domain","AllowAccess"\n"new","example.com",Yes\n',
        "answers-of-mdaemon.xml": (TESTS / "mdaemon/answers.xml").read_text(),
        "questions.txt": "bob@example.com imap 10.1.2.3\n", "mail.log": LOG,
        "mailpolicy": f'#!/bin/sh\nexec "{sys.executable}" -m mailpolicy "$@"\n',
        "journalctl": f"#!/bin/sh\ncat <<'END'\n{LOG}END\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    for name in ("mailpolicy", "journalctl"):
        (tmp_path / name).chmod(0o755)
    for folder in ("etc/dovecot", "etc/mailpolicy", "etc/bash_completion.d", "etc/fish/completions"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "usr/local/share/zsh/site-functions").mkdir(parents=True)
    sealed_file(tmp_path)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t.example", "-C", str(tmp_path)]
    for command in (["init", "-q", "-b", "main"], ["add", "accounts.toml"], ["commit", "-q", "-m", "store"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_every_example_works(page: str, office: Path) -> None:
    environment = {
        **os.environ, "PATH": f"{office}:{os.environ['PATH']}", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "PAGER": "cat", "MAILPOLICY_FILE": "accounts.toml", "TEST_KEYRING": str(office / "keyring.json"),
        "TEST_STORE": "accounts.toml", "MAILPOLICY_HOST_CONFIG": str(office / "host.toml"),
    }  # fmt: skip
    lines = "\n".join(examples.of(page)).replace("\\\n", " ").split("\n")
    assert lines[0], f"{page} has no example"
    if page == "multipop source print-password":
        lines.insert(
            0,
            "mailpolicy multipop source set-password bob@example.com isp --password-file password.txt #print-password",
        )
    if page.startswith(("smtp", "sieve", "server ungovern")):
        lines.insert(0, f"mailpolicy server govern smtp sieve # {page}")
    if page == "secrets init":
        (office / "host.toml").unlink()
    environment["EDITOR"] = "true"
    for line in lines:
        (office / "accounts.toml.log").write_text(JOURNAL)
        assert page.split(" ")[-1] in line, "it is an example of another command"
        line = line.replace("VISUAL=nano", "VISUAL=true").replace(
            "keyring.backends.SecretService.Keyring", "tests.backends.Json"
        )
        for folder in ("/etc/", "/var/log/", "/usr/local/"):
            line = line.replace(f" {folder}", f" {office}/{folder.strip('/') if folder != '/var/log/' else '.'}/")
        told, status = pexpect.run(
            shlex.join(["bash", "-o", "pipefail", "-c", line]), withexitstatus=True, env=environment,
            events={"password": "s3cret\n", r"\[y/N\]": "y\n"}, encoding="utf-8", timeout=60,
        )  # fmt: skip
        assert status == 0 or (status == 1 and line.partition("mailpolicy ")[2].startswith(SAYS_NO)), (line, told)


@pytest.mark.parametrize("page", PAGES)
def test_examples_stand_right_after_the_usage_line(run: Run, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(*page.split(), "--help").out.split("\n")
    usage, rest = lines[0], lines[lines.index("Examples:") :]
    assert usage.startswith(f"Usage: mailpolicy {page}".rstrip())
    assert lines.index("Examples:") <= 3
    shown = examples.of(page)
    assert rest[1 : 1 + len(shown)] == [f"  {line}" for line in shown]
    assert max(map(len, shown)) <= 78
    assert not [line for line in lines if line.endswith("...") and line != usage], "a help text is cut"
    assert run("help", *page.split()).out.split("\n")[:-1] == lines[:-1]


@pytest.mark.parametrize("page", PAGES)
def test_the_usage_line_names_no_hidden_argument(run: Run, page: str) -> None:
    usage = run("help", *page.split()).out.partition("\n\n")[0]
    assert usage.startswith("Usage: mailpolicy")
    assert "[]" not in usage


def test_the_root_page_has_everything_in_groups(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("--help").out.split("\n")
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(COMMANDS)
    assert len(lines) <= 72
    every_day = [lines.index(line) for line in lines if line.strip().split(" ")[0] in SECTIONS["Every day"]]
    assert max(every_day) < 24
    assert run().err.split("\n")[0] == lines[0], "without arguments the same page is a usage error"


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("acount", "mailpolicy help account"),
        ("account lst", "mailpolicy help account list"),
        ("no-such", "mailpolicy help"),
        ("account no-such", "mailpolicy help account"),
    ],
)
def test_a_mistyped_command_is_explained_and_not_run(run: Run, words: str, fix: str) -> None:
    done = run("help", *words.split())
    assert (done.status, done.out) == (2, "")
    assert done.err.splitlines()[-1].strip() == f"try: {fix}"


def test_version(run: Run) -> None:
    assert run("version").out == run("--version").out
    assert run("version", "--json").out.startswith('{"schema": "mailpolicy.version/1", "version": ')
