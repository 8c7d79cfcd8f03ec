"""Blocks of the README and docs/policy.md that change a whole machine: run on a private copy of this one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import Block, blocks, shown
from tests.helpers import ROOT
from tests.real.private import PrivateMachine, need_packages, private_machine

pytestmark = pytest.mark.real
DEPLOY = "\nmailpolicy deploy\n"


def block(page: str, first: str) -> Block:
    """Return the block of a page that begins with this line."""
    (found,) = [block for block in blocks(page) if block.first == first]
    return found


def succeed(machine: PrivateMachine, script: str, *, online: bool = False) -> str:
    """Run a script that must succeed; return what it printed."""
    ended = machine.run(script, online=online)
    assert ended.status == 0, ended.shown
    return ended.shown


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateMachine]:
    """A server that has everything of docs/enforcement.md as far as its first `deploy`."""
    need_packages()
    with private_machine(tmp_path_factory.mktemp("server")) as machine:
        for shell in [block for block in blocks("docs/enforcement.md") if block.kind == "sh"]:
            before, deploys, _ = shell.text.partition(DEPLOY)
            succeed(machine, before, online=shell.heading == "Install")
            if deploys:
                break
        yield machine


def test_the_deploy_of_the_readme(machine: PrivateMachine) -> None:
    for command in shown(block("README.md", "$ mailpolicy deploy")):
        assert succeed(machine, command.command) == command.output, command.command


def test_the_manual_in_a_virtual_environment(machine: PrivateMachine) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (manual,) = re.findall("`man (-M /opt.*)`", readme)
    assert succeed(machine, f"man --where {manual}") == "/opt/mailpolicy/share/man/man1/mailpolicy.1\n"


def test_a_store_that_a_group_edits(machine: PrivateMachine) -> None:
    page = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    (setting,) = re.findall(r'`(trusted_group = "\w+")`', page)
    group = block("docs/policy.md", "groupadd --system postmasters").text
    succeed(machine, group)
    member = "useradd --system --groups postmasters gina; runuser -u gina -- mailpolicy pop on bob@example.com"
    edit = "mailpolicy imap off bob@example.com"
    assert machine.run(edit).status == 5
    succeed(machine, f"sed -i '1i {setting}' /etc/mailpolicy/host.toml")
    assert "postmasters" in machine.run("mailpolicy doctor").shown
    succeed(machine, edit)
    assert "bob@example.com\tpop\t" in succeed(machine, member)
