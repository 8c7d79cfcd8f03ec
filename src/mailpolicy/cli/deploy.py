"""deploy: the exports that host.toml names, brought up to date one by one."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import typer

from mailpolicy import host
from mailpolicy.cli.commands import new_app
from mailpolicy.cli.export import difference as shown_difference
from mailpolicy.cli.making import Workshop
from mailpolicy.cli.output import Output, require_format
from mailpolicy.deploy import sessions
from mailpolicy.deploy.configured import Configured, configured
from mailpolicy.deploy.place import Placed, look, put
from mailpolicy.errors import MailpolicyError, NotFound, Refused, StoreError
from mailpolicy.export.stamp import State, stamped


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
    narrowed: tuple[str, ...] = ()
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
    machine = host.read(out.around.host_config, is_root=out.around.is_root)
    known = configured(file, machine.exports)
    chosen = _chosen(file, known, names or [])
    workshop = Workshop(out)
    done = [_one(out, workshop, export, looking=check or diff) for export in chosen]
    short = {one.options.default_domain for one in known if one.options.default_domain is not None}
    kicked, failed = _kick(out, done, short) if kick and not (check or diff) else ([], [])
    if diff and out.around.format != "json" and not out.around.quiet:
        _fail(out, done)
        out.data("".join(one.difference for one in done))
    else:
        _tell(out, done, kicked, looked=check or diff)
    if failed:
        raise Refused(
            f"sessions may still be open that the policy no longer allows: {'; '.join(failed[:20])}", code="kick-failed"
        )
    if errors := [one.error for one in done if one.error is not None]:
        return errors[0].exit_status
    return int(check and any(one.differs for one in done))


def _chosen(file: str, found: list[Configured], names: list[str]) -> list[Configured]:
    if not found:
        raise StoreError(f"{file}: there is no [exports.NAME] here, so there is nothing to deploy", code="no-exports")
    known = {one.name for one in found}
    for name in names:
        if name not in known:
            raise NotFound(
                f"{file}: there is no [exports.{name}], there are: {', '.join(known)}", code="no-such-export"
            )
    return [one for one in found if not names or one.name in names]


def _one(out: Output, workshop: Workshop, export: Configured, *, looking: bool) -> _Done:
    notes: list[str] = []
    body: list[str] = []
    difference = ""

    def make() -> bytes:
        made = workshop.make(export.target, export.options)
        notes[:], body[:] = made.notes, [made.body]
        return stamped(export.target_name, made.body)

    try:
        if looking:
            wanted = make()
            placed = look(export.place, wanted)
            difference = shown_difference(export.place.path, export.target, placed.before, wanted)
        else:
            placed = put(export.place, make, out.around.lock_timeout)
    except MailpolicyError as error:
        return _Done(export, None, error)
    for note in (*notes, *placed.notes):
        out.message(f"{export.name}: {note}")
    narrowed = _narrowed(export, placed.before, body) if placed.written else ()
    return _Done(export, placed, placed.owing, narrowed, difference)


def _narrowed(export: Configured, before: bytes | None, body: list[str]) -> tuple[str, ...]:
    if export.target_name != "dovecot" or before is None:
        return ()
    from mailpolicy.export.dovecot import narrowed

    return tuple(narrowed(before.decode("utf-8", "replace"), body[0], export.options.strategy))


def _kick(out: Output, done: list[_Done], short: set[str]) -> tuple[list[str], list[str]]:
    """End sessions, also under the names without a domain of `short`: whose, and the commands that failed."""
    kicked: list[str] = []
    failed: list[str] = []
    for one in done:
        users = sessions.typed(one.narrowed, short)
        failed += sessions.kick(one.export.kick, users, out.message)
        kicked += users
    return kicked, failed


def _fail(out: Output, done: list[_Done]) -> None:
    for one in done:
        if one.error is not None and out.around.format != "json":
            out.failure(one.error, about=one.export.name)


def _tell(out: Output, done: list[_Done], kicked: list[str], *, looked: bool) -> None:
    _fail(out, done)
    if out.around.quiet:
        return
    if out.around.format == "json":
        out.json("deploy/1", {"file": out.around.file, "exports": [_object(one) for one in done], "kicked": kicked})
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
        content["error"] = {"exit": one.error.exit_status, "code": one.error.code, "message": one.error.message}
    return content
