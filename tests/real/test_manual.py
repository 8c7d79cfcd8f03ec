"""The manual pages: read by man and mandoc without a warning, and shipped in a wheel that needs no source tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mailpolicy.cli.app import COMMANDS
from tests.helpers import ROOT, missing

PAGES = sorted((ROOT / "docs" / "man").iterdir())


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not installed")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_read_without_a_warning(page: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
    for command in ([program("man"), "--warnings", "-l", str(page)], [program("mandoc"), "-Tlint", str(page)]):
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert done.stderr == ""
        assert "lint" not in command[1] or done.stdout == ""


def test_each_command_has_a_page() -> None:
    names = {page.name for page in PAGES}
    assert names == {"mailpolicy.1", "accounts.toml.5", "host.toml.5", *(f"mailpolicy-{name}.1" for name in COMMANDS)}


def test_a_wheel_works_without_the_source_tree(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("src", "docs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source / name)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(tmp_path),
            str(source),
        ],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    shutil.rmtree(source)
    names = zipfile.ZipFile(wheel).namelist()
    for page in PAGES:
        assert any(name.endswith(f"/share/man/man{page.suffix[1:]}/{page.name}") for name in names)
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)], check=True
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(site), "MAILPOLICY_FILE": "accounts.toml"}
    for line in (
        "init",
        "schema",
        "completion bash",
        "account add a@example.com --imap on",
        "check a@example.com imap 1.1.1.1",
    ):
        done = subprocess.run(
            [sys.executable, "-m", "mailpolicy", *line.split()],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=True,
        )
        assert done.stdout
    assert (tmp_path / "accounts.schema.json").exists()
