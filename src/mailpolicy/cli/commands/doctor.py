"""doctor: whether this machine is fit for mailpolicy, check by check, each with its cure.

Nothing is changed, and no check keeps another one from being made.
"""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.checks import CHECKS, ERROR, NEEDS, SKIPPED, Found, Machine
from mailpolicy.cli.output import Output
from mailpolicy.errors import FileMissing, MailpolicyError


def app() -> typer.Typer:
    """The command doctor."""
    command = new_app()
    command.command(
        help="Say which keyring is in use, why and whether it is safe, and check store and permissions.\n\n"
        "Exit status: 0 healthy (warnings too), 1 not."
    )(_doctor)
    return command


def _doctor(
    context: typer.Context,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="PATH", help="the mail log, to see if clients keep their own addresses"),
    ] = None,
) -> int:
    out: Output = context.obj
    machine = Machine(out, log)
    found: list[tuple[str, Found]] = []
    failed: set[str] = set()
    for name, check in CHECKS.items():
        if lacking := [why for needed, why in NEEDS.get(name, ()) if needed in failed]:
            found.append((name, Found(SKIPPED, lacking[0])))
            continue
        try:
            found += ((name, result) for result in check(machine))
        except MailpolicyError as error:
            failed.add(name)
            found.append((name, Found(ERROR, str(error), error.fix, step=_by_hand(error))))
    ill = any(result.state == ERROR for _, result in found)
    if out.context.format == "json":
        checks = [
            {
                "check": name,
                "state": result.state,
                "message": result.message,
                "fix": " && ".join(map(shlex.join, result.cures)) or None,
                "step": result.step,
            }
            for name, result in found
        ]
        out.json("doctor/1", {"file": out.context.file, "healthy": not ill, "checks": checks})
    else:
        out.rows(
            ("check", "state", "what", "cure"),
            [
                (name, result.state, result.message, " && ".join(map(out.command, result.cures)) or result.step or "-")
                for name, result in found
            ],
        )
    return int(ill)


def _by_hand(error: MailpolicyError) -> str | None:
    """What to do about an error that no command mends, as far as it says where."""
    if isinstance(error, FileMissing):
        return f"create {error.file}"
    return f"edit {error.place[0]}" if error.line is not None else None
