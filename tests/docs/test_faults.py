"""The record of faults: every row of docs/faults.toml is complete, and the tests that hold a fault exist."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

from tests.helpers import ROOT


def _script() -> ModuleType:
    spec = spec_from_file_location("faults", ROOT / "docs" / "faults.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RECORD = _script()
FAULTS: list[dict[str, Any]] = tomllib.loads((ROOT / "docs" / "faults.toml").read_text(encoding="utf-8"))["fault"]


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _problems(fault: dict[str, Any]) -> list[str]:
    if fault.keys() != set(RECORD.Fault._fields):
        return ["fields"]
    day, _, commit = fault["since"].partition(" ")
    checks = {
        "area": fault["area"] in RECORD.AREAS,
        "what": re.fullmatch(r"[^\s][^\n]+\.", fault["what"]) is not None,
        "since": _is_date(day) and re.fullmatch("|[0-9a-f]{7,12}", commit) is not None,
        "mended": type(fault["mended"]) is date and day <= fault["mended"].isoformat(),
        "found": fault["found"] in RECORD.FOUND,
        "held_by": bool(fault["held_by"]) and len(set(fault["held_by"])) == len(fault["held_by"]),
    }
    return [field for field, holds in checks.items() if not holds]


def _exists(test: str) -> bool:
    path, _, function = test.partition("::")
    if not path.startswith(("tests/", "bench/")) or not (ROOT / path).exists():
        return False
    return not function or re.search(rf"^def {function}\(", (ROOT / path).read_text(encoding="utf-8"), re.M) is not None


def test_every_row_is_complete() -> None:
    assert not {fault["what"]: wrong for fault in FAULTS if (wrong := _problems(fault))}


def test_every_test_that_holds_a_fault_exists() -> None:
    assert not [test for fault in FAULTS for test in fault["held_by"] if not _exists(test)]


def test_no_fault_is_recorded_twice() -> None:
    told = [re.sub(r"\W+", " ", fault["what"]).lower() for fault in FAULTS]
    assert len(set(told)) == len(told)


def test_every_area_has_a_fault() -> None:
    assert {fault["area"] for fault in FAULTS} == set(RECORD.AREAS)
