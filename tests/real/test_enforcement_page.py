"""docs/enforcement.md leads from an empty Debian to an enforced policy: every command in it is run, exactly as written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import blocks, shown
from tests.helpers import ROOT
from tests.real.dovecot import private_dovecot
from tests.real.dovecot_releases import release
from tests.real.private import PrivateMachine, need_packages, private_machine

pytestmark = pytest.mark.real
PAGE = "docs/enforcement.md"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[PrivateMachine]:
    need_packages()
    with private_machine(tmp_path) as machine:
        yield machine


def test_every_command_of_the_page(machine: PrivateMachine) -> None:
    """The first section installs, with the network; all others run without one."""
    run = compared = 0
    for block in blocks(PAGE):
        online = block.heading == "Install"
        if block.kind == "sh":
            ended = machine.run(block.text, online=online)
            assert ended.status == 0, f"{block.where}: {ended.shown}"
            run += 1
        elif block.kind == "console":
            for command, output in shown(block):
                assert machine.run(command, online=online).shown == output, f"{block.where}: {command}"
                compared += 1
    assert run >= 10
    assert compared >= 10


def test_the_users_of_dovecot_24_log_in() -> None:
    """The form for Dovecot 2.4, as it stands on the page, but for its folders and its user."""
    (block,) = [block for block in blocks(PAGE) if "passwd_file_path" in block.text]
    with private_dovecot(release("2.4")) as dovecot:
        facts = (dovecot.folder / "mail").stat()
        dovecot.site = block.text
        for here, there in (
            ("/etc/dovecot/users", str(dovecot.folder / "people")),
            ("/var/vmail", str(dovecot.folder / "mail")),
            ("uid = vmail", f"uid = {facts.st_uid}"),
            ("gid = vmail", f"gid = {facts.st_gid}"),
        ):
            dovecot.site = dovecot.site.replace(here, there)
        people = dovecot.folder / "people"
        people.write_text("alice@example.com:{PLAIN}secret of alice\n")
        people.chmod(0o644)
        dovecot.start()
        with dovecot.imap() as alice:
            alice.login("alice@example.com", "secret of alice")
            assert alice.append("INBOX", "", "", b"Subject: hello\r\n\r\nhello\r\n")[0] == "OK"
        (mail,) = (dovecot.folder / "mail").glob("example.com/alice/Maildir/*/*")
        assert b"Subject: hello" in mail.read_bytes()


def test_every_key_of_an_export_is_explained() -> None:
    """The table of keys knows all that host.toml may say."""
    from mailpolicy.deploy.configured import _COMMON_KEYS
    from mailpolicy.export import TARGETS

    page = (ROOT / PAGE).read_text(encoding="utf-8")
    for key in {*_COMMON_KEYS, *(option for target in TARGETS.values() for option in target.options)}:
        assert re.search(rf"^\| `{key}` \|", page, re.M), key
    for name in TARGETS:
        assert re.search(rf"^\| `{name}` \|", page, re.M), name
