"""Check that bad input gets one clear line and the right exit code, and changes nothing."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from mailpolicy.cli import main
from tests.helpers import PROGRAM, Run


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("not TOML", b"= 1", "error[MP002]: not TOML: invalid statement"),
        ("not UTF-8", b"version = 1 # \xff", "error[MP001]: byte 0xff is not UTF-8"),
        ("empty", b"", "error[MP003]: the key version is missing"),
        ("nested", b"version = 1\nx = " + b"[" * 3000 + b"]" * 3000, "error[MP002]: nested too deep"),
        ("nested tables", b"version = 1\nx = " + b"{a=" * 3000 + b"1" + b"}" * 3000, "error[MP002]: nested too deep"),
        ("long key", b"version = 1\n" + b".".join([b"a"] * 3000) + b" = 1", "error[MP002]: nested too deep"),
        ("NUL", b"version = 1\x00", "error[MP002]: a control character (U+0000)"),
        ("huge integer", b"version = 1" + b"0" * 5000, "toml:1:11: error[MP002]: an integer of 5001 digits: none here"),
        (
            "huge integer below a comment",
            b"version = 1\n# = '" + b"1" * 5000 + b"\n[server.smart_host]\r\nport = +1" + b"_0" * 4300,
            "toml:4:9: error[MP002]: an integer of 4301 digits: none here",
        ),
        (
            "huge integer in an array",
            b"version = 1\nx = [ # \n " + b"7" * 4301 + b"]",
            "toml:3:2: error[MP002]: an integer",
        ),
        (
            "huge hexadecimal version",
            b"version = 0x" + b"f" * 5000,
            "error[MP004]: version larger than 64 bits: this mailpolicy",
        ),
        (
            "huge port",
            b"version = 1\n[server.smart_host]\nport = 0x" + b"f" * 5000,
            "toml:3:1: error[MP008]: port is larger than 64 bits: write a number from 1 to 65535\n",
        ),
        ("unknown key", b"version = 1\nfoo = 1", "error[MP005]: unknown key 'foo'"),
        ("wrong type", b"version = 1\ndefaults = 1", "error[MP006]: defaults must be a table"),
        ("escape in a key", b'version = 1\n"a\\u001b[31m" = 1', "unknown key 'a\\x1b[31m'"),
    ],
)
def test_a_bad_store(name: str, content: bytes, message: str, run: Run, tmp_path: Path) -> None:
    store = tmp_path / "accounts.toml"
    store.write_bytes(content)
    for command in (
        ["check", "a@x.example", "pop", "10.0.0.1"],
        ["pop", "on", "a@x.example"],
        ["account", "list"],
        ["pop", "on", "--all", "--dry-run"],
    ):
        result = run("--file", "accounts.toml", *command)
        assert result.status == 3
        assert message in result.err
        assert result.out == ""
        assert "Traceback" not in result.err
    assert store.read_bytes() == content
    found = run("validate", "accounts.toml")
    assert found.status == 1
    assert message in found.out
    spoken = run("--file", "accounts.toml", "check", "a@x.example", "pop", "10.0.0.1", "--json")
    error = json.loads(spoken.out)
    assert (error["schema"], error["exit"], error["code"]) == ("mailpolicy.error/1", 3, "invalid-store")
    assert error["findings"][0]["message"] in found.out


def test_files_that_are_none(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    trials = {
        "missing.toml": "no such file",
        "folder": "this is a directory",
        "fifo": "this is a FIFO",
        "/dev/null": "this is a device",
        "loop": "too many symbolic links",
        "missing/accounts.toml": "no such file",
        "a\0b": "not a file name",
    }
    for name, message in trials.items():
        for command in (["check", "a@x.example", "pop", "10.0.0.1"], ["validate", name], ["pop", "on", "a@x.example"]):
            result = run("--file", name, *command)
            assert result.status == 3, (name, command, result)
            assert message in result.err
            assert len(result.err.splitlines()) <= 2
    assert "mailpolicy init" in run("--file", "missing.toml", "account", "list").err


def test_exports_to_what_is_no_file(run: Run, tmp_path: Path, store: Path) -> None:
    """They are refused, and no lock is left beside them."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    for name, message in {
        "folder": "this is a directory",
        "folder/": "this is a directory",
        "fifo": "this is a FIFO",
    }.items():
        refused = run("--file", str(store), "export", "dovecot", "--output", name)
        assert (refused.status, message in refused.err) == (5, True), refused
    for name in ("/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/2", "-"):
        refused = run("--file", str(store), "export", "dovecot", "--output", name)
        assert (refused.status, "--output needs a file" in refused.err) == (2, True), refused
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_unreadable_store(run: Run, tmp_path: Path, store: Path) -> None:
    command = ("--file", str(store), "check", "alice@example.com", "pop", "10.0.0.1")
    assert run(*command).status == 0  # every module that this needs is imported now
    store.chmod(0o600)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    told = tmp_path / "told"
    child = os.fork()
    if child == 0:
        os.dup2(os.open(told, os.O_WRONLY | os.O_CREAT), 2)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        os._exit(main([*command]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    assert "permission denied" in told.read_text()


@pytest.mark.parametrize(
    "ip", ["010.0.0.1", "127.1", "1.2.3.4/24", "１.2.3.4", "", "::1%", "localhost", "1.2.3.4\x1b[0m"]
)
def test_a_malformed_ip(ip: str, run: Run, store: Path) -> None:
    for protocol in ("pop", "imap", "multipop", "connector"):
        result = run("--file", str(store), "check", "alice@example.com", protocol, ip)
        assert result.status == 2
        assert result.err.startswith("mailpolicy: ")
        assert "\x1b" not in result.err
        assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("protocol", ["ftp", "", "pop2", "POP 3", "imap\u202e"])
def test_an_unknown_protocol(protocol: str, run: Run, store: Path) -> None:
    result = run("--file", str(store), "check", "alice@example.com", protocol, "10.0.0.1")
    assert result.status == 2
    assert "choose pop, imap, multipop, outlook-connector, smtp or sieve" in result.err
    assert "\u202e" not in result.err


@pytest.mark.parametrize(
    "address",
    ["alice", "a@b@c", "a\x07@x.example", "a\u202e@x.example", "a\u2028@x.example", "a" * 300 + "@x.example", ""],
)
def test_a_malformed_address(address: str, run: Run, store: Path) -> None:
    before = store.read_bytes()
    for command in (
        ["check", address, "pop", "10.0.0.1"],
        ["check", address],
        ["account", "add", address],
        ["account", "remove", address],
        ["account", "rename", "alice@example.com", address],
        ["pop", "on", address],
        ["account", "suspend", address],
    ):
        result = run("--file", str(store), *command)
        assert result.status == 2, command
        assert len(result.err.splitlines()) == 1
        assert not set(result.err) & set("\x07\u202e\u2028")
    assert store.read_bytes() == before


def test_a_question_is_judged_before_the_store_is_read(run: Run) -> None:
    for command in (
        ["check", "a@x.example", "ftp", "10.0.0.1"],
        ["check", "a@x.example", "pop", "10.0.0"],
        ["check", "nobody", "pop", "10.0.0.1"],
        ["check", "a@x.example", "pop"],
        ["check"],
        ["server", "set", "edition", "gold"],
        ["lan", "add", "10.0.0.1/8"],
        ["pop", "on"],
        ["pop", "on", "a@x.example", "--all"],
        ["template", "add", "A"],
    ):
        assert run("--file", "missing.toml", *command).status == 2, command
    assert run("--file", "missing.toml", "check", "a@x.example", "pop", "10.0.0.1").status == 3


def test_accounts_that_are_not_there_or_there_already(run: Run, store: Path) -> None:
    before = store.read_bytes()
    file = ("--file", str(store))
    for command in (
        ["pop", "on", "nobody@example.com"],
        ["account", "remove", "nobody@example.com"],
        ["account", "show", "nobody@example.com"],
        ["account", "rename", "nobody@example.com", "x@example.com"],
        ["account", "suspend", "nobody@example.com"],
        ["check", "nobody@example.com"],
        ["template", "assign", "nothing", "alice@example.com"],
        ["template", "show", "nothing"],
        ["pop", "on", "--in-template", "nothing"],
        ["pop", "on", "--with-template", "nothing"],
        ["pop", "on", "--domain", "nothing.example"],
        ["smart-host", "show", "nobody@example.com"],
        ["pop", "on", "alice@example.com", "nobody@example.com"],
    ):
        assert run(*file, *command).status == 4, command
    for command in (
        ["account", "add", "alice@example.com", "--pop", "off"],
        ["account", "rename", "alice@example.com", "bob@example.com"],
    ):
        assert run(*file, *command).status == 5, command
    assert run(*file, "account", "remove", "nobody@example.com", "--if-exists").status == 0
    assert run(*file, "account", "add", "alice@example.com", "--pop", "lan-only").status == 0
    assert store.read_bytes() == before
    assert "did you mean alice@example.com?" in run(*file, "pop", "on", "alicia@example.com").err


def test_bulk_names_every_unknown_and_changes_nothing(program: Run, store: Path) -> None:
    before = store.read_bytes()
    lines = "# new colleagues\nbob@example.com\n\n x@example.com \ny@example.com\n"
    refused = program("--file", str(store), "pop", "on", "-", stdin=lines)
    assert refused.status == 4
    assert "x@example.com, y@example.com" in refused.err
    assert store.read_bytes() == before
    skipped = program("--file", str(store), "pop", "on", "-", "--skip-unknown", stdin=lines)
    assert skipped.status == 0
    assert skipped.out == "bob@example.com\tpop\ton, from anywhere\tchanged\n"
    assert "x@example.com, y@example.com" in skipped.err


def test_the_formats_of_a_command_are_named(run: Run, store: Path) -> None:
    told = run("--format", "xml", "account", "export", "--file", "accounts.toml").err
    assert told == "mailpolicy: this command has no format 'xml': use text, json, csv, ndjson or toml\n"
    assert "--format is text, json, csv, ndjson or toml; the default is text." in run("account", "export", "--help").out


def test_usage_errors_are_two(run: Run, store: Path) -> None:
    for command in (
        ["frobnicate"],
        ["pop"],
        ["pop", "frobnicate"],
        ["check", "--frobnicate"],
        ["--file"],
        ["--format", "xml", "account", "list"],
        ["--lock-timeout", "soon", "account", "list"],
        ["--quiet=1", "account", "list"],
        ["--file", "", "account", "list"],
        ["--file=", "account", "list"],
        ["pop", "off", "--lan-only", "bob@example.com"],
        ["account", "rename", "a@x.example"],
        ["account", "add", "a@x.example", "--pop", "maybe"],
        ["check", "a@x.example", "pop", "1.2.3.4", "5"],
        ["pop", "on", "--lan-only", "--anywhere", "bob@example.com"],
        ["multipop", "lan-only", "bob@example.com"],
        ["--format", "github", "check", "a@x.example", "pop", "1.2.3.4"],
    ):
        result = run(*command, "--file", str(store)) if command != ["--file"] else run(*command)
        assert result.status == 2, (command, result)
        assert "Traceback" not in result.err
        if command[0] != "--format":
            assert run("--json", *command).status == 2
    spoken = run("--json", "pop", "frobnicate")
    assert json.loads(spoken.out)["code"] == "usage"


@pytest.mark.parametrize("unbuffered", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    "command",
    [("export", "dovecot"), ("validate", "--format", "sarif"), ("pop", "off", "--all", "--dry-run")],
    ids=" ".join,
)
def test_a_file_that_takes_a_part_is_not_written(
    command: tuple[str, ...], unbuffered: dict[str, str], tmp_path: Path
) -> None:
    """As on a disk that fills up: a policy that was cut must not look like one."""
    store, out = tmp_path / "accounts.toml", tmp_path / "out"
    accounts = "".join(f'[accounts."u{number}@x.example"]\npop = true\ntemplat = "x"\n' for number in range(3000))
    if command[0] != "validate":
        accounts = accounts.replace('templat = "x"\n', "")
    store.write_text(f'version = 1\n[server]\nedition = "pro"\n{accounts}')
    with open(out, "wb") as file:
        done = subprocess.run(
            [*PROGRAM, "--file", str(store), *command],
            stdout=file,
            stderr=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | unbuffered,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
            check=False,
        )
    assert (done.returncode, out.stat().st_size) == (74, 4096)
    assert b"stdout could not be written" in done.stderr
