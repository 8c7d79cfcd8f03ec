"""test: the policy held against cases, what is expected to be allowed and to be denied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple, NoReturn

import typer

from mailpolicy.cli import findings, locations, views
from mailpolicy.cli.app import new_app, with_formats
from mailpolicy.cli.output import Output, stdin_bytes
from mailpolicy.diagnostics import ERROR, WARNING, KeyPath, dotted
from mailpolicy.errors import MailpolicyError, StoreError, UsageError
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted
from mailpolicy.policy.service import Service
from mailpolicy.render import github
from mailpolicy.render.annotation import Annotation
from mailpolicy.review import cases
from mailpolicy.review.cases import Case, CasesInvalid
from mailpolicy.review.evaluation import Mismatch, mismatches, uncovered
from mailpolicy.store.document import Document
from mailpolicy.store.store import Store, StoreInvalid
from mailpolicy.system.files import LARGEST, read_regular


class Trial(NamedTuple):
    """One case and where it does not hold."""

    file: str
    line: int
    case: Case
    mismatches: list[Mismatch]


class Run(NamedTuple):
    """All trials of one run; `untouched` only where coverage is asked for."""

    store: Store
    policy: Policy
    trials: list[Trial]
    untouched: dict[str, list[Service]] | None
    lines: dict[KeyPath, int]

    @property
    def failed(self) -> list[Trial]:
        """The trials whose case does not hold."""
        return [trial for trial in self.trials if trial.mismatches]

    def told(self, trial: Trial, miss: Mismatch) -> str:
        """`NAME: alice@example.com pop 203.0.113.9: expected deny, got allow (accounts."alice@example.com".pop FILE:LINE)`."""
        named = f"{trial.case.name}: " if trial.case.name else ""
        asked = f"{named}{trial.case.address} {trial.case.service} {miss.asked}".rstrip()
        why = f", {miss.why}" if miss.why else ""
        keys = ", ".join(f"{dotted(key)} {self._place(key)}" for key in miss.keys)
        return f"{asked}: expected {trial.case.expected}, got {miss.actual}{why}{f' ({keys})' if keys else ''}"

    def _place(self, key: KeyPath) -> str:
        return f"{self.store.path}:{self.lines[key]}" if key in self.lines else "not set"


def app() -> typer.Typer:
    """The command test."""
    command = new_app()
    command.command(
        help="Hold the policy against cases: files of [[case]] tables with address, protocol, ip, expect and perhaps "
        "reason. An ip that is a network stands for every address in it.\n\n"
        "Formats: text, json, github (annotations), junit. "
        "Exit status: 0 all hold, 1 one does not, 2 a file of cases that cannot be used."
    )(with_formats(_test, *_FORMATS))
    return command


def _test(
    context: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="CASES...", help="files of cases, or - for stdin", show_default=False)
    ],
    coverage: Annotated[
        bool, typer.Option("--coverage", help="list the accounts and services that no case asks about")
    ] = False,
) -> int:
    out: Output = context.obj
    read: list[tuple[Document, list[Case]]] = []
    refused: list[tuple[str, MailpolicyError]] = []
    for name in files:
        try:
            document = _document(name)
            read.append((document, _cases(document)))
        except UsageError as error:
            refused.append((name, error))
    if refused:
        _refuse(out, refused)
    try:
        store, policy = views.open_store(out)
    except StoreError as error:
        _refuse(out, [(out.context.file, error)])
    trials = [
        Trial(document.path, line, case, mismatches(policy, case))
        for document, found in read
        for case, line in zip(found, _lines(document, found), strict=True)
    ]
    asked = [trial.case for trial in trials]
    keys = {key for trial in trials for miss in trial.mismatches for key in miss.keys}
    run = Run(store, policy, trials, uncovered(policy, asked) if coverage else None, store.lines(keys) if keys else {})
    if out.context.format not in _WARNS_ITSELF:
        for _, warning in _unknown(run):
            out.message(f"warning: {warning}")
    _FORMATS[out.context.format](out, run)
    if out.context.format == "github":  # without a file's name, which may look like a command
        out.message(f"mailpolicy: {_counted(run)}")
    elif out.context.format != "json":
        out.message(f"{run.store.path}: {_counted(run)}")
    return int(bool(run.failed))


def _unknown(run: Run) -> list[tuple[Trial, str]]:
    """A slip in an address would make each denial that is expected of it hold."""
    return [
        (
            trial,
            f"{trial.file}:{trial.line}: there is no account {trial.case.address}, so all is denied to it: "
            "if that is meant, write reason = 'unknown-account'",
        )
        for trial in run.trials
        if trial.case.address not in run.policy.accounts and not trial.case.allow and trial.case.reason is None
    ]


def _refuse(out: Output, refused: list[tuple[str, MailpolicyError]]) -> NoReturn:
    """End a run of which some files cannot be used; the reports of a review's tools hold that too."""
    form, (_, first) = out.context.format, refused[0]
    if form in ("github", "junit"):
        told = [
            findings.Judgement(name, error.findings)
            if isinstance(error, CasesInvalid | StoreInvalid)
            else findings.Judgement(name, error=error)
            for name, error in refused
        ]
        findings.FORMATS[form](out, told, False)
    if form == "github":  # all is said
        raise typer.Exit(first.exit_status)
    for _, error in refused[:-1] if form != "json" else []:
        out.failure(error)
    raise first if form == "json" else refused[-1][1]


