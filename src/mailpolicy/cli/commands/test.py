"""The command test: run cases, which state what must be allowed and denied, against the policy."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from mailpolicy.cli import case_results, findings, views
from mailpolicy.cli.app import new_app, with_formats
from mailpolicy.cli.case_results import CaseResult, Results
from mailpolicy.cli.output import Output
from mailpolicy.cli.streams import stdin_bytes
from mailpolicy.cli.when import when
from mailpolicy.cli.when_options import AtOption
from mailpolicy.errors import MailpolicyError, StoreError, UsageError
from mailpolicy.review.case_file import CaseFile
from mailpolicy.review.cases import CasesInvalid
from mailpolicy.review.evaluation import as_of, mismatches, uncovered
from mailpolicy.store.document import Document
from mailpolicy.store.store import StoreInvalid
from mailpolicy.system.files import MAX_FILE_SIZE, read_regular


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Test the policy against the verdicts expected in files of cases.\n\n"
        "A file holds [[case]] tables with address, protocol, ip, expect and optionally reason. "
        "An ip that is a network stands for every address in it.\n\n"
        "Formats: text, json, github (annotations), junit. "
        "Exit status: 0 all cases pass; 1 a case fails; 2 a file of cases cannot be used."
    )(with_formats(_test, *case_results.FORMATS))
    return command


def _test(
    context: typer.Context,
    files: Annotated[
        list[str], typer.Argument(metavar="CASES...", help="files of cases, or - for stdin", show_default=False)
    ],
    coverage: Annotated[
        bool, typer.Option("--coverage", help="list accounts and services that no case covers")
    ] = False,
    at: AtOption = None,
) -> int:
    out: Output = context.obj
    moment = when("--at", at)
    read: list[CaseFile] = []
    refused: list[tuple[str, MailpolicyError]] = []
    for name in files:
        try:
            read.append(CaseFile(_document(name)))
        except UsageError as error:
            refused.append((name, error))
    if refused:
        _refuse(out, refused)
    try:
        store, policy = views.open_store(out, at=moment)
    except StoreError as error:
        _refuse(out, [(out.context.file, error)])
    results = [
        CaseResult(file.path, file.line(case), case, mismatches(as_of(policy, case), case))
        for file in read
        for case in file.cases
    ]
    not_covered = uncovered(policy, [result.case for result in results]) if coverage else None
    keys = {key for result in results for miss in result.mismatches for key in miss.keys}
    run = Results(store, policy, results, not_covered, store.lines(keys) if keys else {})
    if out.context.format not in case_results.PRINTS_WARNINGS:
        for result, warning in case_results.warnings(run):
            out.message(f"warning: {result.file}:{result.line}: {warning}")
    case_results.FORMATS[out.context.format](out, run)
    if out.context.format == "github":  # without a file name, which may look like a command to the runner
        out.message(f"mailpolicy: {case_results.summary(run)}")
    elif out.context.format != "json":
        out.message(f"{store.path}: {case_results.summary(run)}")
    return int(bool(run.failed))


def _refuse(out: Output, refused: list[tuple[str, MailpolicyError]]) -> NoReturn:
    """Report the files that cannot be used, in the output format of the run, and end it."""
    form, (_, first) = out.context.format, refused[0]
    if form in ("github", "junit"):
        reports = [
            findings.FileReport(name, error.findings)
            if isinstance(error, CasesInvalid | StoreInvalid)
            else findings.FileReport(name, error=error)
            for name, error in refused
        ]
        findings.FORMATS[form](out, reports, False)
    if form == "github":  # the annotations say everything
        raise typer.Exit(first.exit_status)
    for _, error in refused[:-1] if form != "json" else []:
        out.failure(error)
    raise first if form == "json" else refused[-1][1]


def _document(name: str) -> Document:
    try:
        return Document(name, stdin_bytes(MAX_FILE_SIZE) if name == "-" else read_regular(name))
    except StoreError as error:
        raise UsageError(error.message, file=error.file) from None
