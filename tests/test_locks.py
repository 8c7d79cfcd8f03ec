"""Check that the locks have what pyproject.toml asks for, and what `make audit` makes of a report."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import audit
from tests.helpers import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = {"run": [], "test": ["test"], "dev": ["dev", "prove"]}


def locked(lock: str) -> dict[str, set[str]]:
    """The versions of each package in a lock: more than one if Pythons differ. Every one has a hash."""
    versions: dict[str, set[str]] = {}
    text = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8").replace("\\\n", "")
    for line in text.splitlines():
        if not line.startswith("#"):
            found = re.match(r"([\w.-]+)==([^\s;]+).* --hash=sha256:[0-9a-f]{64}", line)
            assert found is not None, line
            versions.setdefault(canonicalize_name(found[1]), set()).add(found[2])
    return versions


def required(extras: list[str]) -> Iterator[Requirement]:
    """The requirements of the project, of what builds it, and of some extras with those that these include."""
    optional = PROJECT["project"]["optional-dependencies"]
    texts = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    texts += [text for extra in extras for text in optional[extra]]
    for requirement in map(Requirement, texts):
        if requirement.name == PROJECT["project"]["name"]:
            yield from required(sorted(requirement.extras))
        else:
            yield requirement


@pytest.mark.parametrize("lock", EXTRAS)
def test_a_lock_has_everything_that_is_required(lock: str) -> None:
    """Otherwise: make lock."""
    versions = locked(lock)
    for requirement in required(EXTRAS[lock]):
        there = versions.get(canonicalize_name(requirement.name), set())
        assert there, f"{requirement} is not in locks/{lock}.txt: make lock"
        assert all(map(requirement.specifier.contains, there)), (
            f"{requirement}, but locks/{lock}.txt has {there}: make lock"
        )


def test_the_smaller_locks_are_parts_of_the_largest() -> None:
    """So the audit of the largest is one of all, and adding packages to an environment changes none that it has."""
    whole = locked("dev")
    for lock in ("run", "test"):
        assert locked(lock).items() <= whole.items(), "make lock"


CLEAN = {"name": "a", "version": "1", "vulns": []}
KNOWN = {
    "name": "b",
    "version": "2",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"], "aliases": [], "description": ""}],
}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (1)"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([CLEAN], 0, "1 packages, no known vulnerability"),
        ([CLEAN, KNOWN], 1, "b 2: PYSEC-1, fixed in 3"),
        ([KNOWN, SKIPPED], 1, "c: not audited"),
        ([CLEAN, SKIPPED], 75, "1 of 2 packages could not be asked about"),
        ([], 75, "0 of 0 packages"),
    ],
)
def test_a_report_of_pip_audit(packages: list[dict[str, Any]], status: int, said: str) -> None:
    ended, lines = audit.judge(json.dumps({"dependencies": packages, "fixes": []}))
    assert ended == status
    assert said in "\n".join(lines)


@pytest.mark.parametrize("report", ["", "Traceback", "[]", "{}"])
def test_no_report(report: str) -> None:
    assert audit.judge(report)[0] == 75
