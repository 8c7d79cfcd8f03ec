"""Hold every edit against the cases that host.toml names: what they say, and what was so, must stay so.

This guards against mistakes, not against whoever may write the store: a hand edit goes past it, and `deploy` and `doctor`
name what does not hold then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.diagnostics import Finding
from mailpolicy.errors import MailpolicyError, Refused, StoreError
from mailpolicy.policy.model import Policy
from mailpolicy.policy.moments import moments
from mailpolicy.policy.names import counted
from mailpolicy.review.case_file import CaseFile
from mailpolicy.review.cases import Case, CasesInvalid
from mailpolicy.review.evaluation import Mismatch, as_of, mismatches
from mailpolicy.store.document import Document
from mailpolicy.system.files import MAX_FILE_SIZE, open_trusted, read_all

if TYPE_CHECKING:
    from datetime import datetime

    from mailpolicy.policy.dates import Clock

_MAX_LINES_SHOWN = 20


class CasesUnusable(Refused):
    """The cases cannot be read; `findings` are all mistakes in them, if that is the reason.

    Raised `for_edit`, it names the option that goes past them; otherwise it is about whether they hold.
    """

    code = "cases-unusable"

    def __init__(self, reason: MailpolicyError, *, for_edit: bool) -> None:
        self.findings: list[Finding] = reason.findings if isinstance(reason, CasesInvalid) else []
        why = f"they have {counted(len(self.findings), 'error')}" if self.findings else reason.message
        so, cure = (
            ("every edit is refused", "mend them, or add --no-cases")
            if for_edit
            else ("whether they hold is not known", "mend them")
        )
        super().__init__(
            f"the cases that guard the store cannot be used, so {so}: {why}; {cure}",
            file=reason.file,
            fix=reason.fix,
            content=reason.content,
        )


class Failure(NamedTuple):
    """A case that does not hold, with its place, and the addresses for which it fails; `moment` is set if only then."""

    file: str
    line: int
    case: Case
    mismatches: list[Mismatch]
    moment: datetime | None = None

    @property
    def located(self) -> str:
        """Return the failure as text behind its place."""
        return f"{self.file}:{self.line}: {self}"

    def __str__(self) -> str:
        asked: dict[str, list[str]] = {}  # by what is so instead
        for mismatch in self.mismatches:
            asked.setdefault(mismatch.actual, []).append(mismatch.asked)
        text = "; ".join(
            [Mismatch(", ".join(texts), actual, "", ()).describe(self.case) for actual, texts in asked.items()]
        )
        return f"{text}, from {self._moment} on" if self.moment is not None else text

    @property
    def content(self) -> dict[str, str | int | None]:
        """Return the failure for JSON."""
        case = self.case
        return {
            "line": self.line,
            "name": case.name or case.title,
            "address": case.address,
            "protocol": str(case.service),
            "moment": self._moment,
            "message": str(self),
        }

    @property
    def _moment(self) -> str | None:
        if self.moment is None:
            return None
        from mailpolicy.policy.dates import text  # 2 ms, only for a store with dates

        return text(self.moment)


class Guard:
    """The cases that an edit is held against. `now` is the clock, asked only if there are dates."""

    def __init__(self, path: str, now: Clock) -> None:
        self.path = path
        self._now = now
        self._file: CaseFile | None = None

    def read(self, *, for_edit: bool = True) -> CaseFile:
        """Return the cases as they are in the file now. Raises CasesUnusable."""
        try:
            with open_trusted(self.path) as descriptor:
                content = read_all(descriptor, MAX_FILE_SIZE)
            if self._file is None or self._file.document.data != content:
                self._file = CaseFile(Document(self.path, content))
        except (StoreError, Refused, CasesInvalid) as error:
            raise CasesUnusable(error, for_edit=for_edit) from None
        return self._file

    def failures(self, policy: Policy) -> list[Failure]:
        """Return the cases that do not hold now, or at the moment that they name. Raises CasesUnusable."""
        file = self.read(for_edit=False)
        found = []
        for case in file.cases:
            only = _only(policy, case.address)
            at = as_of(only, case) if case.at is not None else only.at_present(self._now)
            if missed := mismatches(at, case):
                found.append(Failure(file.path, file.line(case), case, missed))
        return found

    def refuse_broken(self, old: Policy | None, new: Policy) -> None:
        """Raise Refused if a case becomes wrong for an address for which it was right; without an old policy, it was.

        Both may be the policies of a subset of a store, if the other accounts and all settings that they share stay as they
        are: an account in neither of them is decided alike on both sides.
        """
        file = self.read()
        changed = _changed({case.address for case in file.cases}, old, new)
        failed = [
            failure
            for case in file.cases
            if case.address in changed and (failure := self._broken(file, case, old, new))
        ]
        if not failed:
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

    def _broken(self, file: CaseFile, case: Case, old: Policy | None, new: Policy) -> Failure | None:
        """Return how an edit breaks a case: at its own moment, else at the first at which it does."""
        before, after = _only(old, case.address) if old is not None else None, _only(new, case.address)
        if case.at is not None:
            found = mismatches(as_of(after, case), case, as_of(before, case) if before is not None else None)
            return Failure(file.path, file.line(case), case, found) if found else None
        timeline = moments(
            before.accounts.get(case.address) if before else None, after.accounts.get(case.address), self._now
        )
        for moment in timeline:
            if found := mismatches(after.at(moment), case, before.at(moment) if before is not None else None):
                later = moment if moment is not timeline[0] else None
                return Failure(file.path, file.line(case), case, found, later)
        return None


def _changed(addresses: set[str], old: Policy | None, new: Policy) -> set[str]:
    """Return those of the addresses about which the two policies may decide differently."""
    if old is None or old._replace(accounts={}) != new._replace(accounts={}):
        return addresses
    return {address for address in addresses if old.accounts.get(address) != new.accounts.get(address)}


def _only(policy: Policy, address: str) -> Policy:
    """Return the policy with no other account, as a large one takes long to resolve at a moment."""
    account = policy.accounts.get(address)
    return policy._replace(accounts={address: account} if account is not None else {})
