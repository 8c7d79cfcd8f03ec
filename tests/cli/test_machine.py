"""host.toml: whatever is wrong with it ends every command that reads it, before anything is changed, and is said once."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from tests.helpers import MINIMAL, Run

EXPORT = '[exports.a]\ntarget = "dovecot"\npath = "/nowhere/a"\n'
# the file, the line, and what is said
WRONG: list[tuple[bytes, int | None, str]] = [
    (b"# first\nkeyring_backends = 1\n", 2, "unknown key 'keyring_backends', did you mean keyring_backend?"),
    (b"[server]\n", 1, "unknown key 'server': the keys of host.toml are "),
    (b"\n\nkeyring_backend = true\n", 3, "keyring_backend must be a string"),
    (b'# one\nexports = "dovecot"\n', 2, "exports must be a table"),
    (b'\nsecrets_file = "secrets"\n', 2, "secrets_file must be an absolute path"),
    (b'\nrepository = "policy.git"\n', 2, "repository must be an absolute path"),
    (b'[exports.a]\ntarget = "dovecot"\nexports = 1\npath = "/x"\n', 3, "exports.a: unknown key 'exports'"),
    (EXPORT.encode() + b'mode = "0666"\n', 4, "exports.a: mode 0666 lets other users write"),
    (b'\n[exports.a]\ntarget = "dovecott"\npath = "/x"\n', 3, "did you mean dovecot?"),
    (b"keyring_backend = 'x'\nkey_file = \n", 2, "the value is missing after =: "),
    (b"\xff\n", 1, "byte 0xff is not UTF-8: save the file as UTF-8"),
    (b"key_file = " + b"[" * 5000, 1, "nested too deep"),
]
READERS = (
    ("pop", "off", "alice@example.com"),
    ("pop", "off", "alice@example.com", "--dry-run"),
    ("lan", "add", "192.168.0.0/16"),
    ("multipop", "source", "add", "bob@example.com", "isp", "--host", "h.example", "--login", "l"),
    ("account", "remove", "alice@example.com"),
    ("smart-host", "set", "alice@example.com", "--login", "a", "--password-file", "password"),
    ("smart-host", "show", "--server"),
    ("install", "new.toml"),
    ("secrets", "list"),
    ("secrets", "verify"),
    ("validate", "--secrets"),
    ("deploy",),
    ("deploy", "--check"),
)


@pytest.fixture
def given(store: Path, tmp_path: Path) -> list[str]:
    """The options of a run with the host.toml of the test."""
    (tmp_path / "password").write_text("secret")
    (tmp_path / "new.toml").write_text(MINIMAL.replace("imap = true", "imap = false"))
    return ["--file", "accounts.toml", "--host-config", "host.toml"]


TRIALS = [
    pytest.param(reader, text, line, said, id=f"{' '.join(reader)}: {said}")
    for reader, (text, line, said) in product(READERS, WRONG)
]


@pytest.mark.parametrize(("reader", "text", "line", "said"), TRIALS)
def test_an_error_ends_what_reads_it(
    run: Run, tmp_path: Path, given: list[str], reader: tuple[str, ...], text: bytes, line: int, said: str
) -> None:
    (tmp_path / "host.toml").write_bytes(text)
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    result = run(*given, *reader)
    assert result.status == 3
    assert result.out == ""
    (error,) = [row for row in result.err.splitlines() if row.startswith("mailpolicy: ")]
    assert error.startswith(f"mailpolicy: host.toml:{line}: ")
    assert said in error
    told = json.loads(run(*given, *reader, "--json").out.splitlines()[-1])
    assert (told["exit"], told["code"], told["file"], told["line"]) == (3, "invalid-host", "host.toml", line)
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


def test_what_does_not_read_it_goes_on(run: Run, tmp_path: Path, given: list[str]) -> None:
    (tmp_path / "host.toml").write_text("[")
    for command in (("check", "alice@example.com", "pop", "10.0.0.1"), ("validate",), ("account", "list"), ("who",)):
        assert run(*given, *command, *(("pop",) if command == ("who",) else ())).status == 0


@pytest.mark.parametrize("kind", ["missing", "directory", "dangling"])
def test_one_that_cannot_be_read(run: Run, tmp_path: Path, given: list[str], kind: str) -> None:
    if kind == "directory":
        (tmp_path / "host.toml").mkdir()
    elif kind == "dangling":
        (tmp_path / "host.toml").symlink_to("nowhere")
    result = run(*given, "pop", "off", "alice@example.com")
    assert (result.status, result.out) == (3, "")
    assert result.err.startswith("mailpolicy: host.toml: ")
    assert (tmp_path / "accounts.toml").read_text() == MINIMAL


def test_none_at_all_can_be_asked_for(run: Run, store: Path) -> None:
    given = ("--file", str(store), "--host-config", "/dev/null")
    result = run(*given, "pop", "off", "alice@example.com")
    assert result.status == 0
    note = "note: --host-config /dev/null: running without host.toml\n"
    assert result.err == note
    # It is said with --quiet too, as with host.toml its guards are left out.
    assert run(*given, "pop", "on", "alice@example.com", "--quiet") == (0, "", note)
    assert run(*given, "deploy").err.endswith("nothing to deploy: there is no [exports.NAME] table\n")


@pytest.mark.parametrize("key", ["keyring_backend", "keyring_service", "secrets_file", "key_file", "exports", "tokens"])
def test_its_keys_are_none_of_the_policy(run: Run, store: Path, key: str) -> None:
    store.write_text(MINIMAL.replace("\n[server]", f'{key} = "x"\n[server]', 1))
    assert f"{key} belongs in host.toml: it is a setting of this machine" in run("validate", str(store)).out


def test_doctor_tells_of_it_once(run: Run, tmp_path: Path, given: list[str]) -> None:
    (tmp_path / "host.toml").write_text("\nkeyrings = 1\n")
    result = run(*given, "doctor")
    assert result.status == 1
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert [row[:2] for row in rows] == [
        ["store", "ok"],
        ["permissions", "ok"],
        ["host.toml", "error"],
        ["commit", "skipped"],
        ["cases", "skipped"],
        ["keyring", "skipped"],
        ["sealed file", "skipped"],
        ["secrets", "skipped"],
        ["tokens", "skipped"],
        ["exports", "skipped"],
        ["dovecot", "skipped"],
        ["clients", "skipped"],
    ]
    assert result.out.count("keyrings") == 1
    assert rows[2][3] == "edit host.toml:2"
    assert {row[2] for row in rows[3:10]} == {"host.toml cannot be read"}


def test_doctor_tells_of_a_broken_store_once(run: Run, tmp_path: Path, store: Path) -> None:
    (tmp_path / "host.toml").write_text(EXPORT)
    for text, cure in (("[", "mailpolicy validate --file accounts.toml"), (None, "mailpolicy init")):
        store.unlink(missing_ok=True)
        if text is not None:
            store.write_text(text)
        result = run("--file", "accounts.toml", "--host-config", "host.toml", "doctor")
        rows = {line.split("\t")[0]: line.split("\t")[1:] for line in result.out.splitlines()}
        assert rows["store"][0] == "error"
        assert rows["store"][2].startswith(cure)
        assert rows["secrets"] == rows["exports"] == ["skipped", "the store cannot be read", "-"]
