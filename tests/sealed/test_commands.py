"""Check that our own commands use the sealed file without keyring, and tell of damage in one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mailpolicy.sealed.file import SecretsFile
from tests.helpers import Run
from tests.sealed.samples import read
from tests.sealing import options

STORE = """\
version = 1

[server]
edition = "pro"
multipop = true

[server.smart_host]
host = "smtp.example.net"
login = "relay"
per_account_auth = true

[accounts."alice@example.com"]
multipop = true
smart_host_login = "alice"

[accounts."alice@example.com".sources.provider]
host = "pop.example.net"
login = "alice"
"""
COMMANDS = [
    ("smart-host", "set", "alice@example.com", "--password-file", "given"),
    ("smart-host", "set", "--server", "--password-file", "given"),
    ("multipop", "source", "set-password", "alice@example.com", "provider", "--password-file", "given"),
    ("multipop", "source", "print-password", "alice@example.com", "provider"),
    ("smart-host", "show", "alice@example.com"),
    ("secrets", "list"),
    ("secrets", "verify"),
    ("secrets", "rotate"),
    ("secrets", "rebind"),
    ("validate", "--secrets"),
    ("export", "postfix-sasl-passwd", "--output", "made"),
    ("account", "rename", "alice@example.com", "carol@example.com"),
    ("multipop", "source", "remove", "carol@example.com", "provider"),
    ("account", "remove", "carol@example.com"),
    ("smart-host", "clear", "--server"),
    ("doctor",),
]


def test_no_command_imports_keyring(tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(STORE)
    (tmp_path / "given").write_text("s3cret")
    use = ["--file", "accounts.toml", *options(tmp_path)]
    whole = [("secrets", "init", "--secrets-file", str(tmp_path / "secrets"), "--key-file", str(tmp_path / "key"))]
    code = (
        "import sys; from mailpolicy.cli import main; status = main(sys.argv[1:]);"
        "sys.exit(status or 99 * any(name.partition('.')[0] == 'keyring' for name in sys.modules))"
    )
    for command in whole + COMMANDS:
        done = subprocess.run(
            [sys.executable, "-c", code, *command, *use], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, (command, done)
    assert read(tmp_path) == {}


DAMAGE = {
    "empty": lambda content: b"",
    "cut in line 1": lambda content: content[:30],
    "cut behind line 1": lambda content: content[: content.index(b"\n") + 5],
    "the last byte cut": lambda content: content[:-1],
    "a byte behind the end": lambda content: content + b"\n",
    "the format word": lambda content: b"M" + content[1:],
    "the version": lambda content: content.replace(b"secrets 1", b"secrets 2", 1),
    "the key id": lambda content: content.replace(content.split()[2], b"0" * 16, 1),
    "the count of writes": lambda content: content.replace(b" 1\n", b" 0\n", 1),
    "a bit": lambda content: content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
    "another file": lambda content: b"[server]\n" * 1000,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_told_in_one_sentence_and_never_sealed_again(
    run: Run, filled: SecretsFile, tmp_path: Path, damage: str
) -> None:
    (tmp_path / "accounts.toml").write_text(STORE)
    (tmp_path / "given").write_text("new")
    path = tmp_path / "secrets"
    content = DAMAGE[damage](path.read_bytes())
    path.write_bytes(content)
    for command in (COMMANDS[0], ("secrets", "list"), ("secrets", "rotate"), ("secrets", "init")):
        result = run(*command, "--file", "accounts.toml", *options(tmp_path))
        assert (result.status, result.out, result.err.count("\n")) == (6, "", 1), result
        assert result.err.startswith(f"mailpolicy: {path}: ")
        assert path.read_bytes() == content
    assert sorted(file.name for file in tmp_path.glob("[ks]e*")) == ["key", "secrets", "secrets.lock"]
