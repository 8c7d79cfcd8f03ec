"""The description of one code."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """One kind of finding.

    `example` is a whole store with this finding and no other error. Replacing `wrong` with `right` leaves no finding;
    both are empty if no change of the text would help.
    """

    severity: str
    name: str
    fix: str
    meaning: str  # the reason for the finding: one paragraph of Markdown
    example: str
    wrong: str = ""
    right: str = ""
    given: str = ""  # a further condition, if the text alone does not give the finding
    encoding: str = "utf-8"  # of the file with the example
