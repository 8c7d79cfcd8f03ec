"""The command account: add, change, list and show accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mailpolicy.cli import account_export, views
from mailpolicy.cli.account_options import Connector, Imap, Login, MultiPop, Pop, Sieve, Smtp, Template, settings
from mailpolicy.cli.app import new_app, with_formats
from mailpolicy.cli.editing import edit
from mailpolicy.cli.output import Output
from mailpolicy.cli.selection import address, addresses, targets
from mailpolicy.cli.selection_options import Domain, DryRun, Yes, YesRemove
from mailpolicy.cli.targeted import targeted
from mailpolicy.cli.when import expiry, when
from mailpolicy.edit.selection import Selection
from mailpolicy.errors import UsageError
from mailpolicy.policy.model import Policy

if TYPE_CHECKING:
    from mailpolicy.edit.plan import Plan

_Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="the account", show_default=False)]
_Addresses = Annotated[
    list[str], typer.Argument(metavar="ADDRESS...", help="addresses, or - to read them from stdin", show_default=False)
]


def app() -> typer.Typer:
    """Build the command and its subcommands."""
    group = new_app(help="Add, remove, rename, list, show, suspend and resume accounts.", no_args_is_help=True)
    group.command("add", help="Add accounts. An account that already exists with the same settings is not an error.")(
        _add
    )
    group.command(
        "set",
        help="Change settings of accounts that exist, several at once.\n\n"
        "Settings that are not named stay as they are. For one service there are shorter commands: pop off, imap lan-only.",
    )(targeted(_set))
    group.command(
        "copy",
        help="Add accounts with the settings of another.\n\n"
        "Template, services and networks are copied; suspension, dates, login, sources and passwords are not, and a "
        "message names the rest.",
    )(_copy)
    group.command(
        "export",
        help="Write all accounts in a form that apply reads.\n\n"
        "Applied to a store with the same server, networks, templates and defaults, it gives the same policy. CSV has no "
        "exceptions and no sources. Passwords are never written.",
    )(with_formats(_export, *account_export.FORMATS))
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
    template: Template = None,
    pop: Pop = None,
    imap: Imap = None,
    multipop: MultiPop = None,
    outlook_connector: Connector = None,
    smtp: Smtp = None,
    sieve: Sieve = None,
    login: Login = None,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.edit import accounts  # 2 ms, only for edits

    switches = {"pop": pop, "imap": imap, "multipop": multipop, "outlook_connector": outlook_connector}
    asked = settings(template, login, {**switches, "smtp": smtp, "sieve": sieve})
    wanted = addresses(texts)
    return edit(context.obj, lambda policy: accounts.add(policy, wanted, asked), dry_run=dry_run, yes=True)


def _set(
    context: typer.Context,
    *,
    chosen: Selection,
    template: Template = None,
    pop: Pop = None,
    imap: Imap = None,
    multipop: MultiPop = None,
    outlook_connector: Connector = None,
    smtp: Smtp = None,
    sieve: Sieve = None,
    login: Login = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.edit import desired  # 5 ms, only for edits

    switches = {"pop": pop, "imap": imap, "multipop": multipop, "outlook_connector": outlook_connector}
    asked = settings(template, login, {**switches, "smtp": smtp, "sieve": sieve})
    if not asked:
        raise UsageError("nothing to set: name a setting, such as --pop on or --template NAME")
    return edit(
        context.obj,
        lambda policy: desired.change(policy, chosen, asked),
        addresses=chosen.addresses,
        dry_run=dry_run,
        yes=yes,
    )


def _copy(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SRC", help="the account to copy", show_default=False)],
    new: Annotated[
        list[str], typer.Argument(metavar="NEW...", help="addresses, or - to read them from stdin", show_default=False)
    ],
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.edit import accounts  # 2 ms, only for edits

    copied, wanted = address(source), addresses(new)
    return edit(
        context.obj,
        lambda policy: accounts.copy(policy, copied, wanted),
        addresses=(copied, *wanted),
        dry_run=dry_run,
        yes=True,
    )


def _export(
    context: typer.Context,
    domain: Domain = None,
    effective: Annotated[
        bool, typer.Option("--effective", help="the settings in force, whichever layer they come from")
    ] = False,
) -> int:
    return account_export.write(context.obj, domain, effective=effective)


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
