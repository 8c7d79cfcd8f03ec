"""Check what `diff` prints, also as the diff driver of git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.commands.repositories import ROW, WIDER, Git
from tests.helpers import MINIMAL, Run


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
        "b/accounts.toml:2:1: error[MP005]: unknown key 'popp', did you mean pop, which belongs in an account?\n"
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
    assert driver("diff", "--cached") == "accounts.toml: unmerged, nothing to compare yet\n"
    assert driver("diff", "HEAD") == (
        "b/accounts.toml:18:1: error[MP002]: an unresolved merge conflict, up to line 22: keep one side and delete the lines "
        "<<<<<<<, ======= and >>>>>>>\n"
    )


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
