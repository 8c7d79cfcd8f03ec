"""The command install: replace the store with a file from git or a backup, validated and compared first."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli import author
from mailpolicy.cli.app import new_app
from mailpolicy.cli.commands.diff import FailOn, FailOnOption, fail_on
from mailpolicy.cli.editing import CONFIRM_FROM, remind_to_deploy, require_machine
from mailpolicy.cli.output import Output
from mailpolicy.cli.selection_options import DryRun
from mailpolicy.cli.streams import stdin_bytes
from mailpolicy.diagnostics import WARNING
from mailpolicy.edit.install import Check, Installation, install
from mailpolicy.errors import Advice, Refused
from mailpolicy.policy.changes import Redirection, direction
from mailpolicy.policy.names import printable
from mailpolicy.render.access_changes import Sides, columns, objects, records, summary
from mailpolicy.store.store import Store
from mailpolicy.system.files import MAX_STORE_SIZE, read_regular


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="Replace the store with FILE: validated, compared and written atomically.\n\n"
        "For git deployments and restored backups. Shows whose access changes; mode, owner and symbolic links of the "
        "store are kept. With --fail-on a change in that direction is refused (5) and nothing is written."
    )(_install)
    return command


def _install(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="the store to install, or - for stdin")],
    failing: FailOnOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="do not ask before changing access of over 20 accounts")
    ] = False,
    dry_run: DryRun = False,
) -> int:
    out: Output = context.obj
    wanted = fail_on(failing)
    require_machine(out)
    new = Store(file, stdin_bytes() if file == "-" else read_regular(file, MAX_STORE_SIZE))
    new.policy()
    for finding in new.diagnose()[0]:
        if finding.problem.severity == WARNING:
            out.message(str(finding))
    done = install(
        out.context.file,
        new,
        out.now,
        allow=_allow(out, wanted, dry_run=dry_run),
        confirm=_confirm(out, yes=yes),
        dry_run=dry_run,
        lock_timeout=out.context.lock_timeout,
        trusted=out.trusted,
        guard=out.guard,
        journal=author.journal(out),
    )
    report(out, done, dry_run=dry_run)
    if done.changed and not dry_run:
        remind_to_deploy(out)
    return 0


def _allow(out: Output, wanted: FailOn | None, *, dry_run: bool) -> Check:
    shown: list[Installation] = []

    def allow(planned: Installation) -> None:
        access = direction(planned.changes)
        if shown and out.context.format != "json":
            out.message(f"{planned.path}: changed by another process meanwhile; the differences are now:")
        shown.append(planned)
        if out.context.format != "json" and out.shows_results(dry_run=dry_run):
            rows = records(planned.changes, sides(planned))
            if not dry_run and planned.changes:
                out.rows(columns(planned.changes), rows)
            for row in rows if dry_run else ():
                out.message("  ".join(row))
            out.flush()  # if the differences cannot be printed, nothing is installed
        if wanted is None:
            return
        if not planned.comparable:
            raise Refused(
                f"not installed: --fail-on {wanted} has nothing to compare with: {planned.notes[-1]}",
                code="not-comparable",
            )
        if not wanted.matches(access):
            return
        raise Refused(
            f"not installed, because of --fail-on {wanted}: {summary(planned.changes)}",
            code=f"access-{access}",
            content={"access": str(access), "changes": objects(planned.changes, sides(planned))},
        )

    return allow


def _confirm(out: Output, *, yes: bool) -> Check:
    def confirm(planned: Installation) -> None:
        count = len({change.address for change in planned.changes})
        if yes or count < CONFIRM_FROM or not out.context.can_ask:
            return
        if not typer.confirm(f"Change the access of {count} accounts in {printable(planned.path)}?", err=True):
            raise Refused("not installed: cancelled", code="not-confirmed-by-user")

    return confirm


def sides(planned: Installation) -> Sides:
    """Return both stores, with what finds the lines of their keys."""
    old = planned.old or Store(planned.path, b"")
    return Sides(planned.comparison, (old.path, old.lines), (planned.new.path, planned.new.lines))


def report(out: Output, done: Installation, *, dry_run: bool) -> None:
    """Print the result of an installation."""
    access = direction(done.changes)
    out.change_made = done.changed and not dry_run
    if out.context.format == "json":
        content = {
            "file": done.path,
            "source": done.new.path,
            "changed": done.changed,
            "dry_run": dry_run,
            "access": str(access),
            "changes": objects(done.changes, sides(done)),
        }
        if out.without_cases:
            content["no_cases"] = True
        out.json("install/1", {**content, "diff": done.diff} if dry_run else content)
    elif dry_run:
        out.patch(done.diff)
    elif out.shows_results():
        result = "up to date" if not done.changed else "written" if done.old is None else "replaced"
        out.record((done.path, "store", result, "changed" if done.changed else "ok"))
    for note in done.notes:
        out.message(note)
    if done.changes:
        out.message(summary(done.changes))
    if any(isinstance(change, Redirection) and not change.is_token for change in done.changes):
        out.message(
            Advice(
                "note: passwords stay bound to their former destinations; to rebind them",
                ("mailpolicy", "secrets", "rebind"),
            )
        )
    if dry_run and not done.changed:
        out.message(f"{done.path}: nothing would change")
