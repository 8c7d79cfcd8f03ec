"""deploy: update the exports configured in host.toml, one by one."""

from __future__ import annotations

import os
from typing import Annotated, Any, NamedTuple

import typer

from mailpolicy.cli import machine
from mailpolicy.cli.app import new_app
from mailpolicy.cli.commands.export import difference as shown_difference
from mailpolicy.cli.exports import Workshop, refuse_own
from mailpolicy.cli.output import Output
from mailpolicy.deploy import dovecot, sessions
from mailpolicy.deploy.configured import Configured, data_files
from mailpolicy.deploy.managed import Placed, look, put, trusted_with
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


class NotObeyed(Refused):
    """The file was written, but its service does not enforce it."""

    code = "not-obeyed"


class _Done(NamedTuple):
    export: Configured
    placed: Placed | None
    error: MailpolicyError | None = None
    difference: str = ""  # what would change, secrets as stars
    looked: bool = False

    @property
    def in_place(self) -> bool:
        """Return whether the new file was written although the disk did not confirm it."""
        error, path = self.error, os.path.realpath(self.export.place.path)
        return isinstance(error, NotConfirmed) and error.file is not None and os.path.realpath(error.file) == path

    @property
    def differs(self) -> bool:
        """Return whether something still differs from the policy."""
        if self.placed is None or self.error is not None:
            return True
        return self.looked and (self.placed.state is not State.CURRENT or bool(self.placed.notes))


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
    chosen = _chosen(machine.path(out.context), known, names or [])
    workshop = Workshop(out)
    short = {one.options.default_domain for one in known if one.options.default_domain is not None}
    done: list[_Done] = []
    kicked: list[str] = []
    failed: list[str] = []
    try:
        for export in chosen:
            done.append(_one(out, workshop, export, short, looking=check or diff))
        for one in done if not (check or diff) else ():
            _kick(out, one, kicked, failed, ask=kick)
    except BaseException:  # report the exports done so far, even after Ctrl-C
        _tell(out, done, kicked, failed, looked=check or diff)
        raise
    if diff and out.context.format != "json":
        _fail(out, done)
        out.patch("".join(one.difference for one in done))
    else:
        _tell(out, done, kicked, failed, looked=check or diff)
    if failed:
        if out.context.format != "json":
            why = "; ".join(failed[:20])
            out.failure(
                Refused(f"sessions that the policy no longer allows may still be open: {why}", code="kick-failed")
            )
        return Refused.exit_status
    # With --check, a service that does not enforce the policy counts as a difference, not as a failure.
    if errors := [one.error for one in done if one.error and not (check and isinstance(one.error, NotObeyed))]:
        return errors[0].exit_status
    return int(check and any(one.differs for one in done))


def _chosen(file: str, found: list[Configured], names: list[str]) -> list[Configured]:
    if not found:
        raise StoreError("nothing to deploy: there is no [exports.NAME] table", file=file, code="no-exports")
    known = {one.name for one in found}
    for name in names:
        if name not in known:
            raise NotFound(f"no export {name}; the exports are: {', '.join(known)}", file=file, code="no-such-export")
    return [one for one in found if not names or one.name in names]


def _one(out: Output, workshop: Workshop, export: Configured, short: set[str], *, looking: bool) -> _Done:
    notes: list[str] = []
    body: list[str] = []
    difference = ""
    doveconf = dovecot.Doveconf(export.doveconf)

    def make() -> bytes:
        made = workshop.make(export.target, export.options)
        notes[:], body[:] = made.notes, [made.body]
        return stamped(export.target_name, made.body)

    def first(file: Held, before: bytes | None, wanted: bytes) -> None:
        if server is not None:
            dovecot.refuse_unfit(server, doveconf, export.place.path, wanted)
        if users := _narrowed(export, before, body):
            sessions.owe(file, sessions.typed(users, short))

    try:
        if export.problem is not None:
            raise export.problem
        refuse_own(out, export.place.path)
        server = doveconf.configuration() if export.target_name == "dovecot-conf" else None
        if server is not None:
            dovecot.refuse_other_version(server, export.options)
        if looking:
            wanted = make()
            placed = look(export.place, wanted)
            difference = shown_difference(export.place.path, export.target, placed.before, wanted)
        else:
            placed = put(export.place, make, out.context.lock_timeout, first)
        trouble = placed.owing or _passed_by(out, export, doveconf, placed)
    except MailpolicyError as error:
        return _Done(export, None, error)
    except OSError as error:  # an unexpected one, too, ends only this export
        why = (error.strerror or "input/output error").lower()
        return _Done(export, None, WriteFailed(why, file=error.filename or export.place.path))
    for note in (*notes, *placed.notes):
        out.message(f"{export.name}: {note}")
    return _Done(export, placed, trouble, difference, looking)


