"""What a code of `validate` means, with an example that triggers it, and its cure: as text, Markdown and an object.

Promises: what the example is said to give is what the rules give when asked now, so it cannot be out of date.
"""

from __future__ import annotations

from typing import Any

from mailpolicy.diagnostics import ERROR, Finding
from mailpolicy.diagnostics.rules import Rule
from mailpolicy.store.store import Store

_FILE = "accounts.toml"


def found(code: str, rule: Rule) -> list[Finding]:
    """What `validate` says of the example, by its text alone."""
    findings, _ = Store("-", rule.example.encode(rule.encoding)).diagnose(hints=True)  # no file of this machine
    return [finding._replace(file=_FILE) for finding in findings if finding.problem.code == code]


def text(code: str, rule: Rule) -> str:
    """The whole explanation, in lines of at most 80 characters but for the findings."""
    from textwrap import fill, indent

    parts = [f"{code}: {rule.name} ({rule.severity})", fill(rule.meaning, 80)]
    parts.append(f"For example{_given(rule)}:")
    parts.append(indent(rule.example.rstrip("\n"), "    "))
    if lines := "\n".join(map(str, found(code, rule))):
        parts.append(lines)
    parts += [f"{title}:\n\n{indent(lines, '    ')}" for title, lines in _instead(rule)]
    parts.append(fill(f"Cure: {rule.cure}.", 80))
    parts.append(_silence(code, rule))
    return "\n\n".join(parts) + "\n"


def markdown(code: str, rule: Rule) -> str:
    """The whole explanation as Markdown, without a heading."""
    parts = [rule.meaning, f"For example{_given(rule)}:", _fenced(rule.example, "toml")]
    if lines := "\n".join(map(str, found(code, rule))):
        parts.append(_fenced(lines, "text"))
    parts += [f"{title}:\n\n{_fenced(lines, 'toml')}" for title, lines in _instead(rule)]
    parts += [f"Cure: {rule.cure}.", _silence(code, rule)]
    return "\n\n".join(parts) + "\n"


def content(code: str, rule: Rule) -> dict[str, Any]:
    """The explanation as an object, without its schema; `mended` is null where no other text would help."""
    return {
        "code": code,
        "severity": rule.severity,
        "name": rule.name,
        "meaning": rule.meaning,
        "example": rule.example,
        "given": rule.given or None,
        "findings": [str(finding) for finding in found(code, rule)],
        "mended": rule.example.replace(rule.wrong, rule.right) if rule.wrong else None,
        "cure": rule.cure,
    }


def _given(rule: Rule) -> str:
    return f", {rule.given}" if rule.given else ""


def _instead(rule: Rule) -> list[tuple[str, str]]:
    if not rule.wrong:
        return []
    return [("Write instead", rule.right.strip("\n"))] if rule.right else [("Take out", rule.wrong.strip("\n"))]


def _silence(code: str, rule: Rule) -> str:
    if rule.severity == ERROR:
        return "An error cannot be silenced."
    return f"To silence it: a comment on its line, `# mailpolicy: allow {code} and why`, or --ignore {code}."


def _fenced(lines: str, language: str) -> str:
    return f"```{language}\n{lines.rstrip()}\n```"
