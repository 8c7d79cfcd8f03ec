"""The command template: manage named sets of settings that accounts share."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli import views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.editing import edit
from mailpolicy.cli.selection_options import DryRun, Yes
from mailpolicy.cli.targeted import targeted
from mailpolicy.edit import templates
from mailpolicy.edit.selection import Selection
from mailpolicy.errors import UsageError
from mailpolicy.policy import names

_Name = Annotated[str, typer.Argument(metavar="NAME", help="the template", show_default=False)]


def app() -> typer.Typer:
    """Build the command and its subcommands."""
    group = new_app(
        help="Add, remove, rename, list, show, assign and unassign templates. "
        "To change a template's settings: mailpolicy pop on --in-template NAME",
        no_args_is_help=True,
    )
    group.command("add", help="Add an empty template.")(_add)
    group.command("remove", help="Remove a template that no account uses.")(_remove)
    group.command("rename", help="Rename a template, also in its accounts.")(_rename)
    group.command("list", help="List the templates and their settings.")(_list)
    group.command("show", help="Show one template.")(_show)
    group.command("assign", help="Assign a template to accounts.")(targeted(_assign))
    group.command("unassign", help="Remove the template from accounts.")(targeted(_unassign))
    return group


def _checked(name: str) -> str:
    try:
        return names.template_name(name)
    except names.NameRejected as error:
        raise UsageError(str(error)) from None


def _add(context: typer.Context, name: _Name, dry_run: DryRun = False) -> int:
    wanted = _checked(name)
    return edit(context.obj, lambda policy: templates.add(policy, wanted), dry_run=dry_run, yes=True)


def _remove(
    context: typer.Context,
    name: _Name,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="succeed if the template does not exist")] = False,
    dry_run: DryRun = False,
) -> int:
    wanted = _checked(name)
    return edit(
        context.obj, lambda policy: templates.remove(policy, wanted, if_exists=if_exists), dry_run=dry_run, yes=True
    )


def _rename(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="the name now", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="the new name", show_default=False)],
    dry_run: DryRun = False,
) -> int:
    before, after = _checked(old), _checked(new)
    return edit(context.obj, lambda policy: templates.rename(policy, before, after), dry_run=dry_run, yes=True)


def _list(context: typer.Context) -> int:
    return views.list_templates(context.obj, None)


def _show(context: typer.Context, name: _Name) -> int:
    return views.list_templates(context.obj, _checked(name))


def _assign(
    context: typer.Context, *, name: _Name, chosen: Selection, yes: Yes = False, dry_run: DryRun = False
) -> int:
    return _assigned(context, _checked(name), chosen, yes=yes, dry_run=dry_run)


def _unassign(context: typer.Context, *, chosen: Selection, yes: Yes = False, dry_run: DryRun = False) -> int:
    return _assigned(context, None, chosen, yes=yes, dry_run=dry_run)


def _assigned(context: typer.Context, name: str | None, chosen: Selection, *, yes: bool, dry_run: bool) -> int:
    return edit(
        context.obj,
        lambda policy: templates.assign(policy, name, chosen),
        addresses=chosen.addresses,
        dry_run=dry_run,
        yes=yes,
    )
