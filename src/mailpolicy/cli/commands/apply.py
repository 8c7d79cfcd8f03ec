"""The command apply: bring many accounts to the state that a plan describes, in one edit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mailpolicy.cli import provisioning
from mailpolicy.cli.app import new_app
from mailpolicy.cli.output import Output
from mailpolicy.errors import UsageError
from mailpolicy.policy import names
from mailpolicy.policy.model import Policy
from mailpolicy.provisioning import forms

if TYPE_CHECKING:
    from mailpolicy.edit.plan import Plan

InputFormat = Annotated[
    str | None,
    typer.Option("--input-format", metavar="FORM", help=f"{', '.join(forms.FORMS)}; default: by suffix or beginning"),
]


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Bring accounts to the state that a plan describes, all in one edit.\n\n"
        "PLAN is a file or - for stdin: CSV with the column address and any of an account's keys; NDJSON, one object a "
        "line; or TOML with [accounts]. In CSV an empty cell leaves a key alone, and `inherit` removes it, as null does in "
        "NDJSON. Accounts that are not there yet are added. Applied again, the same plan changes nothing.\n\n"
        "--dry-run prints the plan: a line for each account with `create`, `change`, `remove` or `unchanged`, and the new "
        "and old values."
    )(_apply)
    return command


def _apply(
    context: typer.Context,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="the plan, or - for stdin", show_default=False)],
    input_format: InputFormat = None,
    no_create: Annotated[
        bool, typer.Option("--no-create", help="refuse a plan that names an account that is not there")
    ] = False,
    prune: Annotated[bool, typer.Option("--prune", help="remove the accounts that the plan does not name")] = False,
    domain: Annotated[
        str | None,
        typer.Option("--domain", metavar="NAME", help="the plan is about this domain only, and so is --prune"),
    ] = None,
    at_most: Annotated[
        int | None,
        typer.Option(
            "--prune-at-most",
            metavar="N",
            min=0,
            help="how many --prune may remove; default: 10, or a tenth of the accounts if that is more",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="do not ask before removing accounts or changing over 20")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan, change nothing")] = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 17 ms, only for edits
    from mailpolicy.edit import desired

    out: Output = context.obj
    form = provisioning.form_named(input_format)
    if at_most is not None and not prune:
        raise UsageError("--prune-at-most needs --prune")
    try:
        domain = names.domain_name(domain) if domain is not None else None
    except names.NameRejected as error:
        raise UsageError(f"--domain: {error}") from None
    data = provisioning.content_of(plan)
    with provisioning.progress(out, plan) as show:
        rows = forms.read(plan, data, form or forms.form_of(plan, data), show)
    scope = desired.Scope(plan, not no_create, True, prune, domain, at_most)

    def planner(policy: Policy) -> Plan:
        return desired.apply(policy, rows, scope)

    addresses = () if prune else [row.address for row in rows]
    return edits.apply_rows(out, planner, addresses, dry_run=dry_run, yes=yes)
