"""Three nodes follow one repository: what docs/several-nodes.md says, with the script and the units of docs/systemd."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import blocks, shown
from tests.real.nodes.site import BOB, NO_BOB, PAGE, PASSWORDS, STORE, UNITS, WIDER, Desk, Node, commands
from tests.sealing import sealed_file

pytestmark = pytest.mark.real


def without_ids(text: str) -> str:
    """A text whose commits and keys are those of no run."""
    return re.sub(r"\b[0-9a-f]{12,64}\b|SHA256:\S+", "ID", text)


def test_the_page(tmp_path: Path, desk: Desk) -> None:
    """Every block, in order, on a node that has a policy already."""
    node = Node(tmp_path / "mx1", desk, commands("Set up a node")[0])
    node.store.write_text(STORE)
    ran = {"Sign commits", "Set up a node"}
    desk.git("config", "log.showSignature", "false")
    for block in blocks(PAGE):
        if block.kind == "console":
            ran.add(block.heading)
            for command, output in shown(block):
                command = re.sub(r"(?<=mailpolicy-pull )[0-9a-f]{40}", desk.git("rev-parse", "main"), command)
                ended = node.run(f"{command} || true")
                assert without_ids(ended.shown) == without_ids(output), f"{block.where}: {command}"
    (start,) = commands("The first run")
    assert re.search(r"^systemctl enable mailpolicy-pull.timer$", start, re.M)
    # The passwords, copied by hand.
    node.with_secrets()
    sealed_file(desk.folder).change("mailpolicy", PASSWORDS)
    secrets = node.root / "secrets"
    shutil.copy(tmp_path / "secrets", secrets)
    (by_hand,) = commands("The sealed file")
    ended = node.run(f"cd {node.root}\n{by_hand}")
    assert ended.status == 0, ended.shown
    assert (node.root / "var/lib/mailpolicy/secrets").read_bytes() == secrets.read_bytes()
    # Rewritten history.
    rewritten = desk.commit(WIDER, "--amend")
    assert node.pull().status == 5
    ended = node.run(f"COMMIT={rewritten}\n{commands('Start again from another commit')[0]}")
    assert (ended.status, node.in_force) == (0, rewritten), ended.shown
    ran |= {"The first run", "The sealed file", "Start again from another commit"}
    assert {block.heading for block in blocks(PAGE) if block.runs} == ran


@pytest.mark.parametrize("broken", [False, True])
def test_the_units(tmp_path: Path, desk: Desk, broken: bool) -> None:
    """systemd finds no fault, and a run that fails fails the unit."""
    node = Node(tmp_path / "mx1", desk, commands("Set up a node")[0])
    unit = node.root / "etc/systemd/system/mailpolicy-pull.service"
    text = unit.read_text()
    assert "SuccessExitStatus" not in text
    assert "Type=oneshot\n" in text
    unit.write_text(text.replace("ProtectSystem", "ProtectSistem") if broken else text)
    paths = [str(unit), str(unit.with_suffix(".timer"))]
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    assert ("ProtectSistem" in done.stderr, done.returncode == 0 and not done.stderr) == (broken, not broken)


def test_the_unit_may_write_what_the_script_writes() -> None:
    deploy, pull = ((UNITS / f"mailpolicy-{name}.service").read_text() for name in ("deploy", "pull"))
    (written,) = re.findall(r"^ReadWritePaths=(.*)$", pull, re.M)
    (by_deploy,) = re.findall(r"^ReadWritePaths=(.*)$", deploy, re.M)
    assert set(written.split()) == {*by_deploy.split(), "/var/lib/mailpolicy"}


def test_a_rollout_with_one_node_cut_off(nodes: list[Node], desk: Desk) -> None:
    first = desk.git("rev-parse", "HEAD")
    second = desk.commit(WIDER)
    assert [node.pull().status for node in nodes[:1]] == [0]
    # The third one is cut off, while the second one gets the same commit.
    cut_off, before = nodes[2], nodes[2].policy
    desk.origin.rename(desk.folder / "away")
    ended = cut_off.pull()
    assert (ended.status, ended.shown.splitlines()[-1]) == (
        75,
        f"mailpolicy-pull: cannot fetch; {first} stays in force",
    )
    assert cut_off.policy == before
    (desk.folder / "away").rename(desk.origin)
    assert nodes[1].pull().status == 0
    assert [node.in_force for node in nodes] == [second, second, first]
    third = desk.commit(NO_BOB)
    # It goes straight to the newest commit.
    for node in nodes:
        ended = node.pull()
        assert (ended.status, ended.shown.splitlines()[-1]) == (0, f"mailpolicy-pull: {third} is in force")
        assert (node.in_force, node.store.read_text()) == (third, NO_BOB)
        assert BOB not in node.senders.read_text()
        assert node.pull() == (0, ""), "nothing is new"
    assert len({node.policy for node in nodes}) == 1


@pytest.mark.parametrize("when", ["before install", "after install", "before deploy", "after deploy"])
def test_a_node_that_dies_in_a_rollout_catches_up(node: Node, desk: Desk, when: str) -> None:
    first, second = node.in_force, desk.commit(NO_BOB)
    node.die(when)
    assert node.pull().status == -9
    assert node.in_force == first
    assert (node.store.read_text() == NO_BOB) is (when != "before install")
    assert (BOB not in node.senders.read_text()) is (when == "after deploy")
    if when != "before install":
        assert f"differs from that of commit {first[:12] if first else ''}" in node.doctor("commit")
    node.die("")
    ended = node.pull()
    assert (ended.status, node.policy[:2]) == (0, (second, NO_BOB)), ended.shown
    assert BOB not in node.senders.read_text()


def test_a_fetch_that_dies_is_repeated(node: Node, desk: Desk) -> None:
    second, before = desk.commit(WIDER), node.policy
    killer = node.root / "killer"
    killer.write_text("#!/bin/sh\nkill -KILL 0\n")
    killer.chmod(0o755)
    node.git("config", "remote.origin.uploadpack", str(killer))
    assert (node.pull().status, node.policy) == (-9, before)
    node.git("config", "--unset", "remote.origin.uploadpack")
    # What git leaves that dies while it writes a ref.
    for ref in ("refs/remotes/origin/main", "refs/mailpolicy/in-force"):
        (node.repository / f"{ref}.lock").touch()
    assert (node.pull().status, node.in_force) == (0, second)


def test_an_emergency_on_one_node_lasts_until_the_next_commit(node: Node, desk: Desk) -> None:
    assert node.run("mailpolicy account suspend bob@example.com && mailpolicy deploy").status == 0
    assert node.pull() == (0, "")
    assert "suspended = true" in node.store.read_text()
    told = node.doctor("commit")
    assert told.startswith(
        f"commit\twarning\t/etc/mailpolicy/accounts.toml differs from that of commit {node.in_force}"[:80]
    )
    desk.commit(WIDER)
    assert (node.pull().status, node.store.read_text()) == (0, WIDER)
    assert "\tok\t" in node.doctor("commit")


def test_the_passwords_travel_before_the_policy_that_needs_them(node: Node, desk: Desk) -> None:
    node.with_secrets()
    sealed, relay = node.root / "var/lib/mailpolicy/secrets", node.root / "etc/postfix/sasl_passwd"
    before = node.policy
    # A policy that needs a password which the file does not have.
    file = sealed_file(desk.folder)
    first, second = PASSWORDS
    file.change("mailpolicy", {first: "secret"})

    def commit() -> str:
        shutil.copy(desk.folder / "secrets", desk.work / "secrets")
        return desk.commit()

    refused = commit()
    ended = node.pull()
    assert (ended.status, ended.shown.splitlines()[-1]) == (
        1,
        f"mailpolicy-pull: the secrets of {refused} cannot be used; {before[0]} stays in force",
    )
    assert f"{second}\tmissing" in ended.shown
    assert (node.policy, sealed.exists()) == (before, False)
    file.change("mailpolicy", {second: "another"})
    accepted = commit()
    # Cut off between the two: the passwords are there, the old policy is in force, and the next run completes it.
    node.die("before deploy")
    assert node.pull().status == -9
    assert sealed.read_bytes() == (desk.folder / "secrets").read_bytes()
    node.die("")
    assert node.pull().status == 0
    assert (node.in_force, "bo:another" in relay.read_text()) == (accepted, True)
    assert sealed.stat().st_mode & 0o777 == 0o600
    # One that this node's key does not open.
    kept, policy = sealed.read_bytes(), node.policy
    for name in ("secrets", "key"):
        (desk.folder / name).unlink()
    sealed_file(desk.folder).change("mailpolicy", PASSWORDS)
    commit()
    ended = node.pull()
    assert ended.status == 6
    assert "sealed with the key" in ended.shown
    assert (node.policy, sealed.read_bytes()) == (policy, kept)


def test_a_policy_that_install_refuses_replaces_no_passwords(node: Node, desk: Desk) -> None:
    node.with_secrets()
    sealed_file(desk.folder).change("mailpolicy", PASSWORDS)
    shutil.copy(desk.folder / "secrets", desk.work / "secrets")
    desk.commit(STORE)
    assert node.pull().status == 0
    before, sealed = node.policy, node.root / "var/lib/mailpolicy/secrets"
    kept = sealed.read_bytes()
    case = '[[case]]\naddress = "alice@example.com"\nprotocol = "pop"\nip = "203.0.113.9"\nexpect = "deny"\n'
    (node.root / "etc/mailpolicy/cases.toml").write_text(case)
    node.config.write_text(node.placed('cases = "/etc/mailpolicy/cases.toml"\n') + node.config.read_text())
    sealed_file(desk.folder).change("mailpolicy", {"another": "one"})
    shutil.copy(desk.folder / "secrets", desk.work / "secrets")
    desk.commit(WIDER)
    ended = node.pull()
    assert (ended.status, "203.0.113.9" in ended.shown) == (5, True), ended.shown
    assert (node.policy, sealed.read_bytes()) == (before, kept)
