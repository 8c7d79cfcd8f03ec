"""Check that root neither follows nor overwrites a file that somebody planted."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from mailpolicy.system import held
from mailpolicy.system.trust import group_named
from tests.helpers import MINIMAL, NOBODY, Result, Run
from tests.system.victims import VICTIM

DATA = "imap/alice@example.com:*::::::\nimap/bob@example.com:*::::::\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what only root can be led to do")


@pytest.fixture
def sticky(tmp_path: Path) -> Path:
    """A folder like /tmp, where everybody can plant what is not there yet."""
    folder = tmp_path / "sticky"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def _link(place: Path, victim: Path) -> None:
    place.symlink_to(victim)
    os.lchown(place, NOBODY, NOBODY)


def _hard_link(place: Path, victim: Path) -> None:
    os.link(victim, place)


def _file(place: Path, victim: Path) -> None:
    place.write_text("--all\n")
    os.chown(place, NOBODY, NOBODY)


def _fifo(place: Path, victim: Path) -> None:
    os.mkfifo(place)
    os.chown(place, NOBODY, NOBODY)


PLANTED = [_link, _hard_link, _file, _fifo]


def _unharmed(place: Path, victim: Path) -> None:
    assert victim.read_text() == VICTIM
    facts = victim.stat()
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid) == (0o600, 0)
    if place.is_symlink():
        assert os.readlink(place) == str(victim)
    elif place.is_file() and place.stat().st_ino != facts.st_ino:
        assert place.read_text() == "--all\n"


def _deploy(run: Run, sticky: Path, *options: str) -> Result:
    host = sticky.parent / "host.toml"
    host.write_text(
        f'[exports.access]\ntarget = "dovecot"\npath = "{sticky}/passwd"\nreload = ["true"]\nkick = ["echo"]\n'
    )
    return run("--file", str(sticky.parent / "accounts.toml"), "--host-config", str(host), "deploy", *options)


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("suffix", ["kick", "reload", "lock"])
def test_a_planted_note_or_lock_of_an_export(
    plant: Callable[[Path, Path], None], suffix: str, run: Run, store: Path, sticky: Path, victim: Path
) -> None:
    (sticky / "passwd").write_text(DATA)
    planted = sticky / f"passwd.{suffix}"
    plant(planted, victim)
    refused = _deploy(run, sticky, "--kick")
    assert refused.status == 5, refused
    assert f"rm {planted}" in refused.err
    assert "--all" not in refused.out
    _unharmed(planted, victim)


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("suffix", ["lock", "pending"])
def test_a_planted_note_or_lock_of_a_store(
    plant: Callable[[Path, Path], None], suffix: str, run: Run, sticky: Path, victim: Path
) -> None:
    store = sticky / "accounts.toml"
    store.write_text(MINIMAL)
    planted = sticky / f"accounts.toml.{suffix}"
    plant(planted, victim)
    done = run("--file", str(store), "pop", "on", "bob@example.com")
    # A note is only told of by an edit without a secret; it is neither followed nor cleared.
    assert done.status == (5 if suffix == "lock" else 0), done
    assert f"{planted}: this file is in the way and was not made by mailpolicy" in done.err
    _unharmed(planted, victim)


def test_a_planted_temporary_file_is_not_followed(run: Run, sticky: Path, victim: Path) -> None:
    store = sticky / "accounts.toml"
    store.write_text(MINIMAL)
    planted = sticky / ".accounts.toml.new-0123456789abcdef"
    _link(planted, victim)
    assert run("--file", str(store), "pop", "on", "bob@example.com").status == 0
    _unharmed(planted, victim)


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_copy_is_passed_over(
    plant: Callable[[Path, Path], None], run: Run, store: Path, sticky: Path, victim: Path
) -> None:
    """What somebody wrote into an export is kept beside it, under a name that is free."""
    (sticky / "passwd").write_text("somebody's own\n")
    planted = sticky / "passwd.edited"
    plant(planted, victim)
    assert _deploy(run, sticky).status == 0
    assert (sticky / "passwd.edited.1").read_text() == "somebody's own\n"
    _unharmed(planted, victim)


@pytest.mark.parametrize("plant", [_link, _file])
def test_a_planted_export_is_refused(
    plant: Callable[[Path, Path], None], run: Run, store: Path, sticky: Path, victim: Path
) -> None:
    """Its owner would get whatever the policy says, passwords too."""
    planted = sticky / "passwd"
    plant(planted, victim)
    for refused in (
        _deploy(run, sticky),
        run("--file", str(store), "export", "postfix-sender-login", "--output", str(planted), "--force"),
    ):
        assert refused.status == 5, refused
        assert f"chown {'-h ' if plant is _link else ''}root {planted}" in refused.err
    _unharmed(planted, victim)


@pytest.mark.parametrize("suffix", ["lock", "log", "pending", "edit.lock", "pending.lock"])
def test_a_file_that_root_keeps_from_a_trusted_group(suffix: str, run: Run, store: Path, tmp_path: Path) -> None:
    """Who may write the folder can give it the name of one of ours; it is not opened to the group, not shown and not copied."""
    folder = tmp_path / "shared"
    folder.mkdir()
    store = store.rename(folder / "accounts.toml")
    for path in (folder, store):
        os.chown(path, 0, NOBODY)
    folder.chmod(0o2775)
    store.chmod(0o664)
    host = tmp_path / "host.toml"
    host.write_text(f'trusted_group = "{grp.getgrgid(NOBODY).gr_name}"\njournal = true\n')
    kept = folder / f"accounts.toml.{suffix}"
    kept.write_text(VICTIM)
    kept.chmod(0o600)
    os.chown(kept, 0, 0)
    if suffix in ("edit.lock", "pending.lock"):
        with held.without_lock(str(store), group_named(grp.getgrgid(NOBODY).gr_name)) as file, ExitStack() as stack:
            lock = (
                file.reserved(suffix, "root")
                if suffix == "edit.lock"
                else file.waited_for(suffix, 1, "others", optional=False)
            )
            stack.enter_context(lock)
    else:
        done = run("--file", str(store), "--host-config", str(host), "pop", "on", "bob@example.com")
        assert done.status == 0, done
        assert VICTIM.strip() not in done.out + done.err
    assert (kept.stat().st_gid, stat.S_IMODE(kept.stat().st_mode)) == (0, 0o600)
