"""The command network: manage named networks, which count as the LAN for the accounts that they are assigned to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailpolicy.cli import views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.editing import edit
from mailpolicy.cli.output import Output
from mailpolicy.cli.selection import entries
from mailpolicy.cli.selection_options import DryRun, Yes
from mailpolicy.cli.targeted import targeted
from mailpolicy.cli.when import end_asked, end_of
from mailpolicy.cli.when_options import UntilOption
from mailpolicy.diagnostics import dotted
from mailpolicy.edit import networks
from mailpolicy.edit.plan import Plan
from mailpolicy.edit.selection import Selection
from mailpolicy.errors import UsageError
from mailpolicy.policy import names
from mailpolicy.policy.account import EXTRA_LAN
from mailpolicy.policy.lookup import require_network
from mailpolicy.policy.model import Policy
from mailpolicy.store.store import Store

if TYPE_CHECKING:
    from mailpolicy.policy.dates import End

_Name = Annotated[str, typer.Argument(metavar="NAME", help="the network", show_default=False)]
_ENTRY = "CIDR, address, range a-b or 192.168.*.*"


def app() -> typer.Typer:
    """Build the command and its subcommands."""
    group = new_app(
        help="Manage named networks. For the accounts that have one, LAN only means the LAN or that network.",
        no_args_is_help=True,
    )
    group.command("add", help="Add a network, or entries to one that exists.")(_add)
    group.command("remove", help="Remove entries of a network, or a network that nobody uses.")(_remove)
    group.command("rename", help="Rename a network, also in the lists that name it.")(_rename)
    group.command("list", help="List the networks, and how many accounts have each.")(_list)
    group.command("show", help="Show one network and who uses it.")(_show)
    group.command("assign", help="Assign a network to accounts or a layer, beside others.")(
        _assignment("assign", networks.assign)
    )
    group.command("unassign", help="Take a network from accounts or a layer.")(
        _assignment("unassign", networks.unassign)
    )
    return group


def _checked(name: str) -> str:
    try:
        return names.network_name(name)
    except names.NameRejected as error:
        raise UsageError(str(error)) from None


def _add(
    context: typer.Context,
    name: _Name,
    texts: Annotated[
        list[str],
        typer.Argument(metavar="ENTRY...", help=f"{_ENTRY}; or - to read them from stdin", show_default=False),
    ],
    dry_run: DryRun = False,
) -> int:
    wanted, checked = _checked(name), entries(texts)
    return edit(context.obj, lambda policy: networks.add(policy, wanted, checked), dry_run=dry_run, yes=True)


def _remove(
    context: typer.Context,
    name: _Name,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[ENTRY...]", help="only these entries", show_default=False)
    ] = None,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="succeed if the network does not exist")] = False,
    dry_run: DryRun = False,
) -> int:
    wanted, checked = _checked(name), entries(texts or [])
    return edit(
        context.obj,
        lambda policy: networks.remove(policy, wanted, checked, if_exists=if_exists),
        dry_run=dry_run,
        yes=True,
    )


def _rename(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="the name now", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="the new name", show_default=False)],
    dry_run: DryRun = False,
) -> int:
    before, after = _checked(old), _checked(new)
    return edit(context.obj, lambda policy: networks.rename(policy, before, after), dry_run=dry_run, yes=True)


def _list(context: typer.Context) -> int:
    out: Output = context.obj
    store, policy = views.open_store(out)
    having = networks.accounts_with(policy)
    if out.context.format == "json":
        for name in policy.networks:
            out.json("network/1", _object(store, policy, name, having[name]))
        return 0
    rows = [
        (name, ", ".join(entry.text for entry in network.entries) or "empty", str(having[name]))
        for name, network in policy.networks.items()
    ]
    out.rows(("network", "entries", "accounts"), rows, of="network")
    return 0


def _show(context: typer.Context, name: _Name) -> int:
    out: Output = context.obj
    wanted = _checked(name)
    store, policy = views.open_store(out)
    require_network(policy, wanted, offer=False)
    users = networks.users_of(policy, wanted)
    if out.context.format == "json":
        having = networks.accounts_with(policy)[wanted]
        listed = [
            {"key": dotted((*user.path, EXTRA_LAN)), "line": store.line((*user.path, EXTRA_LAN))} for user in users
        ]
        out.json("network/1", {**_object(store, policy, wanted, having), "users": listed})
        return 0
    rows = [
        ("entry", entry.text, views.place(store, ("networks", wanted, entry.position)))
        for entry in policy.networks[wanted].entries
    ]
    rows += [("used by", user.title, views.place(store, (*user.path, EXTRA_LAN))) for user in users]
    out.rows(("network", wanted, "where"), rows)
    return 0


def _object(store: Store, policy: Policy, name: str, accounts: int) -> dict[str, Any]:
    network = policy.networks[name]
    return {
        "file": store.path,
        "name": name,
        "line": store.line(("networks", name)),
        "entries": [entry.text for entry in network.entries],
        "networks": [str(network) for network in network.addresses.networks()],
        "accounts": accounts,
    }


def _assignment(verb: str, plan: Callable[[Policy, str, Selection, End | None], Plan]) -> Callable[..., int]:
    def command(
        context: typer.Context,
        *,
        name: _Name,
        chosen: Selection,
        until: UntilOption = None,
        yes: Yes = False,
        dry_run: DryRun = False,
    ) -> int:
        out: Output = context.obj
        wanted = _checked(name)
        asked = end_asked(until, chosen, ("mailpolicy", "network", verb, wanted))
        return edit(
            out,
            lambda policy: plan(policy, wanted, chosen, end_of(out, policy, "--until", asked) if asked else None),
            addresses=chosen.addresses,
            dry_run=dry_run,
            yes=yes,
        )

    return targeted(command, layers=True)
