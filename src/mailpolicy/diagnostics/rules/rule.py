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
    meaning: str  # why it is a finding: one paragraph of Markdown
    example: str
    wrong: str = ""
    right: str = ""
    given: str = ""  # what else it takes to have the finding, where the text is not enough
    encoding: str = "utf-8"  # how the example is saved
