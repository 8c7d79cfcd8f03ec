"""Deploy one export, and end the sessions that it no longer allows."""

from __future__ import annotations

import os
from typing import NamedTuple

from mailpolicy.cli.exports import Exporter, difference, refuse_own
from mailpolicy.cli.output import Output
from mailpolicy.deploy import dovecot, sessions
from mailpolicy.deploy.configured import ConfiguredExport, data_files
from mailpolicy.deploy.managed import DeployResult, inspect, trusted_with, update
from mailpolicy.errors import Advice, MailpolicyError, NotConfirmed, Refused, WriteFailed
from mailpolicy.export.dovecot import narrowed
from mailpolicy.export.stamp import State, stamped
from mailpolicy.system.held import Held


class NotEnforced(Refused):
    """The file was written, but its service does not enforce it."""

    code = "not-obeyed"


class Result(NamedTuple):
    """The result of deploying one export."""

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


def deploy_export(
    out: Output, exporter: Exporter, export: ConfiguredExport, default_domains: set[str], *, dry_run: bool
) -> Result:
    """Deploy one export, or with `dry_run` only compare it; an error is returned in the result."""
    notes: list[str] = []
    body: list[str] = []
    changes = ""
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
            changes = difference(export.generated.path, export.target, deployed.before, wanted)
        else:
            deployed = update(export.generated, make, out.context.lock_timeout, before_replace)
        failure = deployed.reload_error or _not_enforced(out, export, doveconf, deployed)
    except MailpolicyError as error:
        return Result(export, None, error)
    except OSError as error:  # an unexpected one, too, ends only this export
        why = (error.strerror or "input/output error").lower()
        return Result(export, None, WriteFailed(why, file=error.filename or export.generated.path))
    for note in (*notes, *deployed.notes):
        out.message(f"{export.name}: {note}")
    return Result(export, deployed, failure, changes, dry_run)


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


def kick_sessions(out: Output, result: Result, kicked: list[str], failed: list[str], *, ask: bool) -> None:
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
