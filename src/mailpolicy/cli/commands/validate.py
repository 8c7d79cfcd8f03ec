"""validate: every error and every warning of one or more stores, as data, in the form that who asks can use."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from mailpolicy.cli import findings as rendering
from mailpolicy.cli.app import new_app, with_formats
from mailpolicy.cli.findings import Judgement
from mailpolicy.cli.output import Output, stdin_bytes
from mailpolicy.diagnostics import fails
from mailpolicy.diagnostics.rules import RULES
from mailpolicy.errors import StoreError, UsageError
from mailpolicy.store.store import Store


def app() -> typer.Typer:
    """The command validate."""
    command = new_app()
    command.command(
        help="Find every error and every warning, each with its line, its code and what to write instead.\n\n"
        "Formats: text, json, github (annotations), sarif (code scanning), junit (test reports). mailpolicy explain "
        "CODE says more about a code.\n\n"
        "Exit status in every format: 0 valid (warnings too, unless --strict), 1 not, 3 a file that cannot be opened."
    )(with_formats(_validate, *rendering.FORMATS))
    return command


def _validate(
    context: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="stores, or - for stdin; none: the store itself", show_default=False),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="warnings count as errors; hints never do")] = False,
    hints: Annotated[bool, typer.Option("--hints", help="list the hints too")] = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="CODE", help="silence a warning or a hint, such as MP031; may be repeated"),
    ] = None,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="0 whatever is found: only report; not for a file that cannot be opened")
    ] = False,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="ask the keyring too: logins without a password, unfinished changes")
    ] = False,
) -> int:
    out: Output = context.obj
    ignored = _codes(ignore or ())
    judged = []
    for name in _once(files) if files else [out.context.file]:
        try:
            store = Store("-", stdin_bytes()) if name == "-" else Store.read(name, out.cache if not files else None)
        except StoreError as error:
            if files:
                error.fix = None  # what is named here is not meant to be made
            judged.append(Judgement(name, error=error))
            continue
        findings, left_out = store.diagnose(ignored, with_hints=hints)
        store.update_index()
        if secrets and not fails(findings, strict=False):
            from mailpolicy.cli.secrets.lookup import missing_secrets  # 3 ms, only with --secrets

            found = [finding for finding in missing_secrets(out, store) if finding.problem.code not in ignored]
            findings = sorted([*findings, *found], key=lambda finding: (finding.line, finding.column))
        judged.append(Judgement(store.path, findings, left_out))
    rendering.FORMATS[out.context.format](out, judged, strict)
    unopened = [judgement.error for judgement in judged if judgement.error is not None]
    if out.context.format == "text":
        for failure in unopened:
            out.failure(failure)
    if unopened:
        return StoreError.exit_status
    return int(not exit_zero and not all(judgement.valid(strict) for judgement in judged))


def _once(files: list[str]) -> list[str]:
    """The files without those that are named a second time. Raises UsageError."""
    if files.count("-") > 1:
        raise UsageError("stdin can be read once: name - once")
    first: dict[str, str] = {}
    for name in files:
        first.setdefault(os.path.normpath(name), name)
    return list(first.values())


def _codes(options: list[str] | tuple[()]) -> list[str]:
    """The codes to silence. Raises UsageError."""
    if not options:
        return []
    codes = [code.strip().upper() for listed in options for code in listed.split(",")]
    for code in codes:
        if code not in RULES:
            raise UsageError(f"--ignore {code!a}: there is no such code")
        if RULES[code].severity == "error":
            raise UsageError(f"--ignore {code}: an error cannot be ignored")
    return codes
