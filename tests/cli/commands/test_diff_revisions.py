"""Check which file a revision names."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands.repositories import ROW, WIDER, Git
from tests.helpers import MINIMAL, ROOT, Run


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


def test_a_repository_without_a_commit_lacks_the_file(program: Run, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "accounts.toml").write_text(MINIMAL)
    for old in ((), ("HEAD",), ("HEAD:accounts.toml",)):
        told = program("diff", *old, "--file", "accounts.toml")
        assert (told.status, "this repository has no commit yet; add --missing-ok" in told.err) == (3, True)
        assert "shallow" not in told.err
        shown = program("diff", *old, "--file", "accounts.toml", "--missing-ok", "--fail-on", "widened")
        assert (shown.status, "alice@example.com" in shown.out) == (1, True)
        assert "note: HEAD:accounts.toml does not exist; comparing with an empty store" in shown.err


def test_a_file_comes_before_a_revision(git: Git, program: Run, tmp_path: Path) -> None:
    (tmp_path / "HEAD:accounts.toml").write_text(WIDER)
    result = program("diff", "accounts.toml", "HEAD:accounts.toml")
    assert result.out == ROW.format("HEAD:accounts.toml")
    assert "warning: HEAD:accounts.toml is both a file here and a file in a git revision" in result.err


def test_a_file_of_the_tree_does_not_stand_for_what_it_is_held_against(git: Git, program: Run, tmp_path: Path) -> None:
    for name in ("accounts.toml", "HEAD:accounts.toml"):
        (tmp_path / name).write_text(WIDER)
    result = program("diff", "HEAD:accounts.toml", "accounts.toml", "--fail-on", "widened")
    assert (result.status, result.out) == (3, "")
    assert "write ./HEAD:accounts.toml, or remove the file" in result.err
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


def test_a_revision_may_begin_with_a_dash(git: Git, program: Run, tmp_path: Path) -> None:
    """No branch of git's own making does, but a name in a repository under review may; it stays a name."""
    (tmp_path / "link.toml").symlink_to("accounts.toml")
    git("add", "link.toml")
    git("commit", "-q", "-m", "link")
    git("update-ref", "refs/heads/-x", "HEAD")
    for given in (["-x:accounts.toml", "accounts.toml"], ["-x:accounts.toml"], ["-x"]):
        assert program("--file", "accounts.toml", "diff", "--", *given) == (0, "", "")
    assert "this is a symbolic link in git" in program("diff", "--", "-x:link.toml", "accounts.toml").err
    assert "does not exist in -x" in program("diff", "--", "-x:none.toml", "accounts.toml").err
    (tmp_path / "-x:accounts.toml").write_text(WIDER)
    assert (
        "both a file here and a file in a git revision"
        in program("diff", "--", "-x:accounts.toml", "accounts.toml").err
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("HEAD~7:accounts.toml", "no revision HEAD~7 in this repository"),
        ("nobody:accounts.toml", "no revision nobody in this repository"),
        ("HEAD:none.toml", "'none.toml' does not exist in HEAD: if the file is new, add --missing-ok"),
        (":none.toml", "'none.toml' does not exist in the index"),
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
    assert "git is not installed, so" in result.err


def test_an_error_names_the_store_that_has_it(program: Run, store: Path) -> None:
    store.with_name("bad.toml").write_text("version = 1\npopp = true\n")
    told = json.loads(program("diff", "bad.toml", "accounts.toml", "--json").out)
    assert (told["exit"], told["file"]) == (3, "bad.toml")


NEITHER = "no such file, and no such revision in the repository of {}"


def test_one_side_or_none_is_the_store(git: Git, program: Run, tmp_path: Path) -> None:
    git("branch", "before")
    (tmp_path / "sub").mkdir()
    git("mv", "accounts.toml", "sub/accounts.toml")
    git("commit", "-q", "-m", "moved")
    store = tmp_path / "sub" / "accounts.toml"
    store.write_text(WIDER)
    row = ROW.format(store)
    link = tmp_path / "link.toml"
    link.symlink_to("sub/accounts.toml")
    elsewhere = tmp_path / "sub" / "deeper"
    elsewhere.mkdir()
    for named in (str(store), str(link)):
        for given in ([], ["HEAD"], ["HEAD~0"], ["HEAD:sub/accounts.toml"], ["before:accounts.toml"], ["-"]):
            result = program("--file", named, "diff", *given, stdin=MINIMAL)
            assert (result.status, result.out) == (0, row.replace(str(store), named)), given
    (elsewhere / "old.toml").write_text(MINIMAL)
    done = subprocess.run(
        ["mailpolicy", "diff", "old.toml", "--file", "../accounts.toml", "--fail-on", "widened"],
        cwd=elsewhere, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, ROW.format("../accounts.toml"))
    told = json.loads(program("--file", str(store), "diff", "--json").out)
    assert (told["old"], told["new"]) == ("HEAD:sub/accounts.toml", str(store))
    result = program("--file", str(store), "diff", "before")
    assert result.status == 3
    assert "'sub/accounts.toml' does not exist in before: if the file is new, add --missing-ok" in result.err
    result = program("--file", str(store), "diff", "befor")
    assert result.status == 3
    assert NEITHER.format(store) in result.err
    assert "fetch-depth: 0" in result.err
    assert program("--file", str(store), "diff", "a", "b", "c").status == 2


def test_the_store_is_in_no_repository(git: Git, program: Run, store: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / ".git")
    quiet = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    for given in ([], ["main"]):
        result = program("--file", str(store), "diff", *given, env=quiet)
        assert (result.status, result.out) == (3, "")
        assert ("not a git repository" if not given else NEITHER.format(store)) in result.err


def test_a_file_does_not_stand_for_a_revision_alone(git: Git, program: Run, tmp_path: Path) -> None:
    git("branch", "before")
    for name in ("before", "accounts.toml"):
        (tmp_path / name).write_text(WIDER)
    result = program("--file", "accounts.toml", "diff", "before", "--fail-on", "widened")
    assert (result.status, result.out) == (3, "")
    assert "before: both a file here and a git revision; write ./before, or remove the file" in result.err
    assert program("--file", "accounts.toml", "diff", "./before", "--fail-on", "widened") == (0, "", "")
    assert "the file is used" in program("--file", "accounts.toml", "diff", "before").err
    assert program("--file", "accounts.toml", "diff", "HEAD", "--fail-on", "widened").status == 1
    (tmp_path / "HEAD").write_text(WIDER)
    assert program("--file", "accounts.toml", "diff", "--fail-on", "widened").status == 1, "HEAD that is meant is git's"


def test_a_file_that_is_new_on_the_branch(git: Git, program: Run, tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text(MINIMAL)
    for old in (["HEAD:new.toml"], ["HEAD"], [], ["old.toml", "new.toml"], [":new.toml"]):
        result = program("--file", "new.toml", "diff", *old, "--missing-ok", "--fail-on", "widened")
        assert result.status == 1, "what cannot be compared does not pass as harmless"
        assert "does not exist; comparing with an empty store" in result.err
        assert result.out == program("diff", "/dev/null", "new.toml").out
        assert program("--file", "new.toml", "diff", *old).status == 3
    for bad in ("nobody:new.toml", "nobody/old.toml:new.toml", "HEAD:bad.toml"):
        (tmp_path / "bad.toml").write_text("x")
        git("add", "bad.toml")
        git("commit", "-q", "--allow-empty", "-m", "bad")
        assert program("diff", bad, "new.toml", "--missing-ok").status == 3
    assert program("diff", "accounts.toml", "HEAD:none.toml", "--missing-ok").status == 3, "NEW is always there"
