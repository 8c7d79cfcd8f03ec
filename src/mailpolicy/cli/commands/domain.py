"""The command domain: rename a mail domain with all its accounts."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli.app import keep_group, new_app
from mailpolicy.cli.selection_options import DryRun, Yes
from mailpolicy.errors import UsageError
from mailpolicy.policy import names


def app() -> typer.Typer:
    """Build the command and its subcommands."""
    group = new_app(help="Rename a domain with all its accounts.", no_args_is_help=True)
    group.command(
        "rename",
        help="Give all accounts of a domain another one. Their passwords move along.\n\n"
        "Subdomains stay as they are. If one of the new addresses exists already, nothing is renamed. "
        "A domain that has been renamed already is not an error.",
    )(_rename)
    return keep_group(group)


def _rename(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="the domain now", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="the new domain", show_default=False)],
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 6 ms, only for edits that take secrets along

    try:
        before, after = names.domain_name(old), names.domain_name(new)
    except names.NameRejected as error:
        raise UsageError(str(error)) from None
    return edits.rename_domain(context.obj, before, after, dry_run=dry_run, yes=yes)
