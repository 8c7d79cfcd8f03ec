"""The record of faults: docs/faults.toml, and the tables that docs/reliability.md has of it."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import NamedTuple

BEGIN, END = "<!-- written by `make docs` from docs/faults.toml -->\n", "<!-- end of the record -->\n"
AREAS = (
    "decision",
    "file format and reading",
    "edits",
    "writing files",
    "index of large stores",
    "secrets and keyrings",
    "sealed file",
    "exports to Dovecot",
    "exports to Postfix, Exim and collectors",
    "deploy",
    "several servers",
    "time",
    "provisioning",
    "access changes, cases and reports",
    "logins in logs",
    "history and the editor",
    "command line",
    "terminal",
)
FOUND = ("review", "tests from outside", "property test", "fuzzing", "proof", "real programs", "use", "benchmark")


class Fault(NamedTuple):
    """A row of docs/faults.toml, which says what each field means."""

    area: str
    what: str
    since: str
    mended: date
    found: str
    held_by: list[str]


def read() -> list[Fault]:
    """Return the faults in the order of the file."""
    text = (Path(__file__).parent / "faults.toml").read_text(encoding="utf-8")
    return [Fault(**row) for row in tomllib.loads(text)["fault"]]


def page(text: str) -> str:
    """Return the text of docs/reliability.md with the record as it is by now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{_tables(read())}\n{END}{after}"


def _tables(faults: list[Fault]) -> str:
    lines = [f"{len(faults)} faults."]
    for area in AREAS:
        rows = sorted((fault for fault in faults if fault.area == area), key=lambda fault: fault.mended)
        lines += ["", f"### {area[0].upper()}{area[1:]}", ""]
        lines += ["| what was wrong | since | mended | found by | held by |", "| --- | --- | --- | --- | --- |"]
        lines += map(_row, rows)
    return "\n".join(lines) + "\n"


def _row(fault: Fault) -> str:
    day, _, commit = fault.since.partition(" ")
    since = f"{day} `{commit}`" if commit else day
    held_by = "<br>".join(map(_link, fault.held_by))
    what = fault.what.replace("|", r"\|")
    return f"| {what} | {since} | {fault.mended} | {fault.found} | {held_by} |"


def _link(test: str) -> str:
    path, _, function = test.partition("::")
    return f"[{function or path.removeprefix('tests/')}](../{path})"
