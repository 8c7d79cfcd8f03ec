"""Check what `template` writes, and which template it offers."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli

from tests.cli.commands.small_store import written
from tests.helpers import MINIMAL, Run


def test_templates(run: Run, tmp_path: Path) -> None:
    path = written(tmp_path)
    file = ("--file", str(path))
    assert "in use by a@x.example, b@x.example" in run(*file, "template", "remove", "office").err
    assert run(*file, "template", "remove", "office").status == 5
    assert run(*file, "template", "add", "desk").status == 0
    assert run(*file, "template", "rename", "office", "desk").status == 5
    assert run(*file, "template", "assign", "desk", "--with-template", "office").status == 0
    assert run(*file, "template", "remove", "office").status == 0
    assert run(*file, "template", "remove", "office").status == 4
    assert run(*file, "template", "remove", "office", "--if-exists").status == 0
    assert run(*file, "template", "list").out == "desk\t-\t-\t-\t-\t-\t-\t2\t-\n"
    assert run(*file, "template", "unassign", "--all").status == 0
    assert run(*file, "template", "remove", "desk").status == 0
    assert "templates" not in tomli.loads(path.read_text())


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("template", "remove", "nosuch"), False),
        (("template", "show", "offic"), True),
        (("pop", "on", "--in-template", "offic"), True),
        (("account", "list", "--with-template", "offic"), True),
        (("template", "rename", "offic", "x"), True),
    ],
)
def test_no_template_is_offered_where_another_was_meant(
    run: Run, store: Path, arguments: tuple[str, ...], hint: bool
) -> None:
    store.write_text(f"{MINIMAL}\n[templates.office]\n")
    refused = run("--file", str(store), *arguments)
    assert refused.status in (2, 4)
    assert ("did you mean office?" in refused.err) is (hint and refused.status == 4)
    assert "template add" not in refused.err
