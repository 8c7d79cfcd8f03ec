"""What is to be said about one code."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """One kind of finding.

    `example` is a whole store that has this finding, and no other error. With `wrong` in it replaced by `right` it has
    no finding at all; where both are empty, no other text would help.
    """

    severity: str
    name: str
    cure: str
    meaning: str  # why it is a finding: one paragraph of Markdown
    example: str
    wrong: str = ""
    right: str = ""
    given: str = ""  # what else it takes to have the finding, where the text is not enough
    encoding: str = "utf-8"  # how the example is saved
