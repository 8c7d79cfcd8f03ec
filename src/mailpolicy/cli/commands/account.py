"""account: the accounts of the store, one by one and together."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli import views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.editing import edit
from mailpolicy.cli.output import Output
from mailpolicy.cli.selection import (
    Addresses,
    Domain,
    DryRun,
    Everyone,
    SkipUnknown,
    WithTemplate,
    Yes,
    YesRemove,
    address,
    addresses,
    targets,
)
from mailpolicy.edit.operations import Scalar
from mailpolicy.errors import UsageError
from mailpolicy.policy import names
from mailpolicy.policy.service import SWITCHES

_Address = Annotated[str, typer.Argument(metavar="ADDRESS", show_default=False)]
_Several = Annotated[
    list[str], typer.Argument(metavar="ADDRESS...", help="addresses, or - to read them from stdin", show_default=False)
]
_Reach = "on, lan-only or off"


def app() -> typer.Typer:
    """The commands about accounts."""
    group = new_app(help="Add, remove, rename, list, show, suspend and resume accounts.", no_args_is_help=True)
    group.command("add", help="add accounts; the same one again is no error")(_add)
    group.command("remove", help="remove accounts, their comments and their passwords")(_remove)
    group.command("rename", help="give an account another address, and its password with it")(_rename)
    group.command("list", help="list accounts and what they may use")(_list)
    group.command("show", help="show the Mail Services of one account, and which key decided")(_show)
    group.command("suspend", help="close POP, IMAP, MultiPOP and Outlook Connector for accounts")(_suspend)
    group.command("resume", help="lift a suspension")(_resume)
    return group


def _add(
    context: typer.Context,
    several: _Several,
    template: Annotated[str | None, typer.Option("--template", metavar="NAME", help="the template they use")] = None,
    pop: Annotated[str | None, typer.Option("--pop", metavar="HOW", help=_Reach)] = None,
    imap: Annotated[str | None, typer.Option("--imap", metavar="HOW", help=_Reach)] = None,
    multipop: Annotated[str | None, typer.Option("--multipop", metavar="HOW", help="on or off")] = None,
    outlook_connector: Annotated[
        str | None, typer.Option("--outlook-connector", metavar="HOW", help="on or off")
    ] = None,
    login: Annotated[str | None, typer.Option("--login", metavar="LOGIN", help="their login at the smart host")] = None,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.edit import accounts  # 2 ms, only for edits

    asked: dict[str, Scalar] = {}
    try:
        if template is not None:
            asked["template"] = names.template_name(template)
        asked |= _switches("pop", pop) | _switches("imap", imap) | _switches("multipop", multipop)
        asked |= _switches("outlook_connector", outlook_connector)
        if login is not None:
            asked["smart_host_login"] = names.login(login)
    except names.NameRejected as error:
        raise UsageError(str(error)) from None
    wanted = addresses(several)
    return edit(context, lambda policy: accounts.add(policy, wanted, asked), dry_run=dry_run, yes=True)


def _switches(key: str, how: str | None) -> dict[str, bool]:
    confined = f"{key}_lan_only" in SWITCHES
    if how is None:
        return {}
    if how in ("on", "off"):
        return {key: how == "on"}
    if how == "lan-only" and confined:
        return {key: True, f"{key}_lan_only": True}
    raise UsageError(f"--{key.replace('_', '-')} is {_Reach if confined else 'on or off'}, not {how!a}")


def _remove(
    context: typer.Context,
    several: _Several,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="an account that is not there is ok")] = False,
    yes: YesRemove = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 6 ms, only for edits that take secrets along

    return edits.remove_accounts(context.obj, targets(several), if_exists=if_exists, yes=yes, dry_run=dry_run)


def _rename(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", show_default=False)],
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli.secrets import edits  # 6 ms, only for edits that take secrets along

    return edits.rename_account(context.obj, address(old), address(new), dry_run=dry_run)


def _suspend(
    context: typer.Context,
    target: Addresses = None,
    domain: Domain = None,
    with_template: WithTemplate = None,
    everyone: Everyone = False,
    skip_unknown: SkipUnknown = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.edit import accounts  # 2 ms, only for edits

    chosen = targets(target, domain=domain, with_template=with_template, everyone=everyone, skip_unknown=skip_unknown)
    return edit(
        context, lambda policy: accounts.suspend(policy, chosen), about=chosen.addresses, dry_run=dry_run, yes=yes
    )


def _resume(
    context: typer.Context,
    target: Addresses = None,
    domain: Domain = None,
    with_template: WithTemplate = None,
    everyone: Everyone = False,
    skip_unknown: SkipUnknown = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.edit import accounts  # 2 ms, only for edits

    chosen = targets(target, domain=domain, with_template=with_template, everyone=everyone, skip_unknown=skip_unknown)
    return edit(
        context, lambda policy: accounts.resume(policy, chosen), about=chosen.addresses, dry_run=dry_run, yes=yes
    )


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
