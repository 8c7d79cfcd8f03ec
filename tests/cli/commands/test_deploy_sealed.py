"""An old copy of the sealed file is as genuine as a new one: deploy and doctor say that it is older."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.commands.test_doctor import doctor
from tests.helpers import RELAY, Result, Run
from tests.sealing import options, sealed_file

ALICE, SERVER = f"smart-host/alice@example.com/{RELAY}", f"smart-host/@server/{RELAY}"


class Node:
    """A server with an export that needs secrets, and one that does not."""

    def __init__(self, run: Run, place: Path) -> None:
        self.run = run
        self.place = place
        self.options = options(place)
        self.note = place / "host.toml.secrets"
        with (place / "host.toml").open("a", encoding="utf-8") as config:
            for name, target in (("relay", "postfix-sasl-passwd"), ("senders", "postfix-sender-login")):
                config.write(f'[exports.{name}]\ntarget = "{target}"\npath = "{place}/out/{name}"\n')
        sealed_file(place).change("mailpolicy", {ALICE: "one", SERVER: "two"})

    def deploy(self, *arguments: str) -> Result:
        return self.run("deploy", *arguments, *self.options)


@pytest.fixture
def node(run: Run, place: Path) -> Node:
    return Node(run, place)


def test_an_older_copy_is_named_until_a_newer_one_is_back(node: Node, place: Path) -> None:
    shutil.copy(place / "secrets", place / "old")
    sealed_file(place).change("mailpolicy", {ALICE: "another"})
    first = node.deploy()
    assert (first.status, "older copy" in first.err) == (0, False)
    assert node.note.read_text().split()[1] == "2"
    shutil.copy(place / "secrets", place / "new")
    shutil.copy(place / "old", place / "secrets")
    warning = (
        f"{place}/secrets is an older copy: it was written 1 time, and deploy has used one that was written 2 times. "
        "Restore the newer one; if the older one is meant"
    )
    for _ in range(2):
        older = node.deploy()
        assert (older.status, older.err.splitlines()[-1]) == (0, f"warning: {warning}: rm {node.note}")
    assert "one" in (place / "out/relay").read_text()
    assert node.deploy("--check").err.count("older copy") == 1
    status, checks = doctor(node.run, *node.options)
    check = checks["sealed file"]
    assert (status, check["state"], check["message"], check["fix"]) == (0, "warning", warning, f"rm {node.note}")
    shutil.copy(place / "new", place / "secrets")
    assert "older copy" not in node.deploy().err
    assert doctor(node.run, *node.options)[1]["sealed file"]["state"] == "ok"


def test_what_is_meant_is_accepted(node: Node, place: Path) -> None:
    shutil.copy(place / "secrets", place / "old")
    sealed_file(place).change("mailpolicy", {ALICE: "another"})
    node.deploy()
    shutil.copy(place / "old", place / "secrets")
    node.note.unlink()
    assert "older copy" not in node.deploy().err
    assert node.note.read_text().split()[1] == "1"


def test_a_rotation_counts_on_and_a_new_file_begins_anew(node: Node, place: Path) -> None:
    shutil.copy(place / "secrets", place / "old")
    shutil.copy(place / "key", place / "old-key")
    node.deploy()
    sealed_file(place).rotate()
    assert "older copy" not in node.deploy().err
    key_id, writes = node.note.read_text().split()
    assert writes == "2"
    # Another key, and fewer writes: who can replace the key can replace everything.
    for name in ("secrets", "key"):
        (place / name).unlink()
    sealed_file(place).change("mailpolicy", {ALICE: "one", SERVER: "two"})
    assert "older copy" not in node.deploy().err
    assert node.note.read_text().split()[0] != key_id


def test_only_a_deploy_that_used_it_writes_the_note(node: Node) -> None:
    for arguments in (("senders",), ("--check",), ("--diff",)):
        node.deploy(*arguments)
        assert not node.note.exists(), arguments
    node.deploy("relay")
    assert node.note.exists()
    node.note.write_text("no such line\n")
    assert node.deploy().status == 0
    assert node.note.read_text().split()[1] == "1"


def test_a_file_that_cannot_be_opened_is_reported_once(node: Node, place: Path) -> None:
    node.deploy()
    with (place / "secrets").open("ab") as file:
        file.write(b"x")
    failed = node.deploy()
    assert (failed.status, failed.err.count("damaged")) == (6, 1)
