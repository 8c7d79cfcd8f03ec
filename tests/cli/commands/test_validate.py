"""Check what `validate` reads and finds."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands.small_store import written
from tests.helpers import ROOT, Run

KEYS = "the keys of this table are version, server, defaults, networks, templates, accounts"


def test_validate_several_and_stdin(program: Run, tmp_path: Path) -> None:
    good = written(tmp_path)
    (tmp_path / "bad.toml").write_text("version = 1\nfoo = 1\nbar = 2\n")
    result = program("validate", str(good), "bad.toml", "missing.toml", "-", stdin="version = 1\n[templates.t]\n")
    assert result.status == 3
    assert result.out.splitlines() == [
        "bad.toml:2:1: error[MP005]: unknown key 'foo' here: " + KEYS,
        "bad.toml:3:1: error[MP005]: unknown key 'bar' here: " + KEYS,
        "-:2:1: warning[MP037]: no account uses the template t",
    ]
    assert program("validate", "-", stdin="version = 1\n[templates.t]\n").status == 0
    assert program("validate", "-", "--strict", stdin="version = 1\n[templates.t]\n").status == 1
    assert program("validate", "-", "--strict", "--ignore", "MP037", stdin="version = 1\n[templates.t]\n") == (
        0,
        "",
        "-: valid, 0 errors, 0 warnings\n",
    )
    assert program("validate", "-", "--ignore", "MP005", stdin="version = 1\n").status == 2
    assert program("validate", "-", "--ignore", "XX", stdin="version = 1\n").status == 2


def test_every_code_is_provoked_by_an_example() -> None:
    """Each code of the table stands in the findings of some example, but for those that need root or a keyring."""
    from mailpolicy.diagnostics.rules import RULES

    found = "".join(
        path.read_text() for folder in ("invalid", "advice") for path in (ROOT / "tests" / folder).glob("*.txt")
    )
    assert {code for code in RULES if f"[{code}]" not in found} == {"MP039", "MP060", "MP061"}
