"""deploy: update the exports configured in host.toml, one by one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mailpolicy.cli import due, machine
from mailpolicy.cli.app import new_app
from mailpolicy.cli.deployment import (
    CaseCheck,
    Result,
    check_age_of_secrets,
    check_cases,
    check_enforced,
    deploy_export,
    kick_sessions,
)
from mailpolicy.cli.exports import Exporter
from mailpolicy.cli.output import Output
from mailpolicy.deploy import coverage
from mailpolicy.deploy.configured import ConfiguredExport
from mailpolicy.deploy.dovecot import NotEnforced
from mailpolicy.deploy.last_run import LastRun
from mailpolicy.edit.remarks import names_or_count
from mailpolicy.errors import NotFound, Refused, StoreError
from mailpolicy.export.dovecot import governed
from mailpolicy.policy import dates
from mailpolicy.policy.model import Policy
from mailpolicy.policy.moments import next_change as following_change
from mailpolicy.store.store import Store, StoreInvalid


def app() -> typer.Typer:
    """Return the command deploy."""
    command = new_app()
    command.command(
        help="Update the exports of this machine ([exports.NAME] in host.toml) and reload the services.\n\n"
        "If an export cannot be made, its old file is kept and the others are still updated."
    )(_deploy)
    return command


def _deploy(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="the exports; default: all", show_default=False)
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="write nothing; exit 1 if a file differs, a reload is pending or Dovecot does not enforce the policy",
        ),
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="write nothing; show changes, secrets as ***")] = False,
    kick: Annotated[bool, typer.Option("--kick", help="end Dovecot sessions whose access narrowed")] = False,
    accept_clock: Annotated[
        bool, typer.Option("--accept-clock", help="go on although the clock stands before the last deploy")
    ] = False,
) -> int:
    out: Output = context.obj
    known = out.machine().exports
    selected = _selected(machine.path(out.context), known, names or [])
    exporter = _exporter(out)
    next_change = _check_clock(out, exporter.policy, accept=accept_clock, dry_run=check or diff)
    cases = check_cases(out, exporter.policy)
    default_domains = {export.options.default_domain for export in known if export.options.default_domain is not None}
    results: list[Result] = []
    kicked: list[str] = []
    failed: list[str] = []
    try:
        for export in coverage.in_order(selected, governed(exporter.policy)):
            results.append(deploy_export(out, exporter, export, dry_run=check or diff))
        check_enforced(out, exporter, results)
        if not (check or diff):
            _record_followed(out, exporter.policy, results, known)
        for result in results if not (check or diff) else ():
            kick_sessions(out, result, default_domains, kicked, failed, ask=kick)
        check_age_of_secrets(out, exporter, dry_run=check or diff)
    except BaseException:  # report the exports done so far, even after Ctrl-C
        _report(out, results, kicked, failed, cases, next_change, dry_run=check or diff)
        raise
    if diff and out.context.format != "json":
        _print_errors(out, results)
        out.patch("".join(result.difference for result in results))
    else:
        _report(out, results, kicked, failed, cases, next_change, dry_run=check or diff)
    if next_change is not None:
        out.message(f"the policy changes next at {next_change}")
    if failed:
        if out.context.format != "json":
            why = "; ".join(failed[:20])
            out.failure(
                Refused(f"sessions that the policy no longer allows may still be open: {why}", code="kick-failed")
            )
        return Refused.exit_status
    # With --check, a service that does not enforce the policy counts as a difference, not as a failure.
    if errors := [
        result.error for result in results if result.error and not (check and isinstance(result.error, NotEnforced))
    ]:
        return errors[0].exit_status
    return int(check and any(result.differs for result in results))


def _exporter(out: Output) -> Exporter:
    """Return the exporter; if the store has errors, say first which accounts stay open because of that."""
    try:
        return Exporter(out)
    except StoreInvalid:
        store = Store.read(out.context.file, trusted=out.trusted)
        last_run = LastRun(machine.path(out.context))
        if store.draft.dated and (accounts := due.still_open(store, out.now(), last_run)):
            out.message(f"warning: still open, although their time is over: {names_or_count(accounts)}")
        raise


def _check_clock(out: Output, policy: Policy, *, accept: bool, dry_run: bool) -> str | None:
    """Return the next moment at which the policy changes. Raises Refused if the clock stands before the last deploy."""
    if not policy.dated:
        return None
    last_run, now = LastRun(machine.path(out.context)), out.now()
    if accept:
        out.caveat(f"note: the clock is accepted as it is: {dates.text(now.replace(microsecond=0))}")
    else:
        last_run.refuse_past(now)
    if not dry_run:
        last_run.record(now, accept=accept)
    following = following_change(policy, out.now)
    return dates.text(following) if following is not None else None


def _record_followed(out: Output, policy: Policy, results: list[Result], known: list[ConfiguredExport]) -> None:
    """Write down which ends every export has followed, unless one failed or was not asked for."""
    if policy.dated and len(results) == len(known) and not any(result.error for result in results):
        LastRun(machine.path(out.context)).record_followed(policy.at_present(out.now))


def _selected(file: str, found: list[ConfiguredExport], names: list[str]) -> list[ConfiguredExport]:
    if not found:
        raise StoreError("nothing to deploy: there is no [exports.NAME] table", file=file, code="no-exports")
    known = {export.name for export in found}
    for name in names:
        if name not in known:
            raise NotFound(f"no export {name}; the exports are: {', '.join(known)}", file=file, code="no-such-export")
    return [export for export in found if not names or export.name in names]


def _print_errors(out: Output, results: list[Result]) -> None:
    for result in results:
        if result.error is not None and out.context.format != "json":
            out.failure(result.error, about=result.export.name)


def _report(
    out: Output,
    results: list[Result],
    kicked: list[str],
    failed: list[str],
    cases: CaseCheck,
    next_change: str | None,
    *,
    dry_run: bool,
) -> None:
    _print_errors(out, results)
    outcomes = [result.outcome for result in results if result.error is None and result.outcome is not None]
    out.change_made = not dry_run and len(outcomes) == len(results) and any(outcome.changed for outcome in outcomes)
    if not out.shows_results(dry_run=dry_run):
        return
    if out.context.format == "json":
        content = {"file": out.context.file, "exports": [_object(result) for result in results], "kicked": kicked}
        out.json("deploy/1", {**content, "not_kicked": failed, **cases.content, "next_change": next_change})
        return
    for result in results:
        out.record((result.export.name, result.export.generated.path, *_row(result, dry_run=dry_run)))


def _row(result: Result, *, dry_run: bool) -> tuple[str, str]:
    if result.outcome is None:
        return "updated, not confirmed by the disk" if result.in_place else "not updated, old file kept", "failed"
    if dry_run:
        return str(result.outcome.state), "differs" if result.differs else "ok"
    state = "updated" if result.outcome.written or result.outcome.attributes_set else "up to date"
    if result.error is not None:
        failure = "the reload failed" if result.outcome.reload_error is not None else "the service does not enforce it"
        return f"{state}, but {failure}", "failed"
    reloaded = ", service reloaded" if result.outcome.reloaded else ""
    return f"{state}{reloaded}", "changed" if result.outcome.changed else "ok"


def _object(result: Result) -> dict[str, Any]:
    content: dict[str, Any] = {
        "name": result.export.name,
        "target": result.export.target_name,
        "path": result.export.generated.path,
        "state": None if result.outcome is None else str(result.outcome.state),
        "changed": result.in_place or (result.outcome is not None and result.outcome.changed),
        "differs": result.differs,
    }
    if result.error is not None:
        content["error"] = {"exit": result.error.exit_status, "code": result.error.code, "message": str(result.error)}
    return content
