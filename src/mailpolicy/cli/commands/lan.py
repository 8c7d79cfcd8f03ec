"""The command lan: list and change the networks that count as the LAN."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli import views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.editing import edit
from mailpolicy.cli.output import Output
from mailpolicy.cli.selection import entries
from mailpolicy.cli.selection_options import DryRun
from mailpolicy.edit import lan
from mailpolicy.policy.lan import is_reserved

_ENTRY = "CIDR, address, range a-b or 192.168.*.*"
_Networks = Annotated[
    list[str],
    typer.Argument(metavar="NETWORK...", help=f"{_ENTRY}; or - to read them from stdin", show_default=False),
]


def app() -> typer.Typer:
    """Build the command and its subcommands."""
    group = new_app(help="List, add, import, remove and reset the networks of the LAN.", no_args_is_help=True)
    group.command("list", help="List the entries and their networks.")(_list)
    group.command("add", help="Add networks.")(_add)
    group.command(
        "import",
        help="Add the networks that a file lists.\n\nOne a line, as MDaemon writes its LAN IPs. "
        "Lines that begin with # or ; are comments. The file is in UTF-8, UTF-16 or Windows-1252.",
    )(_import)
    group.command("remove", help="Remove networks.")(_remove)
    group.command("reset", help="Set the LAN to the reserved private ranges.")(_reset)
    return group


def _list(context: typer.Context) -> int:
    out: Output = context.obj
    store, policy = views.open_store(out, [])
    rows = []
    for index, entry in enumerate(policy.server.lan_entries):
        networks = [str(network) for network in entry.networks]
        reserved = is_reserved(entry.networks)
        if out.context.format == "json":
            line = store.line(("server", "lan", index))
            out.json(
                "lan/1",
                {"file": store.path, "entry": entry.text, "networks": networks, "reserved": reserved, "line": line},
            )
        rows.append((entry.text, ", ".join(networks), "reserved" if reserved else "public"))
    if out.context.format != "json":
        out.rows(("entry", "networks", "range"), rows)
        if not rows:
            out.message("the LAN is empty: services restricted to the LAN admit nobody")
    return 0


def _add(context: typer.Context, networks: _Networks, dry_run: DryRun = False) -> int:
    texts = entries(networks)
    return edit(context.obj, lambda policy: lan.add(policy, texts), dry_run=dry_run, yes=True)


def _import(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="the file, or - for stdin", show_default=False)],
    dry_run: DryRun = False,
) -> int:
    from mailpolicy.cli import provisioning  # 5 ms, only for a file
    from mailpolicy.provisioning.mdaemon import lan_patterns

    texts = lan_patterns(file, provisioning.content_of(file))
    return edit(context.obj, lambda policy: lan.add(policy, texts), dry_run=dry_run, yes=True)


def _remove(context: typer.Context, networks: _Networks, dry_run: DryRun = False) -> int:
    texts = entries(networks)
    return edit(context.obj, lambda policy: lan.remove(policy, texts), dry_run=dry_run, yes=True)


def _reset(context: typer.Context, dry_run: DryRun = False) -> int:
    return edit(context.obj, lan.reset, dry_run=dry_run, yes=True)
