"""The command import: take accounts over from another mail server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mailpolicy.cli import provisioning
from mailpolicy.cli.app import keep_group, new_app
from mailpolicy.cli.output import Output
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted
from mailpolicy.provisioning import mdaemon

if TYPE_CHECKING:
    from mailpolicy.edit.plan import Plan


def app() -> typer.Typer:
    """Build the command and its subcommands."""
    group = new_app(help="Take accounts over from another mail server.", no_args_is_help=True)
    group.command(
        "mdaemon",
        help="Add the accounts of an MDaemon server, all in one edit.\n\n"
        "FILE is its account CSV, or answers of its XML API to GetUserInfo, or - for stdin; in UTF-8, UTF-16 or "
        "Windows-1252. Each account gets a line: the keys that were taken, the settings that have none here, and the keys that "
        "were left to the defaults. Accounts that are there already are left alone without --update. Passwords are never read.",
    )(_mdaemon)
    return keep_group(group)


def _mdaemon(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="the file, or - for stdin", show_default=False)],
    input_format: Annotated[
        str | None,
        typer.Option("--input-format", metavar="FORM", help="csv or xml; default: by the first character"),
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="change accounts that are there already, too")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask before changing over 20 accounts")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the report, change nothing")] = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 17 ms, only for edits
    from mailpolicy.edit import desired

    out: Output = context.obj
    form = provisioning.form_named(input_format, tuple(mdaemon.FORMS))
    data = provisioning.content_of(file)
    with provisioning.progress(out, file) as show:
        found = mdaemon.read(file, data, form, show)
    out.message(f"{file}: {counted(len(found.rows), 'account')}, read as {found.encoding}")

    def planner(policy: Policy) -> Plan:
        taken = found.fitting(policy)
        plan = desired.apply(policy, taken.rows, desired.Scope(file, update=update))
        plan.results = [
            result._replace(state="; ".join(filter(None, [result.state, mdaemon.words(taken.reports[result.subject])])))
            for result in plan.results
        ]
        plan.report = {address: report._asdict() for address, report in taken.reports.items()}
        return plan

    return edits.apply_rows(out, planner, [row.address for row in found.rows], dry_run=dry_run, yes=yes)
