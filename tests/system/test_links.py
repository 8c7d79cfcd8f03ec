"""What root finds where others could have put it: links that lead to it, and links in the way of what it writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import MINIMAL, NOBODY, Run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root obeys or refuses")

HOST = '[exports.dovecot]\ntarget = "dovecot"\npath = "{}"\n'


def open_folder(folder: Path) -> None:
    folder.chmod(0o777)


def somebody_s_folder(folder: Path) -> None:
    os.chown(folder, NOBODY, NOBODY)


@pytest.mark.parametrize("unsafe", [open_folder, somebody_s_folder])
def test_where_a_link_leads_to_is_looked_at(program: Run, tmp_path: Path, unsafe: Callable[[Path], None]) -> None:
    """The path as named is root's all the way; the folder that it leads to is not."""
    real, conf = tmp_path / "shared", tmp_path / "conf"
    real.mkdir()
    conf.mkdir()
    for name, text in (("accounts.toml", MINIMAL), ("host.toml", HOST.format(tmp_path / "out"))):
        (real / name).write_text(text)
        (conf / name).symlink_to(real / name)
    (tmp_path / "own.toml").write_text(MINIMAL)
    unsafe(real)
    store = ("--file", str(conf / "accounts.toml"))
    for command in (
        ("pop", "on", "bob@example.com"),
        ("account", "add", "carl@example.com"),
        ("install", str(tmp_path / "own.toml")),
        ("export", "dovecot", "--output", str(tmp_path / "out")),
        ("smart-host", "clear", "alice@example.com"),
    ):
        refused = program(*store, *command)
        assert refused.status == 5, command
        assert str(real) in refused.err, command
    warned = program(*store, "check", "bob@example.com", "imap", "10.0.0.1")
    assert (warned.status, warned.out) == (0, "allow\n")
    assert str(real) in warned.err
    assert "warning[MP039]" in program("validate", str(conf / "accounts.toml")).out
    deploy = ("--file", str(tmp_path / "own.toml"), "--host-config", str(conf / "host.toml"), "deploy")
    refused = program(*deploy)
    assert refused.status == 5
    assert str(real) in refused.err
    assert (real / "accounts.toml").read_text() == MINIMAL
    assert not (tmp_path / "out").exists()


def test_a_planted_path_is_not_written_through(program: Run, tmp_path: Path) -> None:
    """In a sticky folder, which is safe for what root owns in it, somebody puts a link where root will write."""
    (tmp_path / "accounts.toml").write_text(MINIMAL)
    sticky, victim = tmp_path / "sticky", tmp_path / "victim"
    sticky.mkdir()
    sticky.chmod(0o1777)
    path = sticky / "mailpolicy.passwd"
    (tmp_path / "host.toml").write_text(HOST.format(path))
    store = ("--file", str(tmp_path / "accounts.toml"), "--host-config", str(tmp_path / "host.toml"))
    assert program(*store, "deploy").status == 0
    ours = path.read_bytes()
    for content in (ours, b"root's\n", None):  # as an earlier deploy left it, foreign, and dangling
        path.unlink()
        victim.unlink(missing_ok=True)
        if content is not None:
            victim.write_bytes(content)
        path.symlink_to(victim)
        os.lchown(path, NOBODY, NOBODY)
        (tmp_path / "accounts.toml").write_text(MINIMAL + "pop = true\n")
        for command in (
            ("deploy",),
            ("export", "dovecot", "--output", str(path)),
            ("export", "dovecot", "--output", str(path), "--force"),
        ):
            refused = program(*store, *command)
            assert refused.status == 5, (command, content)
            assert str(path) in refused.err
        assert path.is_symlink()
        assert (victim.read_bytes() if content is not None else victim.exists()) == (content or False)
    path.unlink()
    assert program(*store, "deploy").status == 0, "without it, all is well"
