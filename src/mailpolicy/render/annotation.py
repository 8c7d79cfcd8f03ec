"""A finding as review tools show it, in a form that knows neither the policy nor the tool."""

from __future__ import annotations

from typing import NamedTuple

from mailpolicy.policy.names import printable


class Annotation(NamedTuple):
    """One message about a place in a file; line and column count from 1, columns in characters."""

    code: str  # the kind of finding, such as `MP012`; short, and the same in every run
    severity: str  # `error`, `warning` or `hint`
    file: str  # relative to the directory of the tool that reads it, or absolute
    line: int
    column: int
    message: str  # one sentence
    identity: str = ""  # stays the same while lines move and the wording changes; if empty, the message is used


def shown(text: str) -> str:
    """Return `text` made printable, also without the characters that XML 1.0 cannot hold."""
    return printable(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
