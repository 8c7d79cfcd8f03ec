"""Explain a code of `validate`, as text, Markdown or an object: its meaning, an example, and a fix.

The findings shown for the example are computed when asked, so they cannot be out of date.
"""

from __future__ import annotations

from typing import Any

from mailpolicy.diagnostics import ERROR, Finding
from mailpolicy.diagnostics.rules import Rule
from mailpolicy.store.store import Store

_FILE = "accounts.toml"


def found(code: str, rule: Rule) -> list[Finding]:
    """Return the findings of `validate` for the example."""
    findings, _ = Store("-", rule.example.encode(rule.encoding)).diagnose(with_hints=True)  # no file of this machine
    return [finding._replace(file=_FILE) for finding in findings if finding.problem.code == code]


def text(code: str, rule: Rule) -> str:
    """Return the explanation as text, in lines of at most 80 characters except for findings."""
    from textwrap import fill, indent

    parts = [f"{code}: {rule.name} ({rule.severity})", fill(rule.meaning, 80)]
    parts.append(f"For example{_condition(rule)}:")
    parts.append(indent(rule.example.rstrip("\n"), "    "))
    if lines := "\n".join(map(str, found(code, rule))):
        parts.append(lines)
    parts += [f"{title}:\n\n{indent(lines, '    ')}" for title, lines in _corrections(rule)]
    parts.append(fill(f"Fix: {rule.fix}.", 80))
    parts.append(_suppression(code, rule))
    return "\n\n".join(parts) + "\n"


def markdown(code: str, rule: Rule) -> str:
    """Return the explanation as Markdown, without a heading."""
    parts = [rule.meaning, f"For example{_condition(rule)}:", _fenced(rule.example, "toml")]
    if lines := "\n".join(map(str, found(code, rule))):
        parts.append(_fenced(lines, "text"))
    parts += [f"{title}:\n\n{_fenced(lines, 'toml')}" for title, lines in _corrections(rule)]
    parts += [f"Fix: {rule.fix}.", _suppression(code, rule)]
    return "\n\n".join(parts) + "\n"


def content(code: str, rule: Rule) -> dict[str, Any]:
    """Return the explanation as an object, without its schema; `mended` is null if no change of the text would help."""
    return {
        "code": code,
        "severity": rule.severity,
        "name": rule.name,
        "meaning": rule.meaning,
        "example": rule.example,
        "given": rule.given or None,
        "findings": [str(finding) for finding in found(code, rule)],
        "mended": rule.example.replace(rule.wrong, rule.right) if rule.wrong else None,
        "cure": rule.fix,
    }


def _condition(rule: Rule) -> str:
    return f", {rule.given}" if rule.given else ""


def _corrections(rule: Rule) -> list[tuple[str, str]]:
    from textwrap import dedent

    if not rule.wrong:
        return []
    # Whole lines, though `wrong` may be a part of one.
    above, _, below = rule.example.partition(rule.wrong)
    rest = "" if rule.wrong.endswith("\n") else below.partition("\n")[0]
    lines = dedent(above.rpartition("\n")[2] + rule.right + rest).strip("\n")
    return [("Write instead", lines)] if lines else [("Remove", rule.wrong.strip("\n"))]


def _suppression(code: str, rule: Rule) -> str:
    if rule.severity == ERROR:
        return "An error cannot be suppressed."
    return f"To suppress it: the comment `# mailpolicy: allow {code} REASON` on its line, or --ignore {code}."


def _fenced(lines: str, language: str) -> str:
    return f"```{language}\n{lines.rstrip()}\n```"
