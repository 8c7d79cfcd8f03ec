"""Folders of stores, each with what it becomes for every target; and a file on disk that is not what it should be."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from mailpolicy.export import TARGETS, exporter
from tests.helpers import TESTS, Expected, Result, Run

CASES = TESTS / "exports"
KEYRING = ("--keyring-backend", "tests.backends.Json")
TOKEN = "0123456789abcdef0123456789abcdef"


def _commands() -> list[tuple[str, str, str]]:
    found = []
    for folder in sorted(CASES.iterdir()):
        for line in (folder / "commands").read_text(encoding="utf-8").splitlines():
            name, _, command = line.partition(" ")
            found.append((folder.name, name, command))
    return found


@pytest.fixture
def case(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run an export of a case's store, its secrets in a JSON keyring."""

    def case(name: str, *arguments: str) -> Result:
        for file in ("accounts.toml", "keyring.json"):
            shutil.copy(CASES / name / file, tmp_path / file)
        for file, token in (("token", TOKEN), ("short-token", "short")):
            (tmp_path / file).write_text(f"{token}\n")
            (tmp_path / file).chmod(0o600)
        monkeypatch.setenv("TEST_KEYRING", str(tmp_path / "keyring.json"))
        monkeypatch.setenv("TEST_STORE", str(tmp_path / "accounts.toml"))
        monkeypatch.setenv("MAILPOLICY_FILE", "/etc/mailpolicy/accounts.toml")
        (tmp_path / "host.toml").touch()
        return run("--file", "accounts.toml", "--host-config", "host.toml", *KEYRING, "export", *arguments)

    return case


@pytest.mark.parametrize(("folder", "name", "command"), _commands())
def test_golden(folder: str, name: str, command: str, case: Run, expected: Expected, tmp_path: Path) -> None:
    result = case(folder, *shlex.split(command))
    # Where the file names the store its checksum depends on the place of the test.
    out = re.sub("(?m)^(#|--) sha256 [0-9a-f]{64}$", r"\1 sha256 ...", result.out.replace(str(tmp_path), "/somewhere"))
    shown = out + "".join(f"! {line}\n" for line in result.err.splitlines())
    if result.status:
        shown = f"exit {result.status}\n{shown}"
    else:
        heading, checksum, body = result.out.split("\n", 2)
        comment = "--" if command.startswith("sql ") else "#"
        assert heading.startswith(f"{comment} made by mailpolicy export ")
        assert checksum == f"{comment} sha256 {sha256(body.encode()).hexdigest()}"
    expected(CASES / folder / "expected" / name, shown)


def test_every_target_has_an_example() -> None:
    assert {command.split()[0] for _, _, command in _commands()} == TARGETS.keys()


