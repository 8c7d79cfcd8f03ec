"""Every invalid file of toml-test, which comes with tomlkit's source from PyPI: each gets a place and no wrong advice."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import tomli

from mailpolicy.store.document import Document
from tests.helpers import Expected

VERSION = "0.15.2"  # of tomlkit, which has toml-test 2.1.0
FINDINGS = Path(__file__).parent / "toml-test-findings.txt"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files by their names within the folder of invalid ones."""
    folder = tmp_path_factory.mktemp("corpus")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--no-binary",
        "tomlkit",
        f"tomlkit=={VERSION}",
    ]
    subprocess.run([*command, "-d", str(folder)], check=True)
    (archive,) = folder.glob("tomlkit-*.tar.gz")
    found = {}
    with tarfile.open(archive) as opened:
        for member in opened.getmembers():
            _, within, name = member.name.partition("/toml-test/tests/invalid/")
            if within and name.endswith(".toml") and (file := opened.extractfile(member)) is not None:
                found[name] = file.read()
    assert len(found) == 483
    return {name.removesuffix(".toml"): found[name] for name in sorted(found)}


def test_every_invalid_file_has_its_places(corpus: dict[str, bytes], expected: Expected) -> None:
    """The list was read by people: no advice in it is wrong. Files that TOML 1.1 allows are not refused."""
    told = []
    for name, content in corpus.items():
        document = Document(name, content)
        try:
            tomli.loads(content.decode("utf-8-sig"))
            valid = True
        except ValueError:
            valid = False
        assert bool(document.faults) is not valid, name
        lines = document.data[len(document.bom) :].decode("utf-8", "replace").split("\n")
        for fault in document.faults:
            assert fault.position is not None
            line, column = fault.position
            assert 1 <= line <= len(lines)
            assert 1 <= column <= len(lines[line - 1]) + 1
        told += [str(finding) for finding in document.located(document.faults)] or [f"{name}: valid in TOML 1.1"]
    expected(FINDINGS, "".join(f"{line}\n" for line in told))
