"""deploy: the exports that host.toml names, brought up to date one by one."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import typer

from mailpolicy import host
from mailpolicy.cli.commands import new_app
from mailpolicy.cli.export import difference as shown_difference
from mailpolicy.cli.making import Workshop, refuse_own
from mailpolicy.cli.output import Output, require_format
from mailpolicy.deploy import sessions
from mailpolicy.deploy.configured import Configured, configured
from mailpolicy.deploy.place import Placed, look, put, trusted_with
from mailpolicy.errors import Advice, MailpolicyError, NotFound, Refused, StoreError
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


class _Done(NamedTuple):
    export: Configured
    placed: Placed | None
    error: MailpolicyError | None = None
    difference: str = ""  # what would change, secrets as stars

    @property
    def differs(self) -> bool:
        return self.placed is None or self.placed.state is not State.CURRENT or bool(self.placed.notes)


def _deploy(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="which exports; none: all of them", show_default=False)
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="write nothing, exit 1 for drift or an owed reload")] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="write nothing, show what would change, without secrets")
    ] = False,
    kick: Annotated[
        bool, typer.Option("--kick", help="end the Dovecot sessions of accounts whose access narrowed")
    ] = False,
) -> int:
    out: Output = context.obj
    require_format(out.around, "text", "json")
    file = out.around.host_config or host.DEFAULT_PATH
    machine = host.read(out.around.host_config)
    known = configured(file, machine.exports)
    chosen = _chosen(file, known, names or [])
    workshop = Workshop(out)
    short = {one.options.default_domain for one in known if one.options.default_domain is not None}
    done = [_one(out, workshop, export, short, looking=check or diff) for export in chosen]
    kicked, failed = _kick(out, done, ask=kick) if not (check or diff) else ([], [])
    if diff and out.around.format != "json" and not out.around.quiet:
        _fail(out, done)
        out.data("".join(one.difference for one in done))
    else:
        _tell(out, done, kicked, failed, looked=check or diff)
    if failed:
        if out.around.format != "json":
            why = "; ".join(failed[:20])
            out.failure(
                Refused(f"sessions may still be open that the policy no longer allows: {why}", code="kick-failed")
            )
        return Refused.exit_status
    if errors := [one.error for one in done if one.error is not None]:
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

    def make() -> bytes:
        made = workshop.make(export.target, export.options)
        notes[:], body[:] = made.notes, [made.body]
        return stamped(export.target_name, made.body)

    def first(file: Held, before: bytes | None, _wanted: bytes) -> None:
        if users := _narrowed(export, before, body):
            sessions.owe(file, sessions.typed(users, short))

    try:
        if export.problem is not None:
            raise export.problem
        refuse_own(out, export.place.path)
        if looking:
            wanted = make()
            placed = look(export.place, wanted)
            difference = shown_difference(export.place.path, export.target, placed.before, wanted)
        else:
            placed = put(export.place, make, out.around.lock_timeout, first)
    except MailpolicyError as error:
        return _Done(export, None, error)
    for note in (*notes, *placed.notes):
        out.message(f"{export.name}: {note}")
    return _Done(export, placed, placed.owing, difference)


def _narrowed(export: Configured, before: bytes | None, body: list[str]) -> tuple[str, ...]:
    if export.target_name != "dovecot" or before is None:
        return ()
    from mailpolicy.export.dovecot import narrowed

    return tuple(narrowed(before.decode("utf-8", "replace"), body[0], export.options.strategy))


def _kick(out: Output, done: list[_Done], *, ask: bool) -> tuple[list[str], list[str]]:
    """End the sessions that are owed an end: whose, and why it failed; unless asked to, only say that there are some."""
    kicked: list[str] = []
    failed: list[str] = []
    for one in done:
        owed = sessions.owed(one.export.place.path) if one.export.target_name == "dovecot" else []
        if not owed or one.placed is None:
            continue
        if not ask:
            named = ", ".join(owed) if len(owed) <= 20 else f"{len(owed)} accounts"
            said = f"{one.export.name}: open sessions of {named} go on"
            out.message(Advice(said, ("mailpolicy", "deploy", "--kick")))
            continue
        ended = sessions.kick(one.export.kick, owed, out.message)
        sessions.settle(
            one.export.place.path, owed, ended.failed, out.around.lock_timeout, trusted_with(one.export.place)
        )
        kicked += ended.kicked
        failed += ended.failed.values()
    return kicked, failed


def _fail(out: Output, done: list[_Done]) -> None:
    for one in done:
        if one.error is not None and out.around.format != "json":
            out.failure(one.error, about=one.export.name)


def _tell(out: Output, done: list[_Done], kicked: list[str], failed: list[str], *, looked: bool) -> None:
    _fail(out, done)
    if out.around.quiet:
        return
    if out.around.format == "json":
        content = {"file": out.around.file, "exports": [_object(one) for one in done], "kicked": kicked}
        out.json("deploy/1", {**content, "not_kicked": failed})
        return
    for one in done:
        out.record((one.export.name, one.export.place.path, *_result(one, looked=looked)))


def _result(one: _Done, *, looked: bool) -> tuple[str, str]:
    if one.placed is None:
        return "keeps its old file", "failed"
    if looked:
        return str(one.placed.state), "differs" if one.differs else "ok"
    if one.placed.owing is not None:
        return "as the policy says, but its reader was not told", "failed"
    told = ", its reader was told" if one.placed.told else ""
    return f"as the policy says{told}", "changed" if one.placed.changed else "ok"


def _object(one: _Done) -> dict[str, Any]:
    content: dict[str, Any] = {
        "name": one.export.name,
        "target": one.export.target_name,
        "path": one.export.place.path,
        "state": None if one.placed is None else str(one.placed.state),
        "changed": one.placed is not None and one.placed.changed,
        "differs": one.differs,
    }
    if one.error is not None:
        content["error"] = {"exit": one.error.exit_status, "code": one.error.code, "message": str(one.error)}
    return content