def test_a_file_is_replaced_and_kept(case: Run, tmp_path: Path) -> None:
    path = tmp_path / "out" / "passwd"
    made = case("acme", "dovecot", "--output", "out/passwd")
    assert (made.status, made.out) == (0, "out/passwd\tdovecot\tupdated\tchanged\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_text(encoding="utf-8") == case("acme", "dovecot").out
    facts = path.stat()
    again = case("acme", "dovecot", "--output", "out/passwd")
    assert (again.status, again.out) == (0, "out/passwd\tdovecot\tup to date\tok\n")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (facts.st_ino, facts.st_mtime_ns)


def test_a_reader_of_whole_seconds_notices(case: Run, tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    case("acme", "dovecot", "--output", "passwd")
    times = [int(path.stat().st_mtime)]
    for name in ("sending", "acme", "sending"):
        case(name, "dovecot", "--output", "passwd")
        times.append(int(path.stat().st_mtime))
    assert times == sorted(set(times))


def test_check_and_diff_write_nothing(case: Run, tmp_path: Path) -> None:
    path = tmp_path / "map"
    arguments = ("postfix-sasl-passwd", "--output", "map")
    missing = case("acme", *arguments, "--check")
    assert (missing.status, missing.out) == (1, "map\tpostfix-sasl-passwd\tmissing\tdiffers\n")
    assert not path.exists()
    assert case("acme", *arguments).status == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert case("acme", *arguments, "--check").status == 0
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("brian", "s3cret-of-before").replace("zoe@example.com zoe", "zoe@example.com zoey"))
    before = path.read_bytes()
    edited = case("acme", *arguments, "--check", "--diff")
    assert edited.status == 1
    assert path.read_bytes() == before
    lines = edited.out.splitlines()
    assert "-o'brien+lists@example.com o'brien:********" in lines
    assert "+o'brien+lists@example.com o'brien:********" in lines
    assert "-zoe@example.com zoey:********" in lines
    for secret in ("brian", "s3cret", "the server's", "ünicode"):
        assert secret not in edited.out + edited.err


@pytest.mark.parametrize(
    ("content", "what"), [("imap/mallory:*::::::\n", "edited by hand"), (None, "not made by mailpolicy")]
)
def test_what_somebody_wrote_is_not_lost(content: str | None, what: str, case: Run, tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    case("acme", "dovecot", "--output", "passwd")
    wanted = path.read_bytes()
    path.write_bytes(wanted + content.encode() if content else b"the work of a week\n")
    before = path.read_bytes()
    refused = case("acme", "dovecot", "--output", "passwd")
    assert refused.status == 5
    assert what in refused.err
    assert path.read_bytes() == before
    assert case("acme", "dovecot", "--output", "passwd", "--force").status == 0
    assert path.read_bytes() == wanted


def test_a_secret_file_that_is_open_is_closed(case: Run, tmp_path: Path) -> None:
    path = tmp_path / "rc"
    case("acme", "fetchmail", "--output", "rc")
    path.chmod(0o644)
    assert case("acme", "fetchmail", "--output", "rc", "--check").status == 1
    assert case("acme", "fetchmail", "--output", "rc").out == "rc\tfetchmail\tupdated\tchanged\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_or_a_fifo_in_its_place(case: Run, tmp_path: Path) -> None:
    (tmp_path / "passwd").mkdir()
    assert case("acme", "dovecot", "--output", "passwd").status == 5
    os.mkfifo(tmp_path / "fifo")
    assert case("acme", "dovecot", "--output", "fifo").status == 5


def test_a_token_that_everybody_reads_is_refused(case: Run, tmp_path: Path) -> None:
    (tmp_path / "token-of-all").write_text(TOKEN)
    (tmp_path / "token-of-all").chmod(0o644)
    refused = case("acme", "dovecot", "--token-file", "token-of-all")
    assert refused.status == 5
    assert "chmod o-r token-of-all" in refused.err
    assert TOKEN not in refused.err


def test_a_path_is_no_second_line_of_an_mpoprc(case: Run, tmp_path: Path) -> None:
    """The command that prints passwords names the store; a line of the format has no escapes."""
    assert case("acme", "mpop").status == 0
    odd = tmp_path / "a\nkeep off"
    odd.mkdir()
    shutil.copy(tmp_path / "accounts.toml", odd)
    refused = case("acme", "mpop", "--file", str(odd / "accounts.toml"))
    assert (refused.status, refused.out) == (5, "")
    assert "has a line break in it" in refused.err


def test_a_missing_password_is_named(case: Run, tmp_path: Path) -> None:
    store = CASES / "without-per-account" / "accounts.toml"
    text = store.read_text(encoding="utf-8").replace("per_account_auth = false", "per_account_auth = true")

    def edited(*arguments: str) -> Result:
        case("without-per-account", "dovecot")  # lays the files
        (tmp_path / "accounts.toml").write_text(text.replace("multipop = false", "multipop = true"))
        from mailpolicy.cli import main

        assert main(["--file", "accounts.toml", *KEYRING, "--host-config", "host.toml", "export", *arguments]) == 6
        return Result(6, "", "")

    for target in ("postfix-sasl-passwd", "exim-passwd", "fetchmail"):
        edited(target, "--output", "out")
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--check", "--diff", "--force"])
def test_what_is_about_a_file_needs_one(option: str, case: Run) -> None:
    assert case("acme", "dovecot", option).status == 2


def test_secrets_refuse_a_terminal(case: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailpolicy.cli.context._is_terminal", lambda stream: True)
    for arguments in (("postfix-sasl-passwd",), ("exim-passwd",), ("fetchmail",), ("dovecot", "--token-file", "token")):
        refused = case("acme", *arguments)
        assert (refused.status, refused.out) == (5, "")
    assert case("acme", "dovecot").status == 0


@pytest.mark.parametrize(
    ("target", "line", "shown"),
    [
        (
            "fetchmail",
            '  user "joe" there with password "REAL" is "a@x" here',
            '  user "joe" there with password "********" is "a@x" here',
        ),
        ("fetchmail", '  user "joe" pass REAL is joe here', None),
        ("fetchmail", "  password 'REAL'", None),
        ("fetchmail", "  REAL", None),
        ("fetchmail", "# password REAL", None),
        ("fetchmail", "  ssl sslcertck", "  ssl sslcertck"),
        ("postfix-sasl-passwd", "a@x.example a:REAL b c:d", "a@x.example a:********"),
        ("postfix-sasl-passwd", "[relay.example]:587 a:REAL", "[relay.example]:587 a:********"),
        ("postfix-sasl-passwd", "[relay.example]:587\ta:REAL x:y", None),
        ("postfix-sasl-passwd", "a@x.example:REAL x:y", None),
        ("exim-passwd", "*: a:REAL", "*: a:********"),
        ("exim-passwd", "a@x.example:\ta:REAL", None),
        ("exim-passwd", "a:REAL", None),
        ("dovecot", "imap/a@x:REAL::::::allow_nets=fd00::/8", "imap/a@x:********::::::allow_nets=fd00::/8"),
        ("dovecot", "imap/a@x:*::::::", "imap/a@x:*::::::"),
        ("dovecot", "a@x:{PLAIN}REAL::::::", None),
    ],
)
def test_a_line_of_another_form_is_hidden_whole(target: str, line: str, shown: str | None) -> None:
    assert TARGETS[target].masked(line) == (shown or "********")


def test_every_target_is_checked_against_its_protocol() -> None:
    """mypy sees the modules only where they are named; each must offer what is asked of its target."""
    named = {
        names[0]: set(re.findall(r"\w+", names[1]))
        for names in re.findall(r"_(WITH_SECRETS|OTHERS): [^=]*= \(([^)]*)\)", Path(exporter.__file__).read_text())
    }
    masking = {target.module for target in TARGETS.values() if target.secret or target.token}
    assert named == {"WITH_SECRETS": masking, "OTHERS": {target.module for target in TARGETS.values()} - masking}
