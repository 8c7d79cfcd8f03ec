"""What was tried for each promise, as the tests counted it: printed as a table, and written into a page if asked."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.real.proof.promises import PROVE, Promise

BEGIN, END = "<!-- written by make prove -->\n", "<!-- end -->\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-table", type=Path, metavar="PAGE", help="write the table of what was tried into this page"
    )


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for report in [report for reports in terminalreporter.stats.values() for report in reports]:
        for name, value in getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ():
            if name == "tried":
                counts[value[0], value[2]] += value[1]
    if not counts:
        return
    rows = [(promise, what, counts[promise.name, what]) for promise in Promise for what in _whats(counts, promise)]
    terminalreporter.section("tried" if PROVE else "tried, in the short form")
    for promise, what, number in rows:
        terminalreporter.line(f"{promise.value:<50}{_grouped(number):>10}  {what}")
    page: Path | None = config.getoption("--write-table", None)
    if page is not None and exitstatus == 0:
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
