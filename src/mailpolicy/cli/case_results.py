"""The output formats of `test`: the result of each case, and the coverage if it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mailpolicy.cli import locations
from mailpolicy.cli.output import Output
from mailpolicy.diagnostics import ERROR, WARNING, KeyPath, dotted
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted
from mailpolicy.policy.service import Service
from mailpolicy.render import github
from mailpolicy.render.annotation import Annotation
from mailpolicy.review.cases import Case
from mailpolicy.review.evaluation import Mismatch
from mailpolicy.store.store import Store


class CaseResult(NamedTuple):
    """A case and the addresses for which it fails."""

    file: str
    line: int
    case: Case
    mismatches: list[Mismatch]


class Results(NamedTuple):
    """The results of all cases of one run; `uncovered` is None unless coverage was asked for."""

    store: Store
    policy: Policy
    cases: list[CaseResult]
    uncovered: dict[str, list[Service]] | None
    lines: dict[KeyPath, int]

    @property
    def failed(self) -> list[CaseResult]:
        """The results of the cases that failed."""
        return [result for result in self.cases if result.mismatches]

    def describe(self, result: CaseResult, miss: Mismatch) -> str:
        """Return a failure as text, with the place of each key that decided."""
        why = f", {miss.why}" if miss.why else ""
        keys = ", ".join(f"{dotted(key)} {self._place(key)}" for key in miss.keys)
        return f"{miss.describe(result.case)}{why}{f' ({keys})' if keys else ''}"

    def _place(self, key: KeyPath) -> str:
        return f"{self.store.path}:{self.lines[key]}" if key in self.lines else "not set"


def warnings(results: Results) -> list[tuple[CaseResult, str]]:
    """Return a warning for each case that the policy answers without deciding about its account and service."""
    return [(result, text) for result in results.cases if (text := _warning(results.policy, result.case)) is not None]


def _warning(policy: Policy, case: Case) -> str | None:
    if not policy.governs(case.service):
        return f"{case.service} is not governed by the store, so it counts as open to everybody from anywhere"
    # Perhaps a typo; a reason of unknown-account shows that the missing account is intended.
    if case.address not in policy.accounts and not case.allow and case.reason is None:
        return (
            f"no account {case.address}, so everything is denied to it; "
            "if that is intended, write reason = 'unknown-account'"
        )
    return None


def summary(results: Results) -> str:
    """Return the numbers of cases, failures and covered decisions as text."""
    count, failed = len(results.cases), len(results.failed)
    text = f"{counted(count, 'case')}, {f'{failed} failed' if failed else 'all passed'}"
    if results.uncovered is not None:
        decisions, left = _coverage(results)
        text += f"; {decisions - left} of {decisions} decisions covered"
    return text


def _coverage(results: Results) -> tuple[int, int]:
    """Return the number of decisions that the store makes, and of those that no case covers."""
    left = sum(len(services) for services in (results.uncovered or {}).values())
    return len(results.policy.accounts) * len(results.policy.services), left


def _text(out: Output, results: Results) -> None:
    for result in results.failed:
        for miss in result.mismatches:
            out.record((f"{result.file}:{result.line}: {results.describe(result, miss)}",))
    for address, services in (results.uncovered or {}).items():
        out.record(("no case", address, " ".join(services)))


def _json(out: Output, results: Results) -> None:
    content: dict[str, Any] = {
        "file": results.store.path,
        "passed": not results.failed,
        "cases": len(results.cases),
        "failed": len(results.failed),
        "failures": [_failure(results, result, miss) for result in results.failed for miss in result.mismatches],
        "warnings": [
            {"cases_file": result.file, "line": result.line, "message": warning}
            for result, warning in warnings(results)
        ],
    }
    if results.uncovered is not None:
        decisions, left = _coverage(results)
        content["coverage"] = {
            "decisions": decisions,
            "touched": decisions - left,
            "untouched": [
                {"address": address, "protocols": [str(service) for service in services]}
                for address, services in results.uncovered.items()
            ],
        }
    out.json("test/1", content)


def _failure(results: Results, result: CaseResult, miss: Mismatch) -> dict[str, Any]:
    return {
        "cases_file": result.file,
        "line": result.line,
        "name": result.case.name or result.case.title,
        "address": result.case.address,
        "protocol": str(result.case.service),
        "ip": miss.asked or None,
        "expected": result.case.expected,
        "actual": miss.actual,
        "keys": [{"key": dotted(key), "line": results.lines.get(key)} for key in miss.keys],
        "message": results.describe(result, miss),
    }


def _github(out: Output, results: Results) -> None:
    found = [(ERROR, result, results.describe(result, miss)) for result in results.failed for miss in result.mismatches]
    found += ((WARNING, result, warning) for result, warning in warnings(results))
    out.data(
        github.text(
            Annotation("test", severity, locations.path(result.file), result.line, 1, message)
            for severity, result, message in found
        )
    )
    _report_uncovered(out, results)


def _junit(out: Output, results: Results) -> None:
    from mailpolicy.render import junit  # 2 ms, only for this format

    suites: dict[str, list[junit.Case]] = {}
    for result in results.cases:
        file = locations.path(result.file)
        outcome = junit.FAILED if result.mismatches else junit.PASSED
        kind = f"expected {result.case.expected}" if result.mismatches else ""
        message = "; ".join(results.describe(result, miss) for miss in result.mismatches)
        suites.setdefault(file, []).append(
            junit.Case(result.case.name or result.case.title, file, result.line, outcome, kind, message)
        )
    out.data(junit.text(junit.Suite(file, listed) for file, listed in suites.items()))
    _report_uncovered(out, results)


def _report_uncovered(out: Output, results: Results) -> None:
    for address, services in (results.uncovered or {}).items():
        out.message(f"no case  {address}  {' '.join(services)}")


PRINTS_WARNINGS = ("json", "github")  # formats that contain the warnings, which others print on stderr
FORMATS: dict[str, Callable[[Output, Results], None]] = {
    "text": _text,
    "json": _json,
    "github": _github,
    "junit": _junit,
}
