"""The command log: who changed the store, when, with which command, and what of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from mailpolicy.cli import history, views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.output import Output
from mailpolicy.cli.selection import address as normalised
from mailpolicy.cli.when import moment_of, when
from mailpolicy.edit.history import words
from mailpolicy.edit.history.changes import as_json
from mailpolicy.edit.history.entries import Entry, addresses_of
from mailpolicy.policy.dates import text
from mailpolicy.policy.names import counted

_SHOWN = 3  # changes of an entry


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="List the edits of the store, the newest first: time, id, user, command and changes.\n\n"
        "They are in the journal NAME.log beside the store, if journal = true stands in host.toml. With ADDRESS only the "
        "edits of that account's own settings, under its former addresses too; what it inherits changes with its template, "
        "the defaults and the server."
    )(_log)
    return command


def _log(
    context: typer.Context,
    address: Annotated[
        str | None, typer.Argument(metavar="[ADDRESS]", help="only edits of this account", show_default=False)
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", help="only from then on: 2026-12-31, today, or a date-time")
    ] = None,
) -> int:
    out: Output = context.obj
    asked = when("--since", since)
    whom = normalised(address) if address is not None else None
    found = history.read(out)
    chosen = found.about(whom) if whom is not None else found.entries
    if asked is not None:
        earliest = asked.written
        if not isinstance(earliest, datetime):  # the day begins with the clocks there
            earliest = moment_of(out, views.open_store(out, [])[1], "--since", asked)
        chosen = [entry for entry in chosen if entry.time >= earliest]
    if out.context.format == "json":
        for entry in reversed(chosen):
            out.json("log/1", _object(found.path, entry))
        return 0
    if not chosen:
        about = f"{f' of {whom}' if whom is not None else ''}{f' since {since}' if since is not None else ''}"
        out.message(f"{found.path}: no edits{about}")
        return 0
    columns = ("time", "id", "user", "command", "changes")
    out.rows(columns, (_row(entry, whom) for entry in reversed(chosen)), of="edit", whole=True)
    return 0


def _row(entry: Entry, whom: str | None) -> Sequence[str]:
    time = text(entry.time)
    if entry.is_outside:
        return (time, "-", "-", "-", "changed outside mailpolicy")
    return (time, entry.id, entry.user, entry.command, _mark(entry) + _changes(entry, whom))


def _mark(entry: Entry) -> str:
    """Return what became of an entry."""
    if entry.aborted:
        return "aborted: "
    if entry.undone_by is not None:
        return f"undone by {entry.undone_by}: "
    return f"undoes {entry.undoes}: " if entry.undoes is not None else ""


def _changes(entry: Entry, whom: str | None) -> str:
    if entry.changes is None:
        keys = entry.content.get("keys")
        return counted(keys, "key") if keys is not None else "a store with errors replaced"
    own = [change for change in entry.changes if whom in addresses_of(change)]
    listed = own or entry.changes  # under a former address
    more = f"; and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return "; ".join(map(words.sentence, listed[:_SHOWN])) + more or "comments or layout"


def _object(path: str, entry: Entry) -> dict[str, Any]:
    known = {key: value for key, value in entry.content.items() if key != "changes"}
    found: dict[str, Any] = {"file": path, **known}
    if entry.changes is not None:
        found["changes"] = [
            {**as_json(change), "address": words.address(change.path), "text": words.sentence(change)}
            for change in entry.changes
        ]
    if not entry.is_outside:
        found |= {"aborted": entry.aborted, "undone_by": entry.undone_by}
    return found
