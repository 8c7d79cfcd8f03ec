"""Three nodes that follow one repository."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.helpers import missing
from tests.real.nodes.site import STORE, Desk, Node, commands


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    (desk.work / "accounts.toml").write_text(STORE)
    desk.run(commands("Sign commits")[0])
    return desk


@pytest.fixture
def nodes(tmp_path: Path, desk: Desk) -> list[Node]:
    """Three nodes, at the first commit."""
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze is missing: apt install systemd")
    nodes = [Node(tmp_path / name, desk, commands("Set up a node")[0]) for name in ("mx1", "mx2", "mx3")]
    for node in nodes:
        assert node.pull(desk.git("rev-parse", "main")).status == 0
    return nodes


@pytest.fixture
def node(nodes: list[Node]) -> Node:
    return nodes[0]
