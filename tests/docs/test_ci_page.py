"""The pull request of docs/ci.md: the job, the server and the diff driver of the page do what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import EXAMPLE, ROOT, missing

PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## A pull request that widens access by accident\n")[2].partition("\n## ")[0]
TIDIED = EXAMPLE.read_text(encoding="utf-8").replace(
    "[templates.contractor]\nimap_lan_only = true\n", "[templates.contractor]\n"
)


def blocks(kind: str, text: str = SECTION) -> list[str]:
    """The examples of one kind, in their order."""
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The main branch, and on another one the change that was meant as a clean-up."""
    if shutil.which("git") is None:
        missing("git is missing: Debian package git")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "somebody@example.com")
    shutil.copy(EXAMPLE, tmp_path / "accounts.toml")
    (tmp_path / "cases.toml").write_text(blocks("toml")[0], encoding="utf-8")
    run(tmp_path, "git init -q -b main && git add . && git commit -q -m policy && git checkout -q -b tidy")
    (tmp_path / "accounts.toml").write_text(TIDIED, encoding="utf-8")
    run(tmp_path, "git commit -q -a -m 'tidy up'")
    return tmp_path


def run(here: Path, script: str) -> str:
    """What a script says on either stream."""
    done = subprocess.run(
        ["bash", "-c", script], cwd=here, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout


def test_on_the_main_branch_all_of_it_passes(repository: Path) -> None:
    run(repository, "git checkout -q main")
    assert run(repository, "mailpolicy test cases.toml --file accounts.toml && echo passed").endswith("passed\n")
    assert (
        run(repository, "mailpolicy diff main:accounts.toml accounts.toml --fail-on any && echo passed") == "passed\n"
    )


def test_the_job_stops_it_and_the_label_lets_it_through(repository: Path) -> None:
    run(repository, "git checkout -q main && git merge -q --no-ff tidy -m merged")
    commands = re.findall(r"^ +- run: (mailpolicy .*)$", blocks("yaml")[0], re.MULTILINE)
    assert len(commands) == 3
    summary = repository / "summary.md"
    results = [run(repository, f"export GITHUB_STEP_SUMMARY={summary}; {command}; echo $?") for command in commands]
    assert [result.splitlines()[-1] for result in results] == ["1", "0", "1"]
    assert results[0].startswith("::error file=cases.toml,line=1,col=1,title=mailpolicy test::")
    assert "| `pedro@contractors.acme.example` | IMAP | **widened** | LAN | anywhere |" in summary.read_text()


def test_the_server_refuses_it_too(repository: Path) -> None:
    install, _ = blocks("sh")[0].splitlines()
    shutil.copy(EXAMPLE, repository / "installed.toml")
    command = install.replace("origin/main", "tidy") + "; echo $?"
    said = run(repository, f"export MAILPOLICY_FILE=installed.toml; {command}")
    assert said.endswith("5\n")
    assert (repository / "installed.toml").read_bytes() == EXAMPLE.read_bytes()
    said = run(repository, f"export MAILPOLICY_FILE=installed.toml; {install.replace('origin/', '')}; echo $?")
    assert said == "installed.toml\tstore\tup to date\tok\n0\n"


def test_the_driver_as_the_page_sets_it_up(repository: Path) -> None:
    setting_up = blocks("sh", PAGE.partition("\n## In `git diff`\n")[2])[0]
    said = run(repository, f"{setting_up}\ngit diff main tidy -- accounts.toml 2>/dev/null")
    assert [line.split("\t")[:5] for line in said.splitlines()] == [
        [f"{name}@contractors.acme.example", "imap", "widened", "LAN", "anywhere"] for name in ("pedro", "quentin")
    ]
