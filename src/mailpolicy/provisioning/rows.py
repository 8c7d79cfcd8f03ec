"""The rows of a plan: the wanted state of each account, and the rows that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mailpolicy.diagnostics import MAX_FINDINGS_SHOWN, more_findings
from mailpolicy.errors import Command, MailpolicyError
from mailpolicy.policy import names
from mailpolicy.policy.names import counted


class Row(NamedTuple):
    """The wanted state of one account: keys with their values, None for a key to remove. Other keys are left alone."""

    address: str
    line: int
    keys: Mapping[str, Any]


class Mistake(NamedTuple):
    """A row that cannot be carried out. Of the row only the address may be in the message: the rest may hold a password."""

    file: str
    line: int
    message: str
    source: None = None  # the line itself is never shown

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"

    @property
    def content(self) -> dict[str, str | int]:
        """Return the mistake as an object for JSON."""
        return {"file": self.file, "line": self.line, "message": self.message}


class BadRows(MailpolicyError):
    """Rows that cannot be carried out; `findings` has a mistake for each. The exit status is that of a usage error."""

    exit_status = 2
    code = "bad-plan"

    def __init__(
        self,
        mistakes: Sequence[Mistake],
        *,
        exit_status: int | None = None,
        code: str | None = None,
        fix: Command | None = None,
    ) -> None:
        self.findings = sorted(mistakes[:MAX_FINDINGS_SHOWN], key=lambda mistake: mistake.line)
        left_out = len(mistakes) - len(self.findings)
        more = f" ({more_findings(left_out)})" if left_out else ""
        super().__init__(
            f"{counted(len(mistakes), 'row')} cannot be carried out{more}; nothing was changed",
            file=mistakes[0].file,
            code=code,
            fix=fix,
            content={"findings_left_out": left_out} if left_out else None,
        )
        if exit_status is not None:
            self.exit_status = exit_status


class Rows:
    """The rows of one file as they are read, with the mistakes in it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[Mistake] = []
        self._rows: dict[str, Row] = {}

    def mistake(self, line: int, message: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(self.file, line, message))

    def address(self, line: int, text: str) -> str | None:
        """Return the normalised address of a row, or None if it is none or stands in an earlier row; that is noted."""
        try:
            address = names.account_address(text)
        except names.NameRejected as error:
            self.mistake(line, f"this {error.why}")
            return None
        if (earlier := self._rows.get(address)) is not None:
            self.mistake(line, f"{address} already stands in line {earlier.line}: leave one of the two")
            return None
        return address

    def add(self, address: str, line: int, keys: Mapping[str, Any]) -> None:
        """Add a row."""
        self._rows[address] = Row(address, line, keys)

    def finished(self) -> list[Row]:
        """Return all rows. Raises BadRows if there is a mistake in any."""
        if self.mistakes:
            raise BadRows(self.mistakes)
        return list(self._rows.values())


def refused(file: str, rows: Iterable[tuple[Row, str]], *, exit_status: int, code: str) -> BadRows:
    """Return the error for rows that do not fit the store, each with the reason."""
    return BadRows([Mistake(file, row.line, why) for row, why in rows], exit_status=exit_status, code=code)
