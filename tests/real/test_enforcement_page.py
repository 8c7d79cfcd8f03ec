"""docs/enforcement.md leads from an empty Debian to an enforced policy: every command in it is run, exactly as written."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers import ROOT, missing
from tests.real.dovecot import private_dovecot
from tests.real.dovecot_releases import release
from tests.real.private import PrivateMachine, private_machine

pytestmark = pytest.mark.real
PAGE = ROOT / "docs" / "enforcement.md"
# What is in a fence of this kind is run (`sh`) or run and compared (`console`); the others are files and are not run.
KINDS = {"sh", "console", "toml", "text"}


class Block(NamedTuple):
    """One fenced block of the page and the line on which it begins."""

    line: int
    kind: str
    text: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks, in order."""
    return [
        Block(page.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in re.finditer(r"^```(\S*)\n(.*?)^```$", page, re.M | re.S)
    ]


def questions(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what is shown below it."""
    parts = re.split(r"^\$ ", text, flags=re.M)
    assert parts[0] == "", "a console block begins with a command"
    return [(command, shown) for command, _, shown in (part.partition("\n") for part in parts[1:])]


def _need_packages(page: str) -> None:
    """What the page installs must be there, as installing it here would take minutes."""
    named = re.search(r"^apt-get install --yes --no-install-recommends ((?:.*\\\n)*.*)$", page, re.M)
    assert named is not None
    for package in [*named[1].replace("\\\n", " ").split(), "systemd"]:
        query = ["dpkg-query", "--show", "--showformat=${Status}", package]
        if shutil.which("dpkg-query") is None:
            missing("this test needs Debian")
        if not subprocess.run(query, capture_output=True, check=False).stdout.endswith(b" installed"):
            missing(f"{package} is missing: apt install {package}")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[PrivateMachine]:
    _need_packages(PAGE.read_text(encoding="utf-8"))
    with private_machine(tmp_path) as machine:
        yield machine


def test_every_command_of_the_page(machine: PrivateMachine) -> None:
    """The first section installs, with the network; all others run without one."""
    page = PAGE.read_text(encoding="utf-8")
    assert page.count("```") == 2 * len(blocks(page))
    assert {block.kind for block in blocks(page)} <= KINDS
    headings = [page.count("\n", 0, found.start()) for found in re.finditer("^## ", page, re.M)]
    run = compared = 0
    for block in blocks(page):
        where = f"{PAGE.name}:{block.line}"
        online = block.line < headings[1]
        if block.kind == "sh":
            ended = machine.run(block.text, online=online)
            assert ended.status == 0, f"{where}: {ended.shown}"
            run += 1
        elif block.kind == "console":
            for command, shown in questions(block.text):
                assert machine.run(command, online=online).shown == shown, f"{where}: {command}"
                compared += 1
    assert run >= 10
    assert compared >= 10


def test_the_users_of_dovecot_24_log_in() -> None:
    """The form for Dovecot 2.4, as it stands on the page, but for its folders and its user."""
    (block,) = [block for block in blocks(PAGE.read_text(encoding="utf-8")) if "passwd_file_path" in block.text]
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

    page = PAGE.read_text(encoding="utf-8")
    for key in {*_COMMON_KEYS, *(option for target in TARGETS.values() for option in target.options)}:
        assert re.search(rf"^\| `{key}` \|", page, re.M), key
    for name in TARGETS:
        assert re.search(rf"^\| `{name}` \|", page, re.M), name
