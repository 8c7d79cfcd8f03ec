"""The command account: add, change, list and show accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mailpolicy.cli import views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.editing import edit
from mailpolicy.cli.output import Output
from mailpolicy.cli.selection import address, addresses, targets
from mailpolicy.cli.selection_options import Domain, DryRun, Yes, YesRemove
from mailpolicy.cli.targeted import targeted
from mailpolicy.cli.when import expiry, when
from mailpolicy.edit.operations import Scalar
from mailpolicy.edit.selection import Selection
from mailpolicy.errors import UsageError
from mailpolicy.policy import names
from mailpolicy.policy.model import Policy
from mailpolicy.policy.service import SWITCHES

if TYPE_CHECKING:
    from mailpolicy.edit.plan import Plan

_Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="the account", show_default=False)]
_Addresses = Annotated[
    list[str], typer.Argument(metavar="ADDRESS...", help="addresses, or - to read them from stdin", show_default=False)
]
_ON_LAN_ONLY_OFF = "on, lan-only or off"


def app() -> typer.Typer:
    """Build the command and its subcommands."""
    group = new_app(help="Add, remove, rename, list, show, suspend and resume accounts.", no_args_is_help=True)
    group.command("add", help="Add accounts. An account that already exists with the same settings is not an error.")(
        _add
    )
    group.command("remove", help="Remove accounts, their comments and passwords.")(_remove)
    group.command("rename", help="Rename an account. Its passwords move along.")(_rename)
    group.command(
        "list",
        help="List accounts and the services they may use.\n\n"
        "On a terminal MPOP is short for MultiPOP and OC for Outlook Connector, and LAN means from the LAN only.",
    )(_list)
    group.command("show", help="Show the services of an account, and why.")(_show)
    group.command("suspend", help="Suspend accounts. Every service is denied to them until resumed.")(
        targeted(_suspend)
    )
    group.command("resume", help="Lift a suspension.")(targeted(_resume))
    group.command(
        "expire",
        help="Set the last day of accounts, or a moment.\n\nAfterwards every service that the store governs is denied to them.",
    )(targeted(_expire))
    return group


def _add(
    context: typer.Context,
    texts: _Addresses,
    template: Annotated[str | None, typer.Option("--template", metavar="NAME", help="the template to use")] = None,
    pop: Annotated[str | None, typer.Option("--pop", metavar="HOW", help=_ON_LAN_ONLY_OFF)] = None,
    imap: Annotated[str | None, typer.Option("--imap", metavar="HOW", help=_ON_LAN_ONLY_OFF)] = None,
    multipop: Annotated[str | None, typer.Option("--multipop", metavar="HOW", help="on or off")] = None,
    outlook_connector: Annotated[
        str | None, typer.Option("--outlook-connector", metavar="HOW", help="on or off")
    ] = None,
    smtp: Annotated[str | None, typer.Option("--smtp", metavar="HOW", help=_ON_LAN_ONLY_OFF)] = None,
    sieve: Annotated[str | None, typer.Option("--sieve", metavar="HOW", help=_ON_LAN_ONLY_OFF)] = None,
    login: Annotated[str | None, typer.Option("--login", metavar="LOGIN", help="login at the smart host")] = None,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.edit import accounts  # 2 ms, only for edits

    asked: dict[str, Scalar] = {}
    try:
        if template is not None:
            asked["template"] = names.template_name(template)
        asked |= _switches("pop", pop) | _switches("imap", imap) | _switches("multipop", multipop)
        asked |= _switches("outlook_connector", outlook_connector) | _switches("smtp", smtp) | _switches("sieve", sieve)
        if login is not None:
            asked["smart_host_login"] = names.login(login)
    except names.NameRejected as error:
        raise UsageError(str(error)) from None
    wanted = addresses(texts)
    return edit(context.obj, lambda policy: accounts.add(policy, wanted, asked), dry_run=dry_run, yes=True)


def _switches(key: str, how: str | None) -> dict[str, bool]:
    has_lan_switch = f"{key}_lan_only" in SWITCHES
    if how is None:
        return {}
    if how in ("on", "off"):
        return {key: how == "on"}
    if how == "lan-only" and has_lan_switch:
        return {key: True, f"{key}_lan_only": True}
    raise UsageError(
        f"--{key.replace('_', '-')} must be {_ON_LAN_ONLY_OFF if has_lan_switch else 'on or off'}, not {how!a}"
    )


def _remove(
    context: typer.Context,
    texts: _Addresses,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="succeed if an account does not exist")] = False,
    yes: YesRemove = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 6 ms, only for edits that take secrets along

    return edits.remove_accounts(context.obj, targets(texts), if_exists=if_exists, yes=yes, dry_run=dry_run)


def _rename(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="the address now", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="the new address", show_default=False)],
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 6 ms, only for edits that take secrets along

    return edits.rename_account(context.obj, address(old), address(new), dry_run=dry_run)


def _suspend(
    context: typer.Context,
    *,
    chosen: Selection,
    until: Annotated[str | None, typer.Option("--until", hidden=True)] = None,  # answered with what there is instead
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    if until is not None:
        raise UsageError(
            "--until: a suspension has no end; to close an account from a day on there is mailpolicy account expire, "
            "and to close one service until a day",
            fix=("mailpolicy", "imap", "off", *(chosen.addresses or ("TARGET...",)), "--until", until),
        )
    return _suspension(context, chosen, suspended=True, yes=yes, dry_run=dry_run)


def _resume(context: typer.Context, *, chosen: Selection, yes: Yes = False, dry_run: DryRun = False) -> int:
    return _suspension(context, chosen, suspended=False, yes=yes, dry_run=dry_run)


def _suspension(context: typer.Context, chosen: Selection, *, suspended: bool, yes: bool, dry_run: bool) -> int:
    from mailpolicy.edit import accounts  # 2 ms, only for edits

    plan = accounts.suspend if suspended else accounts.resume
    return edit(context.obj, lambda policy: plan(policy, chosen), addresses=chosen.addresses, dry_run=dry_run, yes=yes)


def _expire(
    context: typer.Context,
    *,
    last_day: Annotated[
        str | None, typer.Option("--last-day", metavar="DATE", help="the last day on which they can be used")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="WHEN", help="the moment: a date (its start) or a date-time")
    ] = None,
    never: Annotated[bool, typer.Option("--never", help="they do not expire")] = False,
    chosen: Selection,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.edit import accounts  # 2 ms, only for edits

    out: Output = context.obj
    if (last_day is not None) + (at is not None) + never != 1:
        raise UsageError("when do they expire? Use one of --last-day DATE, --at WHEN and --never")
    option = "--last-day" if last_day is not None else "--at"
    asked = when(option, last_day if last_day is not None else at)

    def planner(policy: Policy) -> Plan:
        end = None if asked is None else expiry(out, policy, option, asked, whole_day=last_day is not None)
        return accounts.expire(policy, chosen, end, out.now)

    return edit(out, planner, addresses=chosen.addresses, dry_run=dry_run, yes=yes)


def _list(
    context: typer.Context,
    domain: Domain = None,
    template: Annotated[
        str | None,
        typer.Option("--template", "--with-template", metavar="NAME", help="only accounts that use a template"),
    ] = None,
    suspended: Annotated[bool, typer.Option("--suspended", help="only suspended accounts")] = False,
    search: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="only addresses and logins with this text")
    ] = None,
) -> int:
    return views.list_accounts(context.obj, domain, template, suspended=suspended, search=search)


def _show(context: typer.Context, address_text: _Address) -> int:
    out: Output = context.obj
    return views.show_account(out, address(address_text))
