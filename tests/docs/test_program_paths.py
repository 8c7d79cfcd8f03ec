"""Units and pages agree on the place of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers import ROOT

PROGRAM = "/usr/local/bin/mailpolicy"
SERVICES = sorted((ROOT / "docs" / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_unit_runs_what_the_pages_install(unit: Path) -> None:
    assert SERVICES
    page = (ROOT / "docs/enforcement.md").read_text(encoding="utf-8")
    commands = re.findall(r"^ExecStart=(\S+)", unit.read_text(encoding="utf-8"), re.M)
    assert len(commands) == 1
    if commands[0].startswith("/usr/local/sbin/mailpolicy-"):
        script_of_ours = (unit.parent / Path(commands[0]).name).read_text(encoding="utf-8")
        assert re.findall(r"^mailpolicy=(\S+)$", script_of_ours, re.M) == [PROGRAM]
    elif commands[0] != PROGRAM:
        script = re.search(rf"^cat > {re.escape(commands[0])} <<'EOF'\n(.*?)^EOF$", page, re.M | re.S)
        assert script is not None, f"{commands[0]} is neither the program nor a script of the page"
        assert re.findall(r"\S*mailpolicy(?= export)", script[1]) == [PROGRAM]


def test_the_pages_install_it_there() -> None:
    page = (ROOT / "docs/enforcement.md").read_text(encoding="utf-8")
    assert f"ln -s /opt/mailpolicy/bin/mailpolicy {PROGRAM}\n" in page
    assert f"have `{PROGRAM}`" in (ROOT / "README.md").read_text(encoding="utf-8")
