"""deploy: update the exports configured in host.toml, one by one."""

from __future__ import annotations

import os
from typing import Annotated, Any, NamedTuple

import typer

from mailpolicy.cli import machine
from mailpolicy.cli.app import new_app
from mailpolicy.cli.commands.export import difference as shown_difference
from mailpolicy.cli.exports import Exporter, refuse_own
from mailpolicy.cli.output import Output
from mailpolicy.deploy import dovecot, sessions
from mailpolicy.deploy.configured import ConfiguredExport, data_files
from mailpolicy.deploy.managed import DeployResult, inspect, trusted_with, update
from mailpolicy.errors import Advice, MailpolicyError, NotConfirmed, NotFound, Refused, StoreError, WriteFailed
from mailpolicy.export.dovecot import narrowed
from mailpolicy.export.stamp import State, stamped
from mailpolicy.system.held import Held


def app() -> typer.Typer:
    """Return the command deploy."""
    command = new_app()
    command.command(
        help="Update the exports of this machine ([exports.NAME] in host.toml) and reload the services.\n\n"
        "If an export cannot be made, its old file is kept and the others are still updated."
    )(_deploy)
    return command


class NotEnforced(Refused):
    """The file was written, but its service does not enforce it."""

    code = "not-obeyed"


class _Result(NamedTuple):
    export: ConfiguredExport
    outcome: DeployResult | None
    error: MailpolicyError | None = None
    difference: str = ""  # what would change, secrets as stars
    dry_run: bool = False

    @property
    def in_place(self) -> bool:
        """Return whether the new file was written although the disk did not confirm it."""
        error, path = self.error, os.path.realpath(self.export.generated.path)
        return isinstance(error, NotConfirmed) and error.file is not None and os.path.realpath(error.file) == path

    @property
    def differs(self) -> bool:
        """Return whether something still differs from the policy."""
        if self.outcome is None or self.error is not None:
            return True
        return self.dry_run and (self.outcome.state is not State.CURRENT or bool(self.outcome.notes))


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
) -> int:
    out: Output = context.obj
    known = out.machine().exports
    selected = _selected(machine.path(out.context), known, names or [])
    exporter = Exporter(out)
    default_domains = {export.options.default_domain for export in known if export.options.default_domain is not None}
    results: list[_Result] = []
    kicked: list[str] = []
    failed: list[str] = []
    try:
        for export in selected:
            results.append(_deploy_export(out, exporter, export, default_domains, dry_run=check or diff))
        for result in results if not (check or diff) else ():
            _kick(out, result, kicked, failed, ask=kick)
    except BaseException:  # report the exports done so far, even after Ctrl-C
        _report(out, results, kicked, failed, dry_run=check or diff)
        raise
    if diff and out.context.format != "json":
        _print_errors(out, results)
        out.patch("".join(result.difference for result in results))
    else:
        _report(out, results, kicked, failed, dry_run=check or diff)
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


def _selected(file: str, found: list[ConfiguredExport], names: list[str]) -> list[ConfiguredExport]:
    if not found:
        raise StoreError("nothing to deploy: there is no [exports.NAME] table", file=file, code="no-exports")
    known = {export.name for export in found}
    for name in names:
        if name not in known:
            raise NotFound(f"no export {name}; the exports are: {', '.join(known)}", file=file, code="no-such-export")
    return [export for export in found if not names or export.name in names]


