"""Problems of a store: a stable code, a key path and a sentence; a place in the text only when one is printed.

Promises: a code never changes its meaning and is never used again for another; `rules` is the only list of them.
Not promised: the wording of the sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

KeyPath = tuple[str | int, ...]

ERROR, WARNING, HINT = "error", "warning", "hint"
_RANKS = (ERROR, WARNING, HINT)
MOST_SHOWN = 1000  # findings of one file; a review tool takes few more, and nobody reads them


class Problem(NamedTuple):
    """One finding: what is wrong (`code`, `message`) and with which key; `position` only where no key could be read."""

    code: str
    path: KeyPath
    message: str
    position: tuple[int, int] | None = None  # line and column, from 1

    @property
    def severity(self) -> str:
        """`error`, `warning` or `hint`."""
        from mailpolicy.diagnostics.rules import RULES  # 1 ms, only if there is something to print

        return RULES[self.code].severity


class Finding(NamedTuple):
    """A problem placed in the text of a file."""

    file: str
    line: int
    column: int
    problem: Problem

    def __str__(self) -> str:
        code, _, message, _ = self.problem
        return f"{self.file}:{self.line}:{self.column}: {self.problem.severity}[{code}]: {message}"


def capped(findings: Sequence[Finding]) -> tuple[list[Finding], int]:
    """The findings of one file that are shown, in their order, and how many are left out; no error for a warning."""
    if len(findings) <= MOST_SHOWN:
        return list(findings), 0
    ranks = [_RANKS.index(finding.problem.severity) for finding in findings]
    chosen = sorted(range(len(findings)), key=lambda index: ranks[index])[:MOST_SHOWN]
    return [findings[index] for index in sorted(chosen)], len(findings) - MOST_SHOWN


def worst(findings: Iterable[Finding], *, strict: bool) -> bool:
    """Whether findings make a store fail: errors do, with `strict` warnings too, hints never."""
    severities = {finding.problem.severity for finding in findings}
    return "error" in severities or (strict and WARNING in severities)


def more_findings(count: int) -> str:
    """Say how many findings are left out."""
    return f"{count} more finding{'s' * (count != 1)} not shown"


def dotted(path: KeyPath) -> str:
    """A key path as TOML writes it: `accounts."alice@example.com".pop`, array elements as `[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        bare = part != "" and part.isascii() and part.replace("-", "a").replace("_", "a").isalnum()
        quoted = part if bare else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
        text += f".{quoted}" if text else quoted
    return text
