"""The command validate: report every error and warning of one or more stores."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from mailpolicy.cli import findings as rendering
from mailpolicy.cli.app import new_app, with_formats
from mailpolicy.cli.findings import FileReport
from mailpolicy.cli.output import Output
from mailpolicy.cli.streams import stdin_bytes
from mailpolicy.diagnostics import fails
from mailpolicy.diagnostics.rules import RULES
from mailpolicy.errors import StoreError, UsageError
from mailpolicy.store.store import Store


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Report all errors and warnings, each with its line, its code and how to fix it.\n\n"
        "Formats: text, json, github (annotations), sarif (code scanning), junit (test reports). "
        "To explain a code: mailpolicy explain CODE.\n\n"
        "Exit status in every format: 0 valid (warnings allowed unless --strict); 1 not valid; 3 if a file cannot be "
        "opened."
    )(with_formats(_validate, *rendering.FORMATS))
    return command


def _validate(
    context: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="files, or - for stdin (default: the store)", show_default=False),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="treat warnings (but not hints) as errors")] = False,
    hints: Annotated[bool, typer.Option("--hints", help="show hints too")] = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="CODE", help="ignore a warning or hint, such as MP031; repeatable"),
    ] = None,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="exit 0 despite findings, if all files can be opened")
    ] = False,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="also check the keyring: missing passwords, interrupted changes")
    ] = False,
) -> int:
    out: Output = context.obj
    ignored = _codes(ignore or ())
    reports = []
    for name in _once(files) if files else [out.context.file]:
        try:
            store = Store("-", stdin_bytes()) if name == "-" else Store.read(name, out.cache if not files else None)
        except StoreError as error:
            if files:
                error.fix = None  # `init` is no fix for a file named by the user
            reports.append(FileReport(name, error=error))
            continue
        findings, left_out = store.diagnose(ignored, with_hints=hints)
        store.update_index()
        # The names of the secrets come from the policy, which only a store without errors has.
        if secrets and not fails(findings, strict=False):
            from mailpolicy.cli.secrets.lookup import missing_secrets  # 3 ms, only with --secrets

            found = [finding for finding in missing_secrets(out, store) if finding.problem.code not in ignored]
            findings = sorted([*findings, *found], key=lambda finding: (finding.line, finding.column))
        reports.append(FileReport(store.path, findings, left_out))
    rendering.FORMATS[out.context.format](out, reports, strict)
    unopened = [report.error for report in reports if report.error is not None]
    if out.context.format == "text":
        for failure in unopened:
            out.failure(failure)
    if unopened:
        return StoreError.exit_status
    return int(not exit_zero and not all(report.valid(strict) for report in reports))


def _once(files: list[str]) -> list[str]:
    """Drop files that are named twice. Raises UsageError."""
    if files.count("-") > 1:
        raise UsageError("stdin can be read only once: give - once")
    first: dict[str, str] = {}
    for name in files:
        first.setdefault(os.path.normpath(name), name)
    return list(first.values())


def _codes(options: list[str] | tuple[()]) -> list[str]:
    """Parse the codes of --ignore. Raises UsageError."""
    if not options:
        return []
    codes = [code.strip().upper() for listed in options for code in listed.split(",")]
    for code in codes:
        if code not in RULES:
            raise UsageError(f"--ignore: unknown code {code!a}")
        if RULES[code].severity == "error":
            raise UsageError(f"--ignore: {code} is an error and cannot be ignored")
    return codes