def _passed_by(out: Output, export: Configured, doveconf: dovecot.Doveconf, placed: Placed) -> NotObeyed | None:
    """Return the reason if Dovecot does not enforce an installed snippet."""
    if export.target_name != "dovecot-conf" or not (placed.written or placed.state is State.CURRENT):
        return None
    judged = dovecot.judged(doveconf, export.options, export.place.path, data_files(out.machine().exports))
    if judged.obeyed is None and placed.written:
        out.message(f"{export.name}: warning: {judged.message}")
    return NotObeyed(judged.message) if judged.obeyed is False else None


def _narrowed(export: Configured, before: bytes | None, body: list[str]) -> tuple[str, ...]:
    if export.target_name != "dovecot" or before is None:
        return ()
    return tuple(narrowed(before.decode("utf-8", "replace"), body[0], export.options.strategy))


def _kick(out: Output, one: _Done, kicked: list[str], failed: list[str], *, ask: bool) -> None:
    """End the pending sessions of an export and add to `kicked` and `failed`; without `ask` only print that there are some."""
    if one.export.target_name != "dovecot" or one.placed is None:
        return
    try:
        owed = sessions.owed(one.export.place.path)
        if owed and not ask:
            named = ", ".join(owed) if len(owed) <= 20 else f"{len(owed)} accounts"
            said = f"{one.export.name}: open sessions of {named} continue"
            out.message(Advice(said, ("mailpolicy", "deploy", "--kick")))
        elif owed:
            ended = sessions.kick(one.export.kick, owed, out.message)
            kicked += ended.kicked
            failed += ended.failed.values()
            place, wait = one.export.place, out.context.lock_timeout
            sessions.settle(place.path, owed, ended.failed, wait, trusted_with(place))
    except MailpolicyError as error:
        failed.append(str(Advice(str(error), error.fix)) if error.fix else str(error))


def _fail(out: Output, done: list[_Done]) -> None:
    for one in done:
        if one.error is not None and out.context.format != "json":
            out.failure(one.error, about=one.export.name)


def _tell(out: Output, done: list[_Done], kicked: list[str], failed: list[str], *, looked: bool) -> None:
    _fail(out, done)
    if not out.tells(dry_run=looked):
        return
    if out.context.format == "json":
        content = {"file": out.context.file, "exports": [_object(one) for one in done], "kicked": kicked}
        out.json("deploy/1", {**content, "not_kicked": failed})
        return
    for one in done:
        out.record((one.export.name, one.export.place.path, *_result(one, looked=looked)))


def _result(one: _Done, *, looked: bool) -> tuple[str, str]:
    if one.placed is None:
        return "updated, not confirmed by the disk" if one.in_place else "not updated, old file kept", "failed"
    if looked:
        return str(one.placed.state), "differs" if one.differs else "ok"
    state = "updated" if one.placed.written or one.placed.corrected else "up to date"
    if one.error is not None:
        failure = "the reload failed" if one.placed.owing is not None else "the service does not enforce it"
        return f"{state}, but {failure}", "failed"
    reloaded = ", service reloaded" if one.placed.told else ""
    return f"{state}{reloaded}", "changed" if one.placed.changed else "ok"


def _object(one: _Done) -> dict[str, Any]:
    content: dict[str, Any] = {
        "name": one.export.name,
        "target": one.export.target_name,
        "path": one.export.place.path,
        "state": None if one.placed is None else str(one.placed.state),
        "changed": one.in_place or (one.placed is not None and one.placed.changed),
        "differs": one.differs,
    }
    if one.error is not None:
        content["error"] = {"exit": one.error.exit_status, "code": one.error.code, "message": str(one.error)}
    return content
