"""What review tools are told of a file: a frozen value that knows neither policies nor the tools.

Promises: whoever has findings of any kind can have them rendered for GitHub, as SARIF or as JUnit, by saying them so.
"""

from __future__ import annotations

from typing import NamedTuple

from mailpolicy.policy.names import printable


class Annotation(NamedTuple):
    """One thing to say about a place in a file; line and column count from 1, columns in characters."""

    code: str  # what kind of thing it is, such as `MP012`: short, the same in every run
    severity: str  # `error`, `warning` or `hint`
    file: str  # relative to where the tool that reads it stands, or absolute
    line: int
    column: int
    message: str  # one sentence
    identity: str = ""  # what stays the same while lines move and the wording changes; where empty, the message does


def shown(text: str) -> str:
    """`text` with everything as an escape that could not be seen, would end a line, or that XML 1.0 cannot hold."""
    return printable(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
