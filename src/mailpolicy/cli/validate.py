"""validate: every error and every warning of one or more stores, as data."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from mailpolicy.cli.commands import new_app
from mailpolicy.cli.output import Output, finding_object, require_format
from mailpolicy.diagnostics import RULES, Finding
from mailpolicy.errors import StoreError, UsageError
from mailpolicy.store import Store, worst


def app() -> typer.Typer:
    """The command validate."""
    command = new_app()
    command.command(
        help="Find every error and every warning, each with its line, its code and what to write instead.\n\n"
        "Exit status: 0 valid (warnings too, unless --strict), 1 not, 3 a file that cannot be opened."
    )(_validate)
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
    secrets: Annotated[
        bool, typer.Option("--secrets", help="ask the keyring too: logins without a password, unfinished changes")
    ] = False,
) -> int:
    out: Output = context.obj
    require_format(out.around, "text", "json")
    ignored = [code.strip().upper() for codes in ignore or () for code in codes.split(",")]
    for code in ignored:
        if code not in RULES:
            raise UsageError(f"--ignore {code!a}: there is no such code")
        if RULES[code].severity == "error":
            raise UsageError(f"--ignore {code}: an error cannot be ignored")
    results = []
    unopened: list[tuple[str, StoreError]] = []
    for name in files or [out.around.file]:
        try:
            store = Store("-", _stdin()) if name == "-" else Store.read(name)
        except StoreError as error:
            unopened.append((name, error))
            continue
        findings, left_out = store.diagnose(ignored, hints=hints)
        if secrets and not worst(findings, strict=False):
            from mailpolicy.cli.secrets import missing_secrets

            findings = sorted(
                [
                    *findings,
                    *(finding for finding in missing_secrets(out, store) if finding.problem.code not in ignored),
                ],
                key=lambda finding: (finding.line, finding.column),
            )
        results.append((store, findings, left_out))
    if not out.around.quiet:
        _print(out, results, unopened, strict=strict)
    if out.around.format != "json":
        for _, failure in unopened:
            out.failure(failure)
    if unopened:
        return StoreError.exit_status
    return int(any(worst(findings, strict=strict) for _, findings, _ in results))


def _stdin() -> bytes:
    if sys.stdin is None:
        raise StoreError("stdin is closed")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise StoreError(f"-: {(error.strerror or 'cannot be read').lower()}") from None


def _print(
    out: Output,
    results: list[tuple[Store, list[Finding], int]],
    unopened: list[tuple[str, StoreError]],
    *,
    strict: bool,
) -> None:
    if out.around.format == "json":
        content: list[dict[str, Any]] = [
            {
                "file": store.path,
                "valid": not worst(findings, strict=strict),
                "findings": [finding_object(finding) for finding in findings],
                "hints_left_out": left_out,
            }
            for store, findings, left_out in results
        ]
        content += (
            {
                "file": name,
                "valid": False,
                "findings": [],
                "error": {"exit": error.exit_status, "message": error.message},
            }
            for name, error in unopened
        )
        out.json("validate/1", {"valid": all(file["valid"] for file in content), "files": content})
        return
    for store, findings, left_out in results:
        for finding in findings:
            out.data(f"{finding}\n")
        counts = [f"{_count(findings, severity)} {severity}s" for severity in ("error", "warning")]
        verdict = "not valid" if worst(findings, strict=strict) else "valid"
        hidden = f", {left_out} hint{'s' if left_out > 1 else ''} not shown (--hints)" if left_out else ""
        out.message(
            f"{store.path}: {verdict}, {', '.join(counts)}{hidden}".replace(" 1 errors", " 1 error").replace(
                " 1 warnings", " 1 warning"
            )
        )


def _count(findings: list[Finding], severity: str) -> int:
    return sum(finding.problem.severity == severity for finding in findings)
