"""doctor says which commit the store is: of the repository around it, or of the one that host.toml names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.commands.repositories import WIDER, Git
from tests.cli.commands.test_doctor import doctor
from tests.helpers import NOBODY, Run, needs_root


@pytest.fixture
def commit(run: Run, git: Git, tmp_path: Path) -> Commit:
    (tmp_path / "host.toml").touch()
    return Commit(run, tmp_path)


class Commit:
    """What doctor says of the commit: state, message and what helps; None if it says nothing."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run = run
        self.folder = folder
        self.store = folder / "accounts.toml"
        self.config = folder / "host.toml"

    def __call__(self) -> tuple[str, str, str | None] | None:
        _, checks = doctor(self.run, "--file", str(self.store), "--host-config", str(self.config))
        check = checks.get("commit")
        return (check["state"], check["message"], check["fix"] or check["step"]) if check is not None else None


def short(git: Git, revision: str = "HEAD") -> str:
    return git("rev-parse", "--short=12", revision).strip()


def test_the_repository_around_the_store(commit: Commit, git: Git) -> None:
    head, store = short(git), commit.store
    assert commit() == ("ok", f"{store} is that of commit {head} ({commit.folder})", None)
    store.write_text(WIDER)
    compare = f"mailpolicy diff HEAD --file {store}"
    assert commit() == ("warning", f"{store} differs from that of commit {head} ({commit.folder})", compare)
    assert commit.run(*compare.split()[1:]).out.startswith("alice@example.com\tpop\twidened\t")
    git("rm", "-q", "--cached", "accounts.toml")
    git("commit", "-q", "-m", "without")
    assert commit() == ("ok", f"{store} is not in commit {short(git)} of the repository around it", None)


def test_a_link_is_followed_to_the_repository_of_the_store(commit: Commit, git: Git, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("accounts.toml")
    commit.store = tmp_path / "link"
    assert commit() == ("ok", f"{tmp_path}/link is that of commit {short(git)} ({tmp_path})", None)


def test_no_line_without_a_commit(commit: Commit, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    git("update-ref", "-d", "HEAD")
    assert commit() is None
    shutil.rmtree(commit.folder / ".git")
    assert commit() is None
    monkeypatch.setenv("PATH", str(commit.folder))
    assert commit() is None


def test_the_repository_that_host_toml_names(commit: Commit, git: Git, tmp_path: Path) -> None:
    git("clone", "-q", "--bare", ".", "policy.git")
    bare, head = tmp_path / "policy.git", short(git)
    shutil.rmtree(tmp_path / ".git")
    commit.config.write_text(f'repository = "{bare}"\n')
    assert commit() == (
        "warning",
        f"no commit of {bare} is in force",
        "run mailpolicy-pull COMMIT, see docs/several-nodes.md",
    )
    git("-C", "policy.git", "update-ref", "refs/mailpolicy/in-force", head)
    assert commit() == ("ok", f"{commit.store} is that of commit {head} ({bare})", None)
    commit.store.write_text(WIDER)
    found = commit()
    assert found is not None
    assert found[:2] == (
        "warning",
        f"{commit.store} differs from that of commit {head}, which is in force ({bare})",
    )
    assert found[2] == f"git -C {bare} cat-file blob {head}:accounts.toml | mailpolicy diff - {commit.store}"


def test_root_does_not_read_the_repository_of_another_user(commit: Commit, git: Git, tmp_path: Path) -> None:
    needs_root()
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/trapped\n")
    trap.chmod(0o755)
    foreign = tmp_path / "foreign"
    git("clone", "-q", ".", "foreign")
    git("-C", "foreign", "config", "core.fsmonitor", str(trap))
    commit.store = foreign / "accounts.toml"
    assert commit() == ("ok", f"{commit.store} is that of commit {short(git)} ({foreign})", None)
    for path in (foreign, foreign / ".git"):
        os.chown(path, NOBODY, NOBODY)
    refused = ("skipped", f"the repository {foreign} belongs to another user, so root does not read it", None)
    assert commit() == refused
    commit.store = tmp_path / "accounts.toml"
    commit.config.write_text(f'repository = "{foreign}"\n')
    assert commit() == refused
    assert not (tmp_path / "trapped").exists()
