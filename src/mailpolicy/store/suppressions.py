"""Inline comments that suppress a finding on their line: `# mailpolicy: allow MP031`.

Errors cannot be suppressed, and a comment that suppresses nothing is itself a finding.
"""

from __future__ import annotations

import re

from mailpolicy.diagnostics import Finding, Problem
from mailpolicy.diagnostics.rules import RULES
from mailpolicy.store import locate

_COMMENT = re.compile(r"#[ \t]*mailpolicy:[ \t]*allow[ \t]+(MP[0-9]{3}(?:[ \t]*,[ \t]*MP[0-9]{3})*)(?![0-9A-Za-z])")


def suppress(path: str, text: str, findings: list[Finding], *, with_hints: bool) -> list[Finding]:
    """Return the findings without those that a comment on their line suppresses.

    A comment that suppresses nothing adds a finding. Unless the findings were made `with_hints`, nothing can be said
    about a comment for a hint.
    """
    if "mailpolicy:" not in text:
        return findings
    suppressed: dict[tuple[int, str], tuple[int, int]] = {}  # line and code: the place of the comment
    comments = [(offset, match[1]) for offset, comment in locate.comments(text) if (match := _COMMENT.match(comment))]
    positions = locate.positions(text, [offset for offset, _ in comments])
    for (line, column), (offset, codes) in zip(positions, comments, strict=True):
        if text[offset - column + 1 : offset].strip():  # a comment on a line of its own suppresses nothing
            for code in re.findall("MP[0-9]{3}", codes):
                suppressed[line, code] = (line, column)
    kept, used = [], set()
    for finding in findings:
        key = (finding.line, finding.problem.code)
        if key in suppressed and finding.problem.severity != "error":
            used.add(key)
        else:
            kept.append(finding)
    for key, (line, column) in suppressed.items():
        code = key[1]
        severity = RULES[code].severity if code in RULES else None
        if key in used or (severity == "hint" and not with_hints):
            continue
        if severity is None:
            why = "there is no such code"
        elif severity == "error":
            why = "an error cannot be suppressed"
        else:
            why = f"there is no {code} on this line"
        kept.append(Finding(path, line, column, Problem("MP038", (), f"this comment allows {code}, but {why}")))
    return kept
