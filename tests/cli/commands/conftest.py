"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands.desk import Desk
from tests.cli.commands.repositories import Git
from tests.helpers import MINIMAL, RELAYED, Result, Run, missing


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store that names two secrets, and what a keyring of the tests' own needs."""
    (tmp_path / "accounts.toml").write_text(RELAYED.replace("\npop = true", '\npop = true\nsmart_host_login = "al"'))
    monkeypatch.setenv("TEST_KEYRING", str(tmp_path / "keyring.json"))
    monkeypatch.setenv("TEST_STORE", str(tmp_path / "accounts.toml"))
    monkeypatch.setenv("MAILPOLICY_FILE", str(tmp_path / "accounts.toml"))
    return tmp_path


@pytest.fixture
def desk(tmp_path: Path, store: Path) -> Desk:
    """A machine that keeps a journal, at a terminal."""
    return Desk(tmp_path, store)


@pytest.fixture
def journaled(store: Path) -> list[str]:
    """A machine that keeps a journal; the options of a run there."""
    host = store.with_name("host.toml")
    host.write_text("journal = true\n")
    return ["--file", str(store), "--host-config", str(host)]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """git in a fresh repository whose first commit has the store; nobody's own configuration is read."""
    if shutil.which("git") is None:
        missing("git is missing: Debian package git")
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t.example", *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    git("init", "-q")
    (tmp_path / "accounts.toml").write_text(MINIMAL)
    git("add", "accounts.toml")
    git("commit", "-q", "-m", "first")
    return git


@pytest.fixture
def deploy(run: Run, store: Path, tmp_path: Path) -> Run:
    """Run a command with a host.toml of the given text, in which `{}` is the test's own folder."""

    def deploy(text: str, *arguments: str) -> Result:
        (tmp_path / "host.toml").write_text(text.replace("{}", str(tmp_path)))
        return run("--file", str(store), "--host-config", str(tmp_path / "host.toml"), *(arguments or ("deploy",)))

    return deploy