def _document(name: str) -> Document:
    try:
        return Document(name, stdin_bytes(LARGEST) if name == "-" else read_regular(name))
    except StoreError as error:
        raise UsageError(error.message, file=error.file) from None


def _cases(document: Document) -> list[Case]:
    found, problems = ([], document.faults) if document.faults else cases.read(document.tree)
    if problems:
        raise CasesInvalid(document.located(problems))
    return found


def _lines(document: Document, found: Sequence[Case]) -> list[int]:
    lines = document.lines([case.path for case in found])
    return [lines[case.path] for case in found]


def _counted(run: Run) -> str:
    count, failed = len(run.trials), len(run.failed)
    told = f"{counted(count, 'case')}, {f'{failed} failed' if failed else 'all hold'}"
    if run.untouched is not None:
        decisions, left = _coverage(run)
        told += f"; {decisions - left} of {decisions} decisions are asked about"
    return told


def _coverage(run: Run) -> tuple[int, int]:
    """How many decisions the store makes, and how many of them no case asks about."""
    left = sum(len(services) for services in (run.untouched or {}).values())
    return len(run.policy.accounts) * len(Service), left


def _text(out: Output, run: Run) -> None:
    for trial in run.failed:
        for miss in trial.mismatches:
            out.record((f"{trial.file}:{trial.line}: {run.told(trial, miss)}",))
    for address, services in (run.untouched or {}).items():
        out.record(("no case", address, " ".join(services)))


def _json(out: Output, run: Run) -> None:
    content: dict[str, Any] = {
        "file": run.store.path,
        "passed": not run.failed,
        "cases": len(run.trials),
        "failed": len(run.failed),
        "failures": [_failure(run, trial, miss) for trial in run.failed for miss in trial.mismatches],
        "warnings": [
            {"cases_file": trial.file, "line": trial.line, "message": warning} for trial, warning in _unknown(run)
        ],
    }
    if run.untouched is not None:
        decisions, left = _coverage(run)
        content["coverage"] = {
            "decisions": decisions,
            "touched": decisions - left,
            "untouched": [
                {"address": address, "protocols": [str(service) for service in services]}
                for address, services in run.untouched.items()
            ],
        }
    out.json("test/1", content)


def _failure(run: Run, trial: Trial, miss: Mismatch) -> dict[str, Any]:
    return {
        "cases_file": trial.file,
        "line": trial.line,
        "name": trial.case.name or trial.case.title,
        "address": trial.case.address,
        "protocol": str(trial.case.service),
        "ip": miss.asked or None,
        "expected": trial.case.expected,
        "actual": miss.actual,
        "keys": [{"key": dotted(key), "line": run.lines.get(key)} for key in miss.keys],
        "message": run.told(trial, miss),
    }


def _github(out: Output, run: Run) -> None:
    told = [(ERROR, trial, run.told(trial, miss)) for trial in run.failed for miss in trial.mismatches]
    told += ((WARNING, trial, warning) for trial, warning in _unknown(run))
    out.data(
        github.text(
            Annotation("test", severity, locations.path(trial.file), trial.line, 1, message)
            for severity, trial, message in told
        )
    )
    _tell_untouched(out, run)


def _junit(out: Output, run: Run) -> None:
    from mailpolicy.render import junit  # 2 ms, only for this format

    suites: dict[str, list[junit.Case]] = {}
    for trial in run.trials:
        file = locations.path(trial.file)
        outcome = junit.FAILED if trial.mismatches else junit.PASSED
        kind = f"expected {trial.case.expected}" if trial.mismatches else ""
        message = "; ".join(run.told(trial, miss) for miss in trial.mismatches)
        suites.setdefault(file, []).append(
            junit.Case(trial.case.name or trial.case.title, file, trial.line, outcome, kind, message)
        )
    out.data(junit.text(junit.Suite(file, listed) for file, listed in suites.items()))
    _tell_untouched(out, run)


def _tell_untouched(out: Output, run: Run) -> None:
    for address, services in (run.untouched or {}).items():
        out.message(f"no case  {address}  {' '.join(services)}")


_WARNS_ITSELF = ("json", "github")
_FORMATS: dict[str, Callable[[Output, Run], None]] = {
    "text": _text,
    "json": _json,
    "github": _github,
    "junit": _junit,
}
