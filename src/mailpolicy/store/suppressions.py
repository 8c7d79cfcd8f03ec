"""Comments that allow a finding: `# mailpolicy: allow MP031` at the end of its line.

Promises: an error is never allowed; a comment that allows nothing is a finding of its own. Not promised: more than the
comment's own line.
"""

from __future__ import annotations

import re

from mailpolicy.diagnostics import Finding, Problem
from mailpolicy.diagnostics.rules import RULES
from mailpolicy.store import locate

_ALLOW = re.compile(r"#[ \t]*mailpolicy:[ \t]*allow[ \t]+(MP[0-9]{3}(?:[ \t]*,[ \t]*MP[0-9]{3})*)(?![0-9A-Za-z])")


def applied(path: str, text: str, findings: list[Finding], *, unused_code_known: bool) -> list[Finding]:
    """Drop what a comment at the end of its line allows; a comment that drops nothing is a finding of its own."""
    if "mailpolicy:" not in text:
        return findings
    allowed: dict[tuple[int, str], tuple[int, int]] = {}
    marks = [(offset, match[1]) for offset, comment in locate.comments(text) if (match := _ALLOW.match(comment))]
    places = locate.places(text, [offset for offset, _ in marks])
    for (line, column), (offset, codes) in zip(places, marks, strict=True):
        if text[offset - column + 1 : offset].strip():
            for code in re.findall("MP[0-9]{3}", codes):
                allowed[line, code] = (line, column)
    kept, used = [], set()
    for finding in findings:
        mark = (finding.line, finding.problem.code)
        if mark in allowed and finding.problem.severity != "error":
            used.add(mark)
        else:
            kept.append(finding)
    for mark, (line, column) in allowed.items():
        code = mark[1]
        if mark in used or (code in RULES and RULES[code].severity == "hint" and not unused_code_known):
            continue
        why = "there is nothing of that code on this line" if code in RULES else "there is no such code"
        if code in RULES and RULES[code].severity == "error":
            why = "an error cannot be allowed"
        kept.append(Finding(path, line, column, Problem("MP038", (), f"this comment allows {code}, and {why}")))
    return kept
