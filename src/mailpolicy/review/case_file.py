"""A file of cases that was read: its cases and their lines."""

from __future__ import annotations

from functools import cached_property

from mailpolicy.review import cases
from mailpolicy.review.cases import Case, CasesInvalid
from mailpolicy.store.document import Document


class CaseFile:
    """The cases in a document."""

    def __init__(self, document: Document) -> None:
        """Read the cases. Raises CasesInvalid with every problem in the document."""
        self.document = document
        self.cases, problems = ([], document.faults) if document.faults else cases.read(document.tree)
        if problems:
            raise CasesInvalid(document.located(problems))

    @property
    def path(self) -> str:
        """Return the path of the file as it was given."""
        return self.document.path

    def line(self, case: Case) -> int:
        """Return the line on which a case begins."""
        return self._lines[case.path]

    @cached_property
    def _lines(self) -> dict[tuple[str | int, ...], int]:
        return self.document.lines([case.path for case in self.cases])
