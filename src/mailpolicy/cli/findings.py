"""What `validate` found, in each of its formats.

Promises: every format tells of every file, those that could not be opened too. Not promised: that a format changes what
the exit status is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mailpolicy.cli import locations
from mailpolicy.cli.output import Output
from mailpolicy.diagnostics import ERROR, WARNING, Finding, capped, dotted, fails, more_findings
from mailpolicy.diagnostics.rules import RULES
from mailpolicy.errors import MailpolicyError
from mailpolicy.policy.names import counted
from mailpolicy.render import github
from mailpolicy.render.annotation import Annotation

if TYPE_CHECKING:
    from mailpolicy.render.annotation import Annotation  # loaded where it is used: most runs find nothing


class Judgement(NamedTuple):
    """What is to say about one file: its findings and how many hints are not among them, or why there are none.

    All findings count; of very many only some are shown.
    """

    file: str
    findings: Sequence[Finding] = ()
    hints_left_out: int = 0
    error: MailpolicyError | None = None

    @property
    def shown(self) -> tuple[Sequence[Finding], int]:
        """The findings that are shown, and how many are not."""
        return capped(self.findings)

    def valid(self, strict: bool) -> bool:
        """Whether the file can be used; with `strict` a warning suffices that it cannot."""
        return self.error is None and not fails(self.findings, strict=strict)


def _text(out: Output, judged: Sequence[Judgement], strict: bool) -> None:
    for judgement in judged:
        out.findings(judgement.shown[0])
        if judgement.error is None:
            out.message(_summary(judgement, strict))


def _summary(judgement: Judgement, strict: bool) -> str:
    counts = (_count(judgement.findings, severity) for severity in (ERROR, WARNING))
    verdict = "valid" if judgement.valid(strict) else "not valid"
    left_out = judgement.hints_left_out
    hidden = f", {counted(left_out, 'hint')} not shown (--hints)" if left_out else ""
    capped_off = judgement.shown[1]
    more = f", {more_findings(capped_off)}" if capped_off else ""
    return f"{judgement.file}: {verdict}, {', '.join(counts)}{more}{hidden}"


def _count(findings: Sequence[Finding], severity: str) -> str:
    count = sum(finding.problem.severity == severity for finding in findings)
    return counted(count, severity)


def _json(out: Output, judged: Sequence[Judgement], strict: bool) -> None:
    content = [_file_object(judgement, strict) for judgement in judged]
    out.json("validate/1", {"valid": all(file["valid"] for file in content), "files": content})


def _file_object(judgement: Judgement, strict: bool) -> dict[str, Any]:
    error = judgement.error
    if error is not None:
        unopened = {"exit": error.exit_status, "message": str(error)}
        return {"file": judgement.file, "valid": False, "findings": [], "error": unopened}
    shown, left_out = judgement.shown
    return {
        "file": judgement.file,
        "valid": judgement.valid(strict),
        "findings": [finding.content for finding in shown],
        "findings_left_out": left_out,
        "hints_left_out": judgement.hints_left_out,
    }


def _github(out: Output, judged: Sequence[Judgement], strict: bool) -> None:
    notes = [*_annotations(judged)]
    notes += (
        Annotation("not opened", ERROR, locations.path(name), 1, 1, str(error)) for name, error in _unopened(judged)
    )
    for judgement in judged:
        if left_out := judgement.shown[1]:
            notes.append(Annotation("more", WARNING, locations.path(judgement.file), 1, 1, more_findings(left_out)))
    out.data(github.text(notes))
    # Without a file's name: the log is read for commands on stderr too, and a name may look like one.
    findings = [finding for judgement in judged for finding in judgement.findings]
    valid = "valid" if all(judgement.valid(strict) for judgement in judged) else "not valid"
    unopened = len(_unopened(judged))
    told = f", {counted(unopened, 'file')} not opened" if unopened else ""
    out.message(f"mailpolicy: {valid}, {_count(findings, ERROR)}, {_count(findings, WARNING)}{told}")


def _sarif(out: Output, judged: Sequence[Judgement], _strict: bool) -> None:
    from mailpolicy.render import sarif  # 12 ms, only for this format

    unread = [(locations.path(name), str(error)) for name, error in _unopened(judged)]
    left_out = {locations.path(judgement.file): count for judgement in judged if (count := judgement.shown[1])}
    out.data(sarif.text(_annotations(judged), RULES, unread, left_out))


def _junit(out: Output, judged: Sequence[Judgement], strict: bool) -> None:
    from mailpolicy.render import junit  # 2 ms, only for this format

    suites = []
    for judgement in judged:
        file = locations.path(judgement.file)
        if judgement.error is not None:
            cases = [junit.Case("opened", file, 1, junit.BROKEN, judgement.error.code, str(judgement.error))]
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
                for finding in judgement.shown[0]
            ]
            if left_out := judgement.shown[1]:
                outcome = junit.PASSED if judgement.valid(strict) else junit.FAILED
                cases.append(junit.Case("more", file, 1, outcome, "not shown", more_findings(left_out)))
        suites.append(junit.Suite(file, cases or [junit.Case("valid", file)]))
    out.data(junit.text(suites))


def _title(finding: Finding) -> str:
    """A name that stays while lines move, by which a report is compared with the one before."""
    key = dotted(finding.problem.path)
    return f"{finding.problem.code} {key}" if key else f"{finding.problem.code} line {finding.line}"


def _annotations(judged: Sequence[Judgement]) -> list[Annotation]:
    return [locations.annotation(finding) for judgement in judged for finding in judgement.shown[0]]


def _unopened(judged: Sequence[Judgement]) -> list[tuple[str, MailpolicyError]]:
    return [(judgement.file, judgement.error) for judgement in judged if judgement.error is not None]


FORMATS: dict[str, Callable[[Output, Sequence[Judgement], bool], None]] = {
    "text": _text,
    "json": _json,
    "github": _github,
    "sarif": _sarif,
    "junit": _junit,
}
