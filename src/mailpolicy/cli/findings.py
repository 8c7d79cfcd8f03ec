"""The output formats of `validate`. Each of them reports every file, also those that could not be opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mailpolicy.cli import locations
from mailpolicy.cli.output import Output
from mailpolicy.diagnostics import ERROR, WARNING, Finding, capped, dotted, fails, more_findings
from mailpolicy.diagnostics.rules import RULES
from mailpolicy.errors import MailpolicyError
from mailpolicy.policy.names import counted
from mailpolicy.render import github
from mailpolicy.render.annotation import Annotation


class FileReport(NamedTuple):
    """The findings of one file, or the error that kept it from being opened.

    All findings count for the verdict; if there are very many, only some are shown.
    """

    file: str
    findings: Sequence[Finding] = ()
    hints_left_out: int = 0
    error: MailpolicyError | None = None

    @property
    def shown(self) -> tuple[Sequence[Finding], int]:
        """The findings to show, and the number of those left out."""
        return capped(self.findings)

    def valid(self, strict: bool) -> bool:
        """Return whether the file was opened and has no error, with `strict` no warning either."""
        return self.error is None and not fails(self.findings, strict=strict)


def _text(out: Output, reports: Sequence[FileReport], strict: bool) -> None:
    for report in reports:
        out.findings(report.shown[0])
        if report.error is None:
            out.message(_summary(report, strict))


def _summary(report: FileReport, strict: bool) -> str:
    counts = (_count(report.findings, severity) for severity in (ERROR, WARNING))
    verdict = "valid" if report.valid(strict) else "not valid"
    left_out = report.hints_left_out
    hidden = f", {counted(left_out, 'hint')} not shown (--hints)" if left_out else ""
    capped_off = report.shown[1]
    more = f", {more_findings(capped_off)}" if capped_off else ""
    return f"{report.file}: {verdict}, {', '.join(counts)}{more}{hidden}"


def _count(findings: Sequence[Finding], severity: str) -> str:
    count = sum(finding.problem.severity == severity for finding in findings)
    return counted(count, severity)


def _json(out: Output, reports: Sequence[FileReport], strict: bool) -> None:
    content = [_file_object(report, strict) for report in reports]
    out.json("validate/1", {"valid": all(file["valid"] for file in content), "files": content})


def _file_object(report: FileReport, strict: bool) -> dict[str, Any]:
    error = report.error
    if error is not None:
        unopened = {"exit": error.exit_status, "message": str(error)}
        return {"file": report.file, "valid": False, "findings": [], "error": unopened}
    shown, left_out = report.shown
    return {
        "file": report.file,
        "valid": report.valid(strict),
        "findings": [finding.content for finding in shown],
        "findings_left_out": left_out,
        "hints_left_out": report.hints_left_out,
    }


def _github(out: Output, reports: Sequence[FileReport], strict: bool) -> None:
    notes = [*_annotations(reports)]
    notes += (
        Annotation("not opened", ERROR, locations.path(name), 1, 1, str(error)) for name, error in _unopened(reports)
    )
    for report in reports:
        if left_out := report.shown[1]:
            notes.append(Annotation("more", WARNING, locations.path(report.file), 1, 1, more_findings(left_out)))
    out.data(github.text(notes))
    # No file name here: the runner looks for commands on stderr too, and a name may look like one.
    findings = [finding for report in reports for finding in report.findings]
    valid = "valid" if all(report.valid(strict) for report in reports) else "not valid"
    unopened = len(_unopened(reports))
    not_opened = f", {counted(unopened, 'file')} not opened" if unopened else ""
    out.message(f"mailpolicy: {valid}, {_count(findings, ERROR)}, {_count(findings, WARNING)}{not_opened}")


def _sarif(out: Output, reports: Sequence[FileReport], _strict: bool) -> None:
    from mailpolicy.render import sarif  # 12 ms, only for this format

    unread = [(locations.path(name), str(error)) for name, error in _unopened(reports)]
    left_out = {locations.path(report.file): count for report in reports if (count := report.shown[1])}
    out.data(sarif.text(_annotations(reports), RULES, unread, left_out))


def _junit(out: Output, reports: Sequence[FileReport], strict: bool) -> None:
    from mailpolicy.render import junit  # 2 ms, only for this format

    suites = []
    for report in reports:
        file = locations.path(report.file)
        if report.error is not None:
            cases = [junit.Case("opened", file, 1, junit.BROKEN, report.error.code, str(report.error))]
        else:
            cases = [
                junit.Case(
                    _title(finding),
                    file,
                    finding.line,
                    junit.FAILED if fails([finding], strict=strict) else junit.PASSED,
                    f"{finding.problem.severity}[{finding.problem.code}]",
                    finding.problem.message,
                )
                for finding in report.shown[0]
            ]
            if left_out := report.shown[1]:
                outcome = junit.PASSED if report.valid(strict) else junit.FAILED
                cases.append(junit.Case("more", file, 1, outcome, "not shown", more_findings(left_out)))
        suites.append(junit.Suite(file, cases or [junit.Case("valid", file)]))
    out.data(junit.text(suites))


def _title(finding: Finding) -> str:
    """Return a name that survives moved lines, so that test reports can be compared."""
    key = dotted(finding.problem.path)
    return f"{finding.problem.code} {key}" if key else f"{finding.problem.code} line {finding.line}"


def _annotations(reports: Sequence[FileReport]) -> list[Annotation]:
    return [locations.annotation(finding) for report in reports for finding in report.shown[0]]


def _unopened(reports: Sequence[FileReport]) -> list[tuple[str, MailpolicyError]]:
    return [(report.file, report.error) for report in reports if report.error is not None]


FORMATS: dict[str, Callable[[Output, Sequence[FileReport], bool], None]] = {
    "text": _text,
    "json": _json,
    "github": _github,
    "sarif": _sarif,
    "junit": _junit,
}