def _deploy_export(
    out: Output, exporter: Exporter, export: ConfiguredExport, default_domains: set[str], *, dry_run: bool
) -> _Result:
    notes: list[str] = []
    body: list[str] = []
    difference = ""
    doveconf = dovecot.Doveconf(export.doveconf)

    def make() -> bytes:
        made = exporter.make(export.target, export.options)
        notes[:], body[:] = made.notes, [made.body]
        return stamped(export.target_name, made.body)

    def before_replace(file: Held, before: bytes | None, wanted: bytes) -> None:
        if server is not None:
            dovecot.refuse_broken(server, doveconf, export.generated.path, wanted)
        if users := _narrowed(export, before, body):
            sessions.record(file, sessions.login_names(users, default_domains))

    try:
        if export.error is not None:
            raise export.error
        refuse_own(out, export.generated.path)
        server = doveconf.configuration() if export.target_name == "dovecot-conf" else None
        if server is not None:
            dovecot.refuse_other_version(server, export.options)
        if dry_run:
            wanted = make()
            deployed = inspect(export.generated, wanted)
            difference = shown_difference(export.generated.path, export.target, deployed.before, wanted)
        else:
            deployed = update(export.generated, make, out.context.lock_timeout, before_replace)
        failure = deployed.reload_error or _not_enforced(out, export, doveconf, deployed)
    except MailpolicyError as error:
        return _Result(export, None, error)
    except OSError as error:  # an unexpected one, too, ends only this export
        why = (error.strerror or "input/output error").lower()
        return _Result(export, None, WriteFailed(why, file=error.filename or export.generated.path))
    for note in (*notes, *deployed.notes):
        out.message(f"{export.name}: {note}")
    return _Result(export, deployed, failure, difference, dry_run)


def _not_enforced(
    out: Output, export: ConfiguredExport, doveconf: dovecot.Doveconf, deployed: DeployResult
) -> NotEnforced | None:
    """Return the reason if Dovecot does not enforce an installed snippet."""
    if export.target_name != "dovecot-conf" or not (deployed.written or deployed.state is State.CURRENT):
        return None
    enforcement = dovecot.check_enforcement(
        doveconf, export.options, export.generated.path, data_files(out.machine().exports)
    )
    if enforcement.enforced is None and deployed.written:
        out.message(f"{export.name}: warning: {enforcement.message}")
    return NotEnforced(enforcement.message) if enforcement.enforced is False else None


def _narrowed(export: ConfiguredExport, before: bytes | None, body: list[str]) -> tuple[str, ...]:
    if export.target_name != "dovecot" or before is None:
        return ()
    return tuple(narrowed(before.decode("utf-8", "replace"), body[0], export.options.strategy))


def _kick(out: Output, result: _Result, kicked: list[str], failed: list[str], *, ask: bool) -> None:
    """End the pending sessions of an export and add to `kicked` and `failed`; without `ask` only print that there are some."""
    if result.export.target_name != "dovecot" or result.outcome is None:
        return
    try:
        pending = sessions.pending(result.export.generated.path)
        if pending and not ask:
            named = ", ".join(pending) if len(pending) <= 20 else f"{len(pending)} accounts"
            said = f"{result.export.name}: open sessions of {named} continue"
            out.message(Advice(said, ("mailpolicy", "deploy", "--kick")))
        elif pending:
            kick_result = sessions.kick(result.export.kick, pending, out.message)
            kicked += kick_result.kicked
            failed += kick_result.failed.values()
            generated, wait = result.export.generated, out.context.lock_timeout
            sessions.clear(generated.path, pending, kick_result.failed, wait, trusted_with(generated))
    except MailpolicyError as error:
        failed.append(str(Advice(str(error), error.fix)) if error.fix else str(error))


def _print_errors(out: Output, results: list[_Result]) -> None:
    for result in results:
        if result.error is not None and out.context.format != "json":
            out.failure(result.error, about=result.export.name)


def _report(out: Output, results: list[_Result], kicked: list[str], failed: list[str], *, dry_run: bool) -> None:
    _print_errors(out, results)
    if not out.tells(dry_run=dry_run):
        return
    if out.context.format == "json":
        content = {"file": out.context.file, "exports": [_object(result) for result in results], "kicked": kicked}
        out.json("deploy/1", {**content, "not_kicked": failed})
        return
    for result in results:
        out.record((result.export.name, result.export.generated.path, *_row(result, dry_run=dry_run)))


def _row(result: _Result, *, dry_run: bool) -> tuple[str, str]:
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


def _object(result: _Result) -> dict[str, Any]:
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
