"""The command undo: take an edit back, by an ordinary edit."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli import history
from mailpolicy.cli.app import new_app
from mailpolicy.cli.editing import carry_out, print_outcome
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.secret_edits import Concerned, edit_with_secrets, following, renamed
from mailpolicy.cli.selection_options import DryRun, YesRemove
from mailpolicy.edit import undo
from mailpolicy.edit.plan import Plan, Result, TreePlanner
from mailpolicy.store.store import Store


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Undo the newest edit that is neither an undo nor undone, or the one with ID from log.\n\n"
        "By an ordinary edit, with all that is promised of one. Refused (5) if anything of it was changed since, naming the "
        "later edit. Passwords that were removed or replaced are not brought back."
    )(_undo)
    return command


def _undo(
    context: typer.Context,
    identity: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="an entry of log, or its beginning", show_default=False)
    ] = None,
    yes: YesRemove = False,
    dry_run: DryRun = False,
) -> int:
    out: Output = context.obj
    found = history.read(out)
    entry = undo.chosen(found, identity)
    store = Store.read_for_edit(out.context.file, (), out.cache)
    if entry.undone_by is not None:
        done = Plan()
        done.results.append(Result(entry.id, "undo", f"already undone by {entry.undone_by}", False))
        return print_outcome(out, carry_out(out, store, lambda _: done, dry_run=dry_run), dry_run=dry_run)
    undo.refuse_unusable(found, entry)
    planner = TreePlanner(lambda current: undo.plan(current, entry, lambda: history.read(out)))
    names = undo.renamed(entry)

    def concerned(store: Store, plan: Plan) -> Concerned:
        return (names and renamed(store, names)) or following(store, plan)

    return edit_with_secrets(out, store, planner, concerned, dry_run=dry_run, yes=yes)
