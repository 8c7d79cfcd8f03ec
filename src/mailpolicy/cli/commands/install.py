"""install: a store from git or from a backup, validated, compared and put in its place with every promise of an edit."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.commands.diff import FailOn, FailOnOption, fail_on
from mailpolicy.cli.editing import ASK_FROM, remind
from mailpolicy.cli.output import Output, stdin_bytes
from mailpolicy.cli.selection import DryRun
from mailpolicy.diagnostics import WARNING
from mailpolicy.edit.install import Check, Installation, install
from mailpolicy.errors import Advice, Refused
from mailpolicy.policy.changes import Redirection, direction
from mailpolicy.policy.names import printable
from mailpolicy.render.access_changes import COLUMNS, Sides, objects, records, summary
from mailpolicy.store.store import Store
from mailpolicy.system.files import LARGEST_STORE, read_regular


def app() -> typer.Typer:
    """The command install."""
    command = new_app()
    command.command(
        help="Validate FILE, show whose access it changes, and put it in the store's place; equal is ok.\n\n"
        "What a git deployment and a restored backup want instead of cp: mode, owner and links stay, readers see the "
        "old or the new file. With --fail-on a change in that direction is refused (5) and nothing is written."
    )(_install)
    return command


def _install(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="the store to install, or - for stdin")],
    failing: FailOnOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="do not ask before changing the access of more than 20 accounts")
    ] = False,
    dry_run: DryRun = False,
) -> int:
    out: Output = context.obj
    wanted = fail_on(failing)
    out.machine()  # an error in it ends the edit before anything is changed
    new = Store(file, stdin_bytes() if file == "-" else read_regular(file, LARGEST_STORE))
    new.policy()
    for finding in new.diagnose()[0]:
        if finding.problem.severity == WARNING:
            out.message(str(finding))
    done = install(
        out.context.file,
        new,
        allow=_allow(out, wanted, dry_run=dry_run),
        confirm=_confirm(out, yes=yes),
        dry_run=dry_run,
        lock_timeout=out.context.lock_timeout,
        trusted=out.trusted,
    )
    _tell(out, done, dry_run=dry_run)
    if done.changed and not dry_run:
        remind(out)
    return 0


def _allow(out: Output, wanted: FailOn | None, *, dry_run: bool) -> Check:
    told: list[Installation] = []

    def allow(planned: Installation) -> None:
        access = direction(planned.changes)
        if told and out.context.format != "json":
            out.message(f"{planned.path}: it was changed meanwhile, so the access differs in another way:")
        told.append(planned)
        if out.context.format != "json" and out.tells(dry_run=dry_run):
            rows = records(planned.changes, _sides(planned))
            if not dry_run and planned.changes:
                out.rows(COLUMNS, rows)
            for row in rows if dry_run else ():
                out.message("  ".join(row))
            out.flush()  # who cannot be told is not surprised by a new store either
        if wanted is None:
            return
        if not planned.comparable:
            raise Refused(
                f"nothing was installed, --fail-on {wanted} cannot be judged: {planned.notes[-1]}",
                code="not-comparable",
            )
        if not wanted.hits(access):
            return
        raise Refused(
            f"nothing was installed, --fail-on {wanted} forbids what would change: {summary(planned.changes)}",
            code=f"access-{access}",
            content={"access": str(access), "changes": objects(planned.changes, _sides(planned))},
        )

    return allow


def _confirm(out: Output, *, yes: bool) -> Check:
    def confirm(planned: Installation) -> None:
        count = len({change.address for change in planned.changes})
        if yes or count < ASK_FROM or not out.context.can_ask:
            return
        if not typer.confirm(f"change the access of {count} accounts in {printable(planned.path)}?", err=True):
            raise Refused("nothing was installed", code="not-confirmed-by-user")

    return confirm


def _sides(planned: Installation) -> Sides:
    old = planned.old or Store(planned.path, b"")
    return Sides(planned.comparison, (old.path, old.lines), (planned.new.path, planned.new.lines))


def _tell(out: Output, done: Installation, *, dry_run: bool) -> None:
    access = direction(done.changes)
    if out.context.format == "json":
        content = {
            "file": done.path,
            "source": done.new.path,
            "changed": done.changed,
            "dry_run": dry_run,
            "access": str(access),
            "changes": objects(done.changes, _sides(done)),
        }
        out.json("install/1", {**content, "diff": done.diff} if dry_run else content)
    elif dry_run:
        out.patch(done.diff)
    elif out.tells():
        what = "there already" if not done.changed else "written" if done.old is None else "replaced"
        out.record((done.path, "store", what, "changed" if done.changed else "ok"))
    for note in done.notes:
        out.message(note)
    if done.changes:
        out.message(f"access {access}: {summary(done.changes)}")
    if any(isinstance(change, Redirection) for change in done.changes):
        out.message(
            Advice("note: passwords stay bound to where they were sent so far", ("mailpolicy", "secrets", "rebind"))
        )
    if dry_run and not done.changed:
        out.message(f"{done.path}: nothing would change")
