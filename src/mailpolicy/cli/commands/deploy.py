"""deploy: the exports that host.toml names, brought up to date one by one."""

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
    """The command deploy."""
    command = new_app()
    command.command(
        help="Bring the exports of this machine, [exports.NAME] in host.toml, up to date, and tell the servers.\n\n"
        "Each is made on its own: one that cannot be made keeps its old file, and the others go into force."
    )(_deploy)
    return command


class NotObeyed(Refused):
    """The file is in its place, and its reader does not do what it says."""

    code = "not-obeyed"


class _Done(NamedTuple):
    export: Configured
    placed: Placed | None
    error: MailpolicyError | None = None
    difference: str = ""  # what would change, secrets as stars
    looked: bool = False

    @property
    def in_place(self) -> bool:
        """Whether the new file is in its place, although the disk did not confirm it."""
        error, path = self.error, os.path.realpath(self.export.place.path)
        return isinstance(error, NotConfirmed) and error.file is not None and os.path.realpath(error.file) == path

    @property
    def differs(self) -> bool:
        """Whether something is still not as the policy says."""
        if self.placed is None or self.error is not None:
            return True
        return self.looked and (self.placed.state is not State.CURRENT or bool(self.placed.notes))


def _deploy(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="which exports; none: all of them", show_default=False)
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="write nothing, exit 1 for drift, an owed reload or a Dovecot that does not obey"),
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="write nothing, show what would change, without secrets")
    ] = False,
    kick: Annotated[
        bool, typer.Option("--kick", help="end the Dovecot sessions of accounts whose access narrowed")
    ] = False,
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
    except BaseException:  # whatever ends the run, what it did is said
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
                Refused(f"sessions may still be open that the policy no longer allows: {why}", code="kick-failed")
            )
        return Refused.exit_status
    # What the reader does not obey is a difference like any other to whoever only checks.
    if errors := [one.error for one in done if one.error and not (check and isinstance(one.error, NotObeyed))]:
        return errors[0].exit_status
    return int(check and any(one.differs for one in done))


def _chosen(file: str, found: list[Configured], names: list[str]) -> list[Configured]:
    if not found:
        raise StoreError("there is no [exports.NAME] here, so there is nothing to deploy", file=file, code="no-exports")
    known = {one.name for one in found}
    for name in names:
        if name not in known:
            raise NotFound(
                f"there is no [exports.{name}], there are: {', '.join(known)}", file=file, code="no-such-export"
            )
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
    except OSError as error:  # one that nobody understood ends this export only
        why = (error.strerror or "input/output error").lower()
        return _Done(export, None, WriteFailed(why, file=error.filename or export.place.path))
    for note in (*notes, *placed.notes):
        out.message(f"{export.name}: {note}")
    return _Done(export, placed, trouble, difference, looking)


def _passed_by(out: Output, export: Configured, doveconf: dovecot.Doveconf, placed: Placed) -> NotObeyed | None:
    """Why Dovecot does not obey a snippet that is in its place."""
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
    """End the sessions that are owed an end, noting whose, and why it failed; unless asked to, only say that there are some."""
    if one.export.target_name != "dovecot" or one.placed is None:
        return
    try:
        owed = sessions.owed(one.export.place.path)
        if owed and not ask:
            named = ", ".join(owed) if len(owed) <= 20 else f"{len(owed)} accounts"
            said = f"{one.export.name}: open sessions of {named} go on"
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
        return "as the policy says, not confirmed by the disk" if one.in_place else "keeps its old file", "failed"
    if looked:
        return str(one.placed.state), "differs" if one.differs else "ok"
    if one.error is not None:
        what = "its reader was not told" if one.placed.owing is not None else "its reader does not obey it"
        return f"as the policy says, but {what}", "failed"
    told = ", its reader was told" if one.placed.told else ""
    return f"as the policy says{told}", "changed" if one.placed.changed else "ok"


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
