"""The command temporary: list and end the exceptions of accounts, and list their expiry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, NamedTuple

import typer

from mailpolicy.cli import views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.editing import edit
from mailpolicy.cli.output import Output
from mailpolicy.cli.selection import targets
from mailpolicy.cli.selection_options import DryRun, Yes
from mailpolicy.cli.targeted import targeted
from mailpolicy.edit import exceptions
from mailpolicy.edit.selection import Selection
from mailpolicy.errors import UsageError
from mailpolicy.policy.account import Account, Settings
from mailpolicy.policy.dates import FAR, End
from mailpolicy.policy.model import Policy


def app() -> typer.Typer:
    """Build the command and its subcommands."""
    group = new_app(
        help="List and end exceptions of accounts. `--until` makes one: mailpolicy pop off alice@example.com --until +3d",
        no_args_is_help=True,
    )
    group.command("list", help="List exceptions and accounts that expire, in order of time.")(_list)
    group.command("end", help="End exceptions: the settings of the accounts themselves apply again.")(
        targeted(_end, optional=True)
    )
    return group


class _Row(NamedTuple):
    account: Account
    end: End
    kind: str
    settings: Settings
    over: bool


def _list(
    context: typer.Context,
    over: Annotated[bool, typer.Option("--over", help="only those that have passed")] = False,
) -> int:
    out: Output = context.obj
    store, policy = views.open_store(out)
    rows = [row for row in _rows(policy) if row.over or not over]
    if out.context.format == "json":
        for row in rows:
            path = ("accounts", row.account.key, *(("expires",) if row.kind == "expires" else ("temporary", "until")))
            content = {"address": row.account.address, "kind": row.kind, "until": str(row.end), "over": row.over}
            settings = {key: list(value) if isinstance(value, tuple) else value for key, value in row.settings.items()}
            out.json("temporary/1", {"file": store.path, "line": store.line(path), **content, "settings": settings})
        return 0
    if out.context.draws_tables:
        from mailpolicy.render import dates  # 1 ms, only on a terminal

        # The first column is the one that gets shortened: that must not be the date.
        cells = [
            (row.account.address, dates.short(row.end, out.now), row.kind, _text(row.settings), _state(row))
            for row in rows
        ]
        out.rows(("account", "until", "what", "settings", "state"), cells, of="date")
        return 0
    out.rows(
        ("until", "account", "what", "settings", "state"),
        ((str(row.end), row.account.address, row.kind, _text(row.settings), _state(row)) for row in rows),
    )
    return 0


def _rows(policy: Policy) -> Iterator[_Row]:
    """Yield the dates of all accounts in order of time."""
    moment = policy.moment
    if moment is None:
        return
    found = []
    for account in policy.dated:
        if (expires := account.expires) is not None:
            found.append(_Row(account, expires, "expires", {}, expires.is_over(moment)))
        if (exception := account.temporary) is not None:
            over = exception.until.is_over(moment)
            found.append(_Row(account, exception.until, "exception", exception.switches, over))
    yield from sorted(found, key=lambda row: (row.end.instant or FAR, row.account.address, row.kind))


def _state(row: _Row) -> str:
    if row.over:
        return "over"
    if row.kind == "expires":
        return "coming"
    return "in force" if row.settings else "without a switch"


def _text(settings: Settings) -> str:
    texts = (
        f"{key} = {'[' + ', '.join(value) + ']' if isinstance(value, tuple) else str(value).lower()}"
        for key, value in settings.items()
    )
    return ", ".join(texts) or "-"


def _end(
    context: typer.Context,
    *,
    over: Annotated[bool, typer.Option("--over", help="remove all exceptions that have passed")] = False,
    chosen: Selection | None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    if over:
        if chosen is not None:
            raise UsageError("--over is about all accounts and cannot be combined with targets")
        return edit(context.obj, exceptions.end_over, dry_run=dry_run, yes=yes)
    some = chosen or targets(None)
    return edit(
        context.obj, lambda policy: exceptions.end(policy, some), addresses=some.addresses, dry_run=dry_run, yes=yes
    )
