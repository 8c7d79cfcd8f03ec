"""Hold every edit against the cases that host.toml names: what they say, and what was so, must stay so.

This guards against mistakes, not against whoever may write the store: a hand edit goes past it, and `deploy` and `doctor`
name what does not hold then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mailpolicy.diagnostics import Finding
from mailpolicy.errors import MailpolicyError, Refused, StoreError
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted
from mailpolicy.review.case_file import CaseFile
from mailpolicy.review.cases import Case, CasesInvalid
from mailpolicy.review.evaluation import Mismatch, mismatches
from mailpolicy.store.document import Document
from mailpolicy.system.files import MAX_FILE_SIZE, open_trusted, read_all

_MAX_LINES_SHOWN = 20


class CasesUnusable(Refused):
    """The cases cannot be read; `findings` are all mistakes in them, if that is the reason."""

    code = "cases-unusable"

    def __init__(self, reason: MailpolicyError) -> None:
        self.findings: list[Finding] = reason.findings if isinstance(reason, CasesInvalid) else []
        why = f"they have {counted(len(self.findings), 'error')}" if self.findings else reason.message
        super().__init__(
            f"the cases that guard the store cannot be used, so every edit is refused: {why}; mend them, or add --no-cases",
            file=reason.file,
            fix=reason.fix,
            content=reason.content,
        )


class Failure(NamedTuple):
    """A case that does not hold, with its place, and the addresses for which it fails."""

    file: str
    line: int
    case: Case
    mismatches: list[Mismatch]

    @property
    def located(self) -> str:
        """Return the failure as text behind its place."""
        return f"{self.file}:{self.line}: {self}"

    def __str__(self) -> str:
        asked: dict[str, list[str]] = {}  # by what is so instead
        for mismatch in self.mismatches:
            asked.setdefault(mismatch.actual, []).append(mismatch.asked)
        return "; ".join(
            [Mismatch(", ".join(texts), actual, "", ()).describe(self.case) for actual, texts in asked.items()]
        )

    @property
    def content(self) -> dict[str, str | int]:
        """Return the failure for JSON."""
        case = self.case
        return {
            "line": self.line,
            "name": case.name or case.title,
            "address": case.address,
            "protocol": str(case.service),
            "message": str(self),
        }


class Guard:
    """The cases that an edit is held against."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: CaseFile | None = None

    def read(self) -> CaseFile:
        """Return the cases as they are in the file now. Raises CasesUnusable."""
        try:
            with open_trusted(self.path) as descriptor:
                content = read_all(descriptor, MAX_FILE_SIZE)
            if self._file is None or self._file.document.data != content:
                self._file = CaseFile(Document(self.path, content))
        except (StoreError, Refused, CasesInvalid) as error:
            raise CasesUnusable(error) from None
        return self._file

    def failures(self, policy: Policy) -> list[Failure]:
        """Return the cases that do not hold. Raises CasesUnusable."""
        return _failures(self.read(), None, policy)

    def refuse_broken(self, old: Policy | None, new: Policy) -> None:
        """Raise Refused if a case becomes wrong for an address for which it was right; without an old policy, it was.

        Both may be the policies of a subset of a store, if the other accounts and all settings that they share stay as they
        are: an account in neither of them is decided alike on both sides.
        """
        file = self.read()
        if not (failed := _failures(file, old, new)):
            return
        first, *others = failed
        more = ""
        if others:
            lines = ", ".join(str(failure.line) for failure in others[:_MAX_LINES_SHOWN])
            dots = ", ..." if len(others) > _MAX_LINES_SHOWN else ""
            more = f"; and {counted(len(others), 'more case')}, in line{'s' if others[1:] else ''} {lines}{dots}"
        raise Refused(
            f"not changed, as this case would no longer hold: {first}{more}; if that is meant, change the case first, "
            "or add --no-cases",
            file=file.path,
            line=first.line,
            code="case-broken",
            content={"cases": [failure.content for failure in failed]},
        )


def _failures(file: CaseFile, old: Policy | None, new: Policy) -> list[Failure]:
    """Return the cases that are wrong in the new policy, at any moment, for addresses for which they were right in the old."""
    changed = _changed({case.address for case in file.cases}, old, new)
    cases = [case for case in file.cases if case.address in changed]
    failed = []
    for before, after in _sides(_limited(old, changed) if old is not None else None, _limited(new, changed)):
        for case in cases:
            if found := mismatches(after, case, before):
                failed.append(Failure(file.path, file.line(case), case, found))
    return failed


def _changed(addresses: set[str], old: Policy | None, new: Policy) -> set[str]:
    """Return those of the addresses about which the two policies may decide differently."""
    if old is None or old._replace(accounts={}) != new._replace(accounts={}):
        return addresses
    return {address for address in addresses if old.accounts.get(address) != new.accounts.get(address)}


def _sides(old: Policy | None, new: Policy) -> Iterator[tuple[Policy | None, Policy]]:
    """Yield the two policies as they are at each moment at which they are compared."""
    yield old, new


def _limited(policy: Policy, addresses: set[str]) -> Policy:
    """Return the policy with no more than these accounts."""
    accounts = policy.accounts
    return policy._replace(accounts={address: accounts[address] for address in addresses if address in accounts})
