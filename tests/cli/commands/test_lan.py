"""Check what `lan` writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tomli

from mailpolicy.policy.lan import lan_entry
from tests.cli.commands.small_store import written
from tests.helpers import Run


def test_the_lan(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    file = ("--file", str(path))
    run(*file, "pop", "lan-only", "a@x.example")
    added = run(*file, "lan", "add", "10.0.0.0/8", "192.168.*.*", "203.0.113.0/24")
    assert "1 account is restricted to the LAN" in added.err
    assert "warning: 203.0.113.0/24 is not entirely within" in added.err
    assert run(*file, "lan", "add", "192.168.0.0/16").out == "lan\t192.168.0.0/16\tin the LAN\tok\n"
    covered = run(*file, "lan", "remove", "10.1.0.0/16")
    assert (covered.status, covered.out) == (0, "lan\t10.1.0.0/16\tstill in the LAN\tok\n")
    assert "warning: 10.1.0.0/16 is still in the LAN, through 10.0.0.0/8\n" in covered.err
    assert run(*file, "lan", "remove", "192.168.0.0-192.168.255.255").out.endswith("\tchanged\n")
    run(*file, "lan", "add", "172.16.0.0/13", "172.24.0.0/13")
    together = run(*file, "lan", "remove", "172.16.0.0/12")
    assert together.out == "lan\t172.16.0.0/12\tstill in the LAN\tok\n"
    assert "172.16.0.0/12 is still in the LAN, through 172.16.0.0/13, 172.24.0.0/13\n" in together.err
    assert run(*file, "lan", "reset").status == 0
    assert tomli.loads(path.read_text())["server"]["lan"] == [
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10",
    ]  # fmt: skip
    assert run(*file, "lan", "reset").out.endswith("\tok\n")


LISTS = {
    "narrow first": ["203.0.113.9", "203.0.113.0/24", "10.0.0.0/8"],
    "wide first": ["203.0.113.0/24", "203.0.113.9", "10.0.0.0/8"],
    "written in other ways": ["203.0.113.9-203.0.113.9", "203.0.113.*", "10.0.0.0/8"],
}


@pytest.mark.parametrize("lan", LISTS.values(), ids=list(LISTS))
@pytest.mark.parametrize("order", [1, -1])
def test_the_lan_is_judged_as_it_is_after_the_whole_command(
    lan: list[str], order: int, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "accounts.toml"
    file = ("--file", str(path))

    def remove(*networks: str) -> tuple[list[str], str, list[str]]:
        path.write_text(f"version = 1\n[server]\nlan = {json.dumps(lan)}\n")
        done = run(*file, "lan", "remove", *networks[::order])
        assert done.status == 0
        left = [str(lan_entry(text)[0]) for text in tomli.loads(path.read_text())["server"]["lan"]]
        return [line.split("\t")[2] for line in done.out.splitlines()][::order], done.err, left

    results, said, left = remove("203.0.113.9", "203.0.113.0/24")
    assert (results, left) == (["not in the LAN"] * 2, ["10.0.0.0/8"])
    assert "stays" not in said
    results, said, left = remove("203.0.113.9")
    assert (results, sorted(left)) == (["still in the LAN"], ["10.0.0.0/8", "203.0.113.0/24"])
    assert f"203.0.113.9 is still in the LAN, through {lan[0] if lan[0].endswith(('4', '*')) else lan[1]}" in said
    results, said, left = remove("203.0.113.0/24", "10.0.0.0/8", "192.0.2.1")
    assert (results, left) == (["partly in the LAN", "not in the LAN", "not in the LAN"], ["203.0.113.9/32"])
    assert "203.0.113.0/24 is still partly in the LAN, through 203.0.113.9" in said

    path.write_text("version = 1\n[server]\nlan = []\n")
    added = run(*file, "lan", "add", *lan[::order])
    assert added.status == 0
    left = [str(lan_entry(text)[0]) for text in tomli.loads(path.read_text())["server"]["lan"]]
    assert sorted(left) == ["10.0.0.0/8", "203.0.113.0/24"]
    again = run(*file, "lan", "add", *lan)
    assert [line.split("\t")[3] for line in again.out.splitlines()] == ["ok"] * 3


def test_of_two_that_are_the_same_one_is_added(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text("version = 1\n")
    assert run("--file", str(path), "lan", "add", "10.0.0.*", "10.0.0.0/24", "10.0.0.0-10.0.0.255").status == 0
    assert tomli.loads(path.read_text())["server"]["lan"] == ["10.0.0.*"]
