"""doctor: check that this machine is set up for mailpolicy, with a fix for each problem; nothing is changed."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.checks.result import ERROR, SKIPPED, CheckInput, CheckResult
from mailpolicy.cli.checks.table import CHECKS, REQUIRES
from mailpolicy.cli.output import Output
from mailpolicy.errors import FileMissing, MailpolicyError


def app() -> typer.Typer:
    """Return the command doctor."""
    command = new_app()
    command.command(
        help="Check the store, its permissions and commit, the keyring, the exports and Dovecot.\n\n"
        "Exit status: 0 if there is no error (warnings are allowed), else 1."
    )(_doctor)
    return command


def _doctor(
    context: typer.Context,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="PATH", help="mail log with the clients' addresses"),
    ] = None,
) -> int:
    out: Output = context.obj
    machine = CheckInput(out, log)
    found: list[tuple[str, CheckResult]] = []
    failed: set[str] = set()
    for name, check in CHECKS.items():
        if reasons := [why for needed, why in REQUIRES.get(name, ()) if needed in failed]:
            found.append((name, CheckResult(SKIPPED, reasons[0])))
            continue
        try:
            found += ((name, result) for result in check(machine))
        except MailpolicyError as error:
            failed.add(name)
            found.append((name, CheckResult(ERROR, str(error), error.fix, step=_by_hand(error))))
    unhealthy = any(result.state == ERROR for _, result in found)
    if out.context.format == "json":
        checks = [
            {
                "check": name,
                "state": result.state,
                "message": result.message,
                "fix": " && ".join(map(shlex.join, result.fixes)) or None,
                "step": result.step,
            }
            for name, result in found
        ]
        out.json("doctor/1", {"file": out.context.file, "healthy": not unhealthy, "checks": checks})
    else:
        out.rows(
            ("check", "state", "result", "fix"),
            [
                (name, result.state, result.message, " && ".join(map(out.command, result.fixes)) or result.step or "-")
                for name, result in found
            ],
        )
    return int(unhealthy)


def _by_hand(error: MailpolicyError) -> str | None:
    """Return the manual step that fixes an error without a command, None if the error names no file."""
    if isinstance(error, FileMissing):
        return f"create {error.file}"
    return f"edit {error.place[0]}" if error.line is not None else None
