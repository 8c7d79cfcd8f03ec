"""Problems of a store: a stable code, a key path and a sentence; lines are looked up only to print them.

A code never changes its meaning and is never used again for another; `rules` is the only list of codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

KeyPath = tuple[str | int, ...]

ERROR, WARNING, HINT = "error", "warning", "hint"
_RANKS = (ERROR, WARNING, HINT)
MAX_FINDINGS_SHOWN = 1000  # of one file; review tools take few more, and nobody reads them


class Problem(NamedTuple):
    """One problem: its code, the path of the key, and the message; `position` is set only if no key could be read."""

    code: str
    path: KeyPath
    message: str
    position: tuple[int, int] | None = None  # line and column, from 1

    @property
    def severity(self) -> str:
        """Return `error`, `warning` or `hint`."""
        from mailpolicy.diagnostics.rules import RULES  # 1 ms, only if there is something to print

        return RULES[self.code].severity


class Finding(NamedTuple):
    """A problem with its place in a file; `source` is the text of the line if its spelling is the problem."""

    file: str
    line: int
    column: int
    problem: Problem
    source: str | None = None

    def __str__(self) -> str:
        code, _, message, _ = self.problem
        return f"{self.file}:{self.line}:{self.column}: {self.problem.severity}[{code}]: {message}"

    @property
    def content(self) -> dict[str, str | int]:
        """Return the finding as an object for JSON."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "severity": self.problem.severity,
            "code": self.problem.code,
            "message": self.problem.message,
        }


def capped(findings: Sequence[Finding]) -> tuple[list[Finding], int]:
    """Return the findings of a file to show, in their order, and the number left out; errors are shown before warnings."""
    if len(findings) <= MAX_FINDINGS_SHOWN:
        return list(findings), 0
    ranks = [_RANKS.index(finding.problem.severity) for finding in findings]
    chosen = sorted(range(len(findings)), key=lambda index: ranks[index])[:MAX_FINDINGS_SHOWN]
    return [findings[index] for index in sorted(chosen)], len(findings) - MAX_FINDINGS_SHOWN


def fails(findings: Iterable[Finding], *, strict: bool) -> bool:
    """Return whether findings fail a run: errors do, warnings only if `strict`, hints never."""
    severities = {finding.problem.severity for finding in findings}
    return "error" in severities or (strict and WARNING in severities)


def more_findings(count: int) -> str:
    """Return a note on how many findings are left out."""
    return f"{count} more finding{'s' * (count != 1)} not shown"


def dotted(path: KeyPath) -> str:
    """Return a key path as TOML writes it: `accounts."alice@example.com".pop`, with array elements as `[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        bare = part != "" and part.isascii() and part.replace("-", "a").replace("_", "a").isalnum()
        quoted = part if bare else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
        text += f".{quoted}" if text else quoted
    return text
