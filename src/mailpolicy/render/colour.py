"""Colours of verdicts, states and severities on a terminal, by the words for them."""

from __future__ import annotations

import re

# What each word looks like, in the SGR codes of ECMA-48.
STYLES = {
    "allow": "32", "on": "32", "ok": "32",
    "deny": "31", "error": "1;31",
    "suspended": "33", "expired": "33", "warning": "33", "changed": "33",
    "off": "2", "-": "2", "hint": "2",
    "heading": "1",
    "struck": "9",
}  # fmt: skip
_SEVERITY = r"(?<=: )(?:error|warning|hint)(?=[:\[])|^warning(?=:)"
_MESSAGE = re.compile(_SEVERITY)
_RESULT = re.compile(
    rf"{_SEVERITY}"
    r"|^(?:allow|deny)(?=$|[:\t ])"  # a verdict
    r"|(?<=[\t ])(?:changed|ok)$"  # what an edit did
)


def painted(style: str, text: str) -> str:
    """Return the text in a style, or unchanged if there is no such style."""
    code = STYLES.get(style)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text.strip() else text


def painted_hunk(line: str) -> str:
    """Return a line of a unified diff in the colours that git gives it."""
    for start, code in (("+++", "1"), ("---", "1"), ("@@", "36"), ("+", "32"), ("-", "31")):
        if line.startswith(start):
            return f"\x1b[{code}m{line}\x1b[0m"
    return line


def painted_message(line: str) -> str:
    """Return a message with its severity in colour."""
    return _MESSAGE.sub(lambda found: painted(found[0], found[0]), line)


def painted_line(line: str) -> str:
    """Return a line of a result with its verdict, severity or state in colour."""
    return _RESULT.sub(lambda found: painted(found[0], found[0]), line)
