"""What was tried for each promise, as the tests counted it: printed as a table, and written into a page if asked."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT
from tests.real.proof.promises import PROVE, Promise

# What each test tried, so that one that was disturbed can be repeated by itself: make prove ONLY=tests/real/proof/test_names.py
KEPT = ROOT / "build" / "prove.json"
BEGIN, END = "<!-- written by make prove -->\n", "<!-- end -->\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-table", type=Path, metavar="PAGE", help="write the table of what was tried into this page"
    )


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    found: dict[str, list[list[Any]] | None] = {}  # by test: what it tried, None if it failed
    for report in [report for reports in terminalreporter.stats.values() for report in reports]:
        if getattr(report, "failed", False):
            found[report.nodeid] = None
        elif getattr(report, "when", "") == "call":
            found.setdefault(report.nodeid, [value for name, value in report.user_properties if name == "tried"])
    page: Path | None = config.getoption("--write-table", None)
    if page is not None:
        KEPT.parent.mkdir(exist_ok=True)
        kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
        found = {**kept, **found}
        KEPT.write_text(json.dumps(found), encoding="utf-8")
    counts: Counter[tuple[str, str]] = Counter()
    for name, number, what in [value for tried in found.values() for value in tried or ()]:
        counts[name, what] += number
    if not counts:
        return
    rows = [(promise, what, counts[promise.name, what]) for promise in Promise for what in _whats(counts, promise)]
    terminalreporter.section("tried" if PROVE else "tried, in the short form")
    for promise, what, number in rows:
        terminalreporter.line(f"{promise.value:<50}{_grouped(number):>10}  {what}")
    if page is not None and exitstatus in (0, 1):
        if failed := [test for test, tried in found.items() if tried is None]:
            terminalreporter.line(f"{page} is not written: {len(failed)} tests failed")
        else:
            _write(page, rows)


def _whats(counts: Counter[tuple[str, str]], promise: Promise) -> list[str]:
    return sorted(what for name, what in counts if name == promise.name)


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _write(page: Path, rows: list[tuple[Promise, str, int]]) -> None:
    lines = ["| promise | tried | what |", "| --- | ---: | --- |"]
    lines += [f"| {promise.value} | {_grouped(number)} | {what} |" for promise, what, number in rows]
    version = ".".join(map(str, sys.version_info[:3]))
    lines += ["", f"CPython {version} on {sys.platform}; every line held."]
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n\n" + END + after, encoding="utf-8")
