"""diff on real repositories: REV:PATH as git has it, and as a diff driver."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import MINIMAL, ROOT, Run, missing

WIDER = MINIMAL.replace("pop_lan_only = true", "pop_lan_only = false")
ROW = 'alice@example.com\tpop\twidened\tLAN\tanywhere\taccounts."alice@example.com".pop_lan_only {}:18\n'

Git = Callable[..., str]


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


def test_a_revision_a_file_and_stdin(git: Git, program: Run, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text(WIDER)
    assert program("diff", "HEAD:accounts.toml", "accounts.toml").out == ROW.format("accounts.toml")
    assert program("diff", "HEAD:accounts.toml", "-", stdin=WIDER).out == ROW.format("-")
    assert program("diff", ":accounts.toml", "HEAD:accounts.toml") == (0, "", "")  # the index
    git("add", "accounts.toml")
    assert program("diff", "HEAD:accounts.toml", ":accounts.toml").out == ROW.format(":accounts.toml")
    git("commit", "-q", "-m", "second")
    assert program("diff", "HEAD~1:accounts.toml", "HEAD:accounts.toml").out == ROW.format("HEAD:accounts.toml")
    assert program("diff", "HEAD:accounts.toml", "HEAD~1:./accounts.toml", "--fail-on", "widened").status == 0
    assert program("diff", "HEAD:accounts.toml", "HEAD~1:./accounts.toml", "--fail-on", "narrowed").status == 1


def test_a_file_comes_before_a_revision(git: Git, program: Run, tmp_path: Path) -> None:
    (tmp_path / "HEAD:accounts.toml").write_text(WIDER)
    result = program("diff", "accounts.toml", "HEAD:accounts.toml")
    assert result.out == ROW.format("HEAD:accounts.toml")
    assert "warning: HEAD:accounts.toml: this is a file here, and git has it as a file of a revision too" in result.err


def test_a_file_of_the_tree_does_not_stand_for_what_it_is_held_against(git: Git, program: Run, tmp_path: Path) -> None:
    for name in ("accounts.toml", "HEAD:accounts.toml"):
        (tmp_path / name).write_text(WIDER)
    result = program("diff", "HEAD:accounts.toml", "accounts.toml", "--fail-on", "widened")
    assert (result.status, result.out) == (3, "")
    assert "write ./HEAD:accounts.toml for the file" in result.err
    assert program("diff", "./HEAD:accounts.toml", "accounts.toml", "--fail-on", "widened").status == 0


def test_a_revision_is_never_an_option_and_no_filter_runs(git: Git, program: Run, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (tmp_path / ".gitattributes").write_text("* diff=trap filter=trap\n")
    for key in ("diff.trap.textconv", "filter.trap.smudge"):
        git("config", key, f"sh -c 'touch {shlex.quote(str(trap))}; cat'")
    git("config", "core.attributesFile", ".gitattributes")
    assert program("diff", "HEAD:accounts.toml", "accounts.toml") == (0, "", "")
    assert not trap.exists()
    refused = program("diff", "--", "--textconv:accounts.toml", "accounts.toml")
    assert refused.status == 3
    assert not trap.exists()
    output = tmp_path / "out"
    assert program("diff", "--", f"--output={output}:accounts.toml", "accounts.toml").status == 3
    assert not output.exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("HEAD~7:accounts.toml", "invalid object name 'HEAD~7'"),
        ("nobody:accounts.toml", "invalid object name 'nobody'"),
        ("HEAD:none.toml", "'none.toml'"),
        ("none.toml", "none.toml: no such file or directory"),
        (".", "this is a directory"),
        ("HEAD:bad.toml", "HEAD:bad.toml:1:1: error[MP001]: byte 0xff is not UTF-8"),
    ],
)
def test_what_cannot_be_read(git: Git, program: Run, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "bad.toml").write_bytes(b"\xff\x00\xfe")
    git("add", "bad.toml")
    git("commit", "-q", "-m", "bad")
    for pair in ((name, "accounts.toml"), ("accounts.toml", name)):
        result = program("diff", *pair)
        assert (result.status, result.out) == (3, "")
        assert said in result.err
        assert "Traceback" not in result.err
    assert "init" not in program("diff", name, "accounts.toml").err


@pytest.mark.parametrize(
    ("name", "target", "tried"),
    [
        ("HEAD:link.toml", "accounts.toml", "HEAD:accounts.toml"),
        (":link.toml", "accounts.toml", ":accounts.toml"),
        (":0:./link.toml", "accounts.toml", ":0:./accounts.toml"),
        ("HEAD^{/a:b}:deep/er/up.toml", "../../accounts.toml", "HEAD^{/a:b}:accounts.toml"),
        (":deep/er/up.toml", "../../accounts.toml", ":accounts.toml"),
        ("HEAD:./deep/er/up.toml", "../../accounts.toml", "HEAD:./accounts.toml"),
        ("HEAD:away.toml", "/etc/mailpolicy/accounts.toml", "/etc/mailpolicy/accounts.toml"),
        ("HEAD:odd.toml", "a\nb `c`.toml", None),
        ("HEAD:deep/er/out.toml", "../../../accounts.toml", None),
    ],
)
def test_a_link_in_git(git: Git, program: Run, tmp_path: Path, name: str, target: str, tried: str | None) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link.toml").symlink_to("accounts.toml")
    (tmp_path / "deep" / "er" / "up.toml").symlink_to("../../accounts.toml")
    (tmp_path / "away.toml").symlink_to("/etc/mailpolicy/accounts.toml")
    (tmp_path / "deep" / "er" / "out.toml").symlink_to("../../../accounts.toml")
    (tmp_path / "odd.toml").symlink_to("a\nb `c`.toml")
    git("add", "-A")
    git("commit", "-q", "-m", "a:b")
    result = program("diff", name, "accounts.toml")
    assert (result.status, result.out) == (3, "")
    told, *fix = result.err.splitlines()
    shown = target.replace("\n", "\\n")
    assert told == f"mailpolicy: {name}: this is a symbolic link in git, to '{shown}'"
    assert fix == ([f"  try: mailpolicy diff {shlex.quote(tried)} accounts.toml"] if tried else [])
    spoken = json.loads(program("diff", "accounts.toml", name, "--json").out)
    assert spoken["fix"] == (f"mailpolicy diff accounts.toml {shlex.quote(tried)}" if tried else None)
    if tried and tried[0] != "/":
        assert program("diff", tried, "accounts.toml") == (0, "", "")


def test_a_small_store_without_a_newline_is_no_link(git: Git, program: Run, tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("version = 1")
    git("add", "one.toml")
    assert program("diff", ":one.toml", "one.toml") == (0, "", "")


def test_outside_a_repository_and_without_git(program: Run, store: Path, tmp_path: Path) -> None:
    quiet = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    result = program("diff", "HEAD:x", str(store), env=quiet)
    assert (result.status, result.out) == (3, "")
    assert "not a git repository" in result.err
    bare = {**os.environ, "PATH": str(tmp_path), "PYTHONPATH": str(ROOT / "src")}
    result = program("diff", "HEAD:x", str(store), env=bare)
    assert result.status == 3
    assert "git, which could know it, is not installed" in result.err


def test_an_error_names_the_store_that_has_it(program: Run, store: Path) -> None:
    store.with_name("bad.toml").write_text("version = 1\npopp = true\n")
    told = json.loads(program("diff", "bad.toml", "accounts.toml", "--json").out)
    assert (told["exit"], told["file"]) == (3, "bad.toml")


def test_one_stdin_only(program: Run) -> None:
    assert program("diff", "-", "-").status == 2


@pytest.fixture
def driver(git: Git, tmp_path: Path) -> Git:
    """The repository with the driver that docs/ci.md tells of."""
    git("config", "diff.mailpolicy.command", "mailpolicy diff --git-driver")
    (tmp_path / ".gitattributes").write_text("accounts.toml diff=mailpolicy\n")
    git("add", ".gitattributes")
    git("commit", "-q", "-m", "driver")
    return git


def test_git_diff_speaks_of_access(driver: Git, tmp_path: Path) -> None:
    (tmp_path / "accounts.toml").write_text("# a comment\n" + MINIMAL)
    assert driver("diff") == ""
    (tmp_path / "accounts.toml").write_text(WIDER)
    (tmp_path / "other").write_text("x\n")
    driver("add", "-N", "other")
    assert driver("diff") == ROW.format("b/accounts.toml") + driver("diff", "--no-ext-diff", "other")
    assert "+pop_lan_only = false" in driver("diff", "--no-ext-diff")
    driver("commit", "-q", "-am", "wider")
    assert driver("show", "--ext-diff", "--format=%s", "HEAD", "--", "accounts.toml").endswith(
        ROW.format("b/accounts.toml")
    )


def test_git_s_reader_may_stop_early(driver: Git, tmp_path: Path) -> None:
    """More than a pipe holds, and a reader of one line: the diff of the other files goes on."""
    many = "".join(f'[accounts."user{number}@example.com"]\npop = true\n' for number in range(3000))
    (tmp_path / "accounts.toml").write_text(MINIMAL + many)
    done = subprocess.run("git diff | head -1", shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("user0@example.com\t")
    assert done.stderr == ""


def test_the_driver_on_added_deleted_renamed_and_broken_stores(driver: Git, tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    driver("rm", "-q", "accounts.toml")
    gone = driver("diff", "HEAD")
    assert (
        'alice@example.com\tpop\tnarrowed\tLAN\tnowhere\taccounts."alice@example.com" removed, a/accounts.toml:16'
        in gone
    )
    driver("commit", "-q", "-m", "gone")
    path.write_text(MINIMAL)
    driver("add", "accounts.toml")
    assert 'bob@example.com\timap\twidened\tnowhere\tanywhere\taccounts."bob@example.com" b/accounts.toml:20' in driver(
        "diff", "HEAD"
    )
    driver("commit", "-q", "-m", "back")
    path.write_text("version = 1\npopp = true\n")
    assert driver("diff") == (
        "b/accounts.toml:2:1: error[MP005]: unknown key 'popp', did you mean pop? it belongs in an account\n"
    )
    path.write_text(MINIMAL)
    (tmp_path / "more").mkdir()
    driver("mv", "accounts.toml", "more/accounts.toml")
    (tmp_path / "more" / "accounts.toml").write_text(WIDER)
    driver("add", "-A")
    assert driver("diff", "HEAD", "-M") == ROW.format("b/more/accounts.toml")


def test_the_driver_on_a_link(driver: Git, tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.rename(tmp_path / "real.toml")
    path.symlink_to("real.toml")
    other = tmp_path / "other.txt"
    other.write_text("x\n")
    driver("add", "-N", "other.txt")
    wanted = "b/accounts.toml: this is a symbolic link in git, to 'real.toml'\n"
    assert driver("diff").endswith(wanted + driver("diff", "--no-ext-diff", "other.txt"))
    driver("add", "-A")
    driver("commit", "-q", "-m", "link")
    path.unlink()
    path.symlink_to("other.txt")
    assert driver("diff") == wanted.replace("b/", "a/") + wanted.replace("real.toml", "other.txt")
    driver("rm", "-q", "-f", "accounts.toml")
    assert driver("diff", "HEAD") == wanted.replace("b/", "a/")


def test_the_driver_while_a_merge_waits(driver: Git, tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    driver("checkout", "-q", "-b", "other")
    path.write_text(WIDER)
    driver("commit", "-q", "-am", "wider")
    driver("checkout", "-q", "-")
    path.write_text(MINIMAL.replace("pop_lan_only = true", "imap = false"))
    driver("commit", "-q", "-am", "narrower")
    with pytest.raises(subprocess.CalledProcessError):
        driver("merge", "other")
    assert driver("diff", "--cached") == "accounts.toml: unmerged, there is nothing to compare yet\n"
    assert driver("diff", "HEAD") == "b/accounts.toml:18:1: error[MP002]: not TOML: invalid statement\n"


def test_the_driver_is_given_what_git_gives(program: Run) -> None:
    assert program("diff", "--git-driver", "a", "b", "c").status == 2


def test_a_comment_stays_a_comment_whatever_a_file_is_called(program: Run, store: Path) -> None:
    odd = store.with_name("a|b`c`\n@someone <!--.toml")
    odd.write_text(WIDER)
    comment = program("diff", store.name, odd.name, "--format", "markdown").out
    rows = [line for line in comment.splitlines() if line.startswith("| `alice")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 7
    assert "`` a\\|b`c`\\n@someone <!--.toml:18 ``" in rows[0]


def test_a_comment_is_no_longer_than_a_comment_may_be(program: Run, store: Path) -> None:
    accounts = "".join(f'[accounts."u{number}@example.com"]\npop = true\n' for number in range(1000))
    store.write_text(MINIMAL + accounts)
    store.with_name("new.toml").write_text(MINIMAL + accounts.replace("pop = true", "pop = false"))
    comment = program("diff", store.name, "new.toml", "--format", "markdown").out
    assert len(comment) < 65_536
    assert comment.endswith("\n800 more are not shown; `mailpolicy diff` lists all.\n")
