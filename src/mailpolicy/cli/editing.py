"""The steps of every command that edits: read, ask, transact, print the result lines, the diff or the JSON object."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import TYPE_CHECKING, Any

from mailpolicy.cli import author
from mailpolicy.cli.output import Output
from mailpolicy.errors import Advice, Refused, StillLocked
from mailpolicy.policy.names import printable
from mailpolicy.store.store import Store

if TYPE_CHECKING:
    from mailpolicy.edit.plan import Plan, Planner
    from mailpolicy.edit.transaction import EditResult
    from mailpolicy.system.held import Held

CONFIRM_FROM = 21  # accounts; fewer are changed without a question


def edit(
    out: Output,
    planner: Planner,
    *,
    addresses: Iterable[str] = (),
    dry_run: bool = False,
    yes: bool = False,
) -> int:
    """Carry out an edit and report it; `addresses` are the only accounts that it touches, if that is known."""
    store = Store.read_for_edit(out.context.file, addresses, out.cache)
    return print_outcome(out, carry_out(out, store, planner, dry_run=dry_run, yes=yes), dry_run=dry_run)


def carry_out(
    out: Output,
    store: Store,
    planner: Planner,
    *,
    dry_run: bool = False,
    yes: bool = True,
    agreed: Plan | None = None,
    first: Callable[[Held], None] | None = None,
) -> EditResult:
    """Carry out an edit, asking for confirmation first if it needs one; `agreed` is a plan that has it already."""
    from mailpolicy.edit.transaction import transact  # 5 ms, only for edits; `account show` imports this module too

    require_machine(out)
    return transact(
        store,
        planner,
        out.now,
        dry_run=dry_run,
        lock_timeout=out.context.lock_timeout,
        trusted=out.trusted,
        guard=out.guard,
        journal=author.journal(out),
        confirm=None if yes or agreed is not None else lambda plan: confirm(out, store, plan),
        confirm_again=None if yes else lambda old, new: refuse_more(out, agreed or old, new),
        before_replace=first,
    )


def require_machine(out: Output) -> None:
    """Read host.toml, as an error in it ends an edit before anything is changed; warn of a key of an earlier version."""
    if (removed := out.machine().removed_key) is not None:
        out.message(Advice(f"warning: {removed}", removed.fix or ()))


def confirm(out: Output, store: Store, plan: Plan) -> None:
    """Ask before an edit of many accounts, or one that the plan has a question about. Raises Refused without consent."""
    from mailpolicy.edit.transaction import refuse_broken_cases  # 5 ms, as above

    question = _question(out, plan)
    if question is None or not out.context.can_ask:
        require_yes(out, plan)
        return
    refuse_broken_cases(store, plan, out.guard)
    import typer  # only for a question

    if not typer.confirm(question, err=True):
        raise Refused("nothing was changed", code="not-confirmed-by-user")


def _question(out: Output, plan: Plan) -> str | None:
    if plan.question is None and len(changed := _changed_accounts(plan)) >= CONFIRM_FROM:
        return f"Change {len(changed)} accounts in {printable(out.context.file)}?"
    return plan.question


def _changed_accounts(plan: Plan) -> dict[str, None]:
    return dict.fromkeys(change.address for change in plan.changes if change.address is not None)


def refuse_more(out: Output, agreed: Plan, plan: Plan) -> None:
    """Raise StillLocked if another command has made a plan that needs consent concern more than what was agreed to.

    Where nobody can be asked, the words of the command are what counts.
    """
    if (
        not out.context.can_ask
        or _question(out, plan) is None
        or not (more := _changed_accounts(plan).keys() - _changed_accounts(agreed))
    ):
        return
    raise changed_meanwhile(out, f"{min(more)} would be changed too")


def changed_meanwhile(out: Output, what: str) -> StillLocked:
    """Return the error for an edit that is another one than what was asked for, because the store was changed meanwhile."""
    return StillLocked(
        f"another command has changed the store meanwhile, and now {what}; nothing was written, try again",
        file=out.context.file,
        code="changed-meanwhile",
    )


def require_yes(out: Output, plan: Plan) -> None:
    """Raise Refused for a plan that is not carried out without consent, if nobody can be asked."""
    if plan.needs_yes and not out.context.can_ask:
        raise Refused(f"nothing was changed: {plan.question} To agree, add --yes", code="needs-yes")


def print_outcome(out: Output, outcome: EditResult, *, dry_run: bool = False) -> int:
    """Print the result of an edit and return the exit status."""
    plan = outcome.plan
    out.change_made = outcome.changed and not dry_run
    if out.shows_results(dry_run=dry_run):
        if out.context.format == "json":
            out.json("edit/1", edit_object(out, outcome, dry_run=dry_run))
        elif dry_run and plan.listed is None:
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
    if dry_run and plan.needs_yes:
        out.message(f"the real run asks, or needs --yes: {plan.question}")
    if dry_run and not outcome.changed:
        out.message(f"{out.context.file}: nothing would change")
    if out.context.verbose:
        out.detail(f"{out.context.file}: access {outcome.access}")
    if outcome.changed and plan.takes_effect and not dry_run:
        remind_to_deploy(out)
    # Writing the index may take a while; whoever waits for the result should have it first.
    out.flush()
    outcome.update_index()
    return 0


def remind_to_deploy(out: Output) -> None:
    """Say that the change is not deployed yet, if this machine has exports."""
    if out.machine().configured:
        out.message(Advice("not in force yet", ("mailpolicy", "deploy")))


def edit_object(out: Output, outcome: EditResult, *, dry_run: bool) -> dict[str, Any]:
    """Return the JSON form of an edit."""
    content: dict[str, Any] = {
        "file": out.context.file,
        "changed": outcome.changed,
        "dry_run": dry_run,
        "access": str(outcome.access),
        "changes": [
            {**change._asdict(), "old": _plain(change.old), "new": _plain(change.new)}
            for change in outcome.plan.changes
        ],
    }
    if out.without_cases:
        content["no_cases"] = True
    if outcome.plan.listed is not None:
        content["plan"] = outcome.plan.listed
    if outcome.plan.report is not None:
        content["report"] = outcome.plan.report
    if outcome.diff is not None:
        content["diff"] = outcome.diff
    return content


def _plain(value: Any) -> Any:
    """Return a value of a key for JSON, which has no dates."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if not isinstance(value, date):
        return value
    from mailpolicy.policy import dates  # only for a date

    return dates.text(value)
