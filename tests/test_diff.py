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

from tests.helpers import MINIMAL, ROOT, Run, missing

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
    assert "git has it as a file of a revision too" in program("diff", "--", "-x:accounts.toml", "accounts.toml").err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("HEAD~7:accounts.toml", "there is no revision HEAD~7 here"),
        ("nobody:accounts.toml", "there is no revision nobody here"),
        ("HEAD:none.toml", "'none.toml' does not exist in HEAD: if the file is new, --missing-ok"),
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
    assert "git, which could know it, is not installed" in result.err


def test_an_error_names_the_store_that_has_it(program: Run, store: Path) -> None:
    store.with_name("bad.toml").write_text("version = 1\npopp = true\n")
    told = json.loads(program("diff", "bad.toml", "accounts.toml", "--json").out)
    assert (told["exit"], told["file"]) == (3, "bad.toml")


NEITHER = "no such file or directory, and no revision in the repository of {}"


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
    assert "'sub/accounts.toml' does not exist in before: if the file is new, --missing-ok" in result.err
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
    assert "before: this is a file here and a revision in git too: write ./before for the file" in result.err
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
        assert "does not exist, so everything is compared with an empty store" in result.err
        assert result.out == program("diff", "/dev/null", "new.toml").out
        assert program("--file", "new.toml", "diff", *old).status == 3
    for bad in ("nobody:new.toml", "nobody/old.toml:new.toml", "HEAD:bad.toml"):
        (tmp_path / "bad.toml").write_text("x")
        git("add", "bad.toml")
        git("commit", "-q", "--allow-empty", "-m", "bad")
        assert program("diff", bad, "new.toml", "--missing-ok").status == 3
    assert program("diff", "accounts.toml", "HEAD:none.toml", "--missing-ok").status == 3, "NEW is always there"


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
