"""What every command that edits does: read, transact, print each line, the diff or the object.

Promises: a dry run prints what the real run would write, and asks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import typer

from mailpolicy.cli.output import Output
from mailpolicy.errors import Advice, Refused
from mailpolicy.policy.names import printable
from mailpolicy.store.store import Store

if TYPE_CHECKING:
    from mailpolicy.edit.plan import Plan, Planner
    from mailpolicy.edit.transaction import EditResult
    from mailpolicy.system.held import Held

ASK_FROM = 21  # accounts


def edit(
    context: typer.Context,
    planner: Planner,
    *,
    about: Iterable[str] = (),
    dry_run: bool = False,
    yes: bool = False,
) -> int:
    """Carry out an edit and tell about it; `about` are the addresses that it is about, and none other."""
    out: Output = context.obj
    store = Store.read_for_edit(out.context.file, about, out.cache)
    return tell(out, carry_out(out, store, planner, dry_run=dry_run, yes=yes), dry_run=dry_run)


def carry_out(
    out: Output,
    store: Store,
    planner: Planner,
    *,
    dry_run: bool = False,
    yes: bool = True,
    first: Callable[[Held], None] | None = None,
) -> EditResult:
    """The edit itself, with the questions that a person is asked."""
    from mailpolicy.edit.transaction import transact  # 5 ms, only for edits: `account show` has this module too

    out.machine()  # an error in it ends the edit before anything is changed
    return transact(
        store,
        planner,
        dry_run=dry_run,
        lock_timeout=out.context.lock_timeout,
        trusted=out.trusted,
        confirm=None if yes else lambda plan: _confirm(out, plan),
        before_replace=first,
    )


def _confirm(out: Output, plan: Plan) -> None:
    count = len({change.address for change in plan.changes if change.address is not None})
    if count < ASK_FROM or not out.context.can_ask:
        return
    if not typer.confirm(f"change {count} accounts in {printable(out.context.file)}?", err=True):
        raise Refused("nothing was changed", code="not-confirmed-by-user")


def tell(out: Output, outcome: EditResult, *, dry_run: bool = False) -> int:
    """Print what an edit did."""
    plan = outcome.plan
    if out.tells(dry_run=dry_run):
        if out.context.format == "json":
            out.json("edit/1", edit_object(out, outcome, dry_run=dry_run))
        elif dry_run:
            out.patch(outcome.diff or "")
        else:
            out.records(
                [
                    (result.subject, result.item, result.state, "changed" if result.changed else "ok")
                    for result in plan.results
                ]
            )
    for note in plan.notes:
        out.message(note)
    if dry_run and not outcome.changed:
        out.message(f"{out.context.file}: nothing would change")
    out.detail(f"{out.context.file}: access {outcome.access}")
    if outcome.changed and not dry_run:
        remind(out)
    out.flush()
    outcome.update_index()
    return 0


def remind(out: Output) -> None:
    """Say that the servers of this machine do not know yet."""
    if out.machine().exports:
        out.message(Advice("not in force yet", ("mailpolicy", "deploy")))


def edit_object(out: Output, outcome: EditResult, *, dry_run: bool) -> dict[str, Any]:
    """An edit as JSON shows it."""
    content: dict[str, Any] = {
        "file": out.context.file,
        "changed": outcome.changed,
        "dry_run": dry_run,
        "access": str(outcome.access),
        "changes": [change._asdict() for change in outcome.plan.changes],
    }
    if outcome.diff is not None:
        content["diff"] = outcome.diff
    return content
