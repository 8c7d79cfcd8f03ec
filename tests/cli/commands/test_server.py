"""Check what `server` writes."""

from __future__ import annotations

from pathlib import Path

import tomli

from tests.cli.commands.small_store import written
from tests.helpers import Run


def test_the_server(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    file = ("--file", str(path))
    for key, value, wanted in (
        ("multipop", "yes", True),
        ("outlook-connector-installed", "FALSE", False),
        ("outlook_connector_installed", "on", True),
        ("edition", "Standard", "standard"),
    ):
        assert run(*file, "server", "set", key, value).status == 0
        assert tomli.loads(path.read_text())["server"][key.replace("-", "_")] == wanted
    assert "mailpolicy lan add" in run(*file, "server", "set", "lan", "10.0.0.0/8").err
    assert "smart-host set --server" in run(*file, "server", "set", "port", "25").err
