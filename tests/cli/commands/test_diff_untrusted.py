"""Check that git runs and fetches nothing that a repository names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands.repositories import WIDER, Git
from tests.helpers import Run


def test_a_shallow_clone(git: Git, program: Run, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(WIDER)
    git("commit", "-q", "-a", "-m", "second")
    git("clone", "-q", "--depth", "1", f"file://{tmp_path}", "shallow")
    store = tmp_path / "shallow" / "accounts.toml"
    for given in ("HEAD~1", "origin/nobody"):
        result = program("--file", str(store), "diff", given)
        assert result.status == 3
        assert "fetch-depth: 0" in result.err
    done = subprocess.run(
        ["mailpolicy", "diff", "HEAD^1:accounts.toml", "accounts.toml", "--json"],
        cwd=tmp_path / "shallow", capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert (told["exit"], told["code"], told["fix"]) == (3, "no-such-revision", "git fetch --unshallow")
    assert "fetch-depth: 0" in told["message"]


def _promisor(git: Git, tmp_path: Path, **config: str) -> None:
    """Make the repository a partial clone that lacks its store and would fetch it."""
    for key, value in {"core.repositoryFormatVersion": "1", "extensions.partialClone": "origin", **config}.items():
        git("config", key, value)
    blob = git("rev-parse", "HEAD:accounts.toml").strip()
    (tmp_path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()


@pytest.mark.parametrize(
    "config",
    [
        {"remote.origin.url": "ext::sh -c {trap}", "protocol.ext.allow": "always"},
        {"remote.origin.url": "{here}", "remote.origin.uploadpack": "{trap}", "protocol.file.allow": "always"},
        {"remote.origin.url": "ssh://nobody.example/x", "core.sshCommand": "{trap}", "protocol.ssh.allow": "always"},
        {"remote.origin.url": "git://nobody.example/x", "core.gitProxy": "{trap}", "protocol.git.allow": "always"},
        {"remote.origin.url": "x", "remote.origin.vcs": "trap", "protocol.trap.allow": "always"},
    ],
)
def test_nothing_is_fetched(
    git: Git, program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, str]
) -> None:
    trap = tmp_path / "bin" / "git-remote-trap"
    trap.parent.mkdir()
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/trapped\n")
    trap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{trap.parent}:{os.environ['PATH']}")
    _promisor(git, tmp_path, **{key: value.format(trap=trap, here=tmp_path) for key, value in config.items()})
    with pytest.raises(subprocess.CalledProcessError):
        git("cat-file", "blob", "HEAD:accounts.toml")
    assert (tmp_path / "trapped").exists(), "plain git runs it"
    (tmp_path / "trapped").unlink()
    for given in (["HEAD:accounts.toml"], ["HEAD"], []):
        assert program("--file", "accounts.toml", "diff", *given).status == 3
    assert not (tmp_path / "trapped").exists()


def test_no_program_that_the_repository_names_is_run(git: Git, program: Run, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/trapped\n")
    trap.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-index-change", "reference-transaction", "post-checkout", "fsmonitor-watchman"):
        shutil.copy(trap, hooks / hook)
    keys = (
        *("core.fsmonitor", "core.pager", "core.editor", "core.askPass", "core.alternateRefsCommand", "gpg.program"),
        "diff.external",
        "alias.cat-file",
        "alias.ls-tree",
        "alias.rev-parse",
        "credential.helper",
        "pager.ls-tree",
    )
    with (tmp_path / "more").open("w") as more:
        for key in keys:
            section, _, name = key.rpartition(".")
            value = f"!{trap}" if section in ("alias", "credential") else trap
            more.write(f'[{section}]\n\t{name} = "{value}"\n')
    git("config", "core.hooksPath", str(hooks))
    git("config", "include.path", str(tmp_path / "more"))
    (tmp_path / ".git" / "index").touch()
    (tmp_path / "trapped").unlink(missing_ok=True)
    for given in (["HEAD:accounts.toml"], [":accounts.toml"], [":./accounts.toml"], ["HEAD:none"], ["HEAD"], []):
        program("--file", "accounts.toml", "diff", *given)
    assert not (tmp_path / "trapped").exists()


def test_what_was_committed_is_what_is_compared(git: Git, program: Run, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(WIDER)
    git("commit", "-q", "-a", "-m", "second")
    git("replace", "HEAD~1:accounts.toml", "HEAD:accounts.toml")
    git("replace", "--graft", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "third")
    (tmp_path / ".git" / "info" / "grafts").write_text(git("rev-parse", "HEAD"))
    assert program("--file", "accounts.toml", "diff", "HEAD~2", "--fail-on", "widened").status == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root refuses")
def test_root_does_not_read_a_repository_of_somebody_else_s(
    git: Git, program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")
    for folder, folders, files in os.walk(tmp_path):
        for name in (".", *folders, *files):
            os.lchown(os.path.join(folder, name), 65534, 65534)
    monkeypatch.delenv("GIT_CONFIG_GLOBAL")
    sudo = {**os.environ, "SUDO_UID": "65534"}
    for given in (["HEAD:accounts.toml"], ["HEAD"], []):
        told = json.loads(program("--file", "accounts.toml", "diff", *given, "--json", env=sudo).out)
        assert (told["exit"], told["code"]) == (5, "foreign-repository"), given
    trusting = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    assert program("--file", "accounts.toml", "diff", "HEAD", env=sudo | trusting).status == 5
    assert program("--file", "accounts.toml", "diff", "HEAD").status == 0, "root's own configuration trusts it"
