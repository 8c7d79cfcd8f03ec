"""The command who: list the accounts that can use a service, and from where."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli import views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.output import Output
from mailpolicy.cli.when import AtOption, when
from mailpolicy.errors import UsageError
from mailpolicy.policy.exposure import exposed
from mailpolicy.policy.lan import EntryRejected, region
from mailpolicy.policy.names import counted
from mailpolicy.policy.networks import ANYWHERE, describe
from mailpolicy.policy.question import service_named
from mailpolicy.policy.service import Service


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="List the accounts that can use a service, and from where.\n\n"
        f"Protocols: {', '.join(Service)}. Exit status: 0, even if no account can."
    )(_who)
    return command


def _who(
    context: typer.Context,
    protocol: Annotated[str, typer.Argument(metavar="PROTOCOL", help="the service", show_default=False)],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="IP|NETWORK", help="only accounts admitted from there, or a part of it"),
    ] = None,
    outside_lan: Annotated[
        bool, typer.Option("--outside-lan", help="only accounts admitted from outside the LAN")
    ] = False,
    at: AtOption = None,
) -> int:
    out: Output = context.obj
    moment = when("--at", at)
    service = service_named(protocol)
    if outside_lan and service.facts.connects_out:
        raise UsageError(f"--outside-lan does not apply to {service.label}: the server connects out")
    try:
        asked = region(source) if source is not None else ANYWHERE
    except EntryRejected as error:
        raise UsageError(f"--from: {error}") from None
    if service.facts.connects_out:
        asked = ANYWHERE  # as in check, an address must be well-formed but has no effect
    store, policy = views.open_store(out, at=moment)
    if outside_lan:
        asked = asked - policy.server.lan
    found = list(exposed(policy, service, asked))
    lan = policy.server.lan
    if out.context.format == "json":
        for exposure in found:
            out.json(
                "who/1",
                {
                    "file": store.path,
                    "address": exposure.address,
                    "protocol": str(service),
                    "admitted": describe(exposure.admitted, lan),
                    "networks": [str(network) for network in exposure.matching.networks()],
                },
            )
        return 0
    rows = [[exposure.address, str(service), describe(exposure.admitted, lan)] for exposure in found]
    columns = ["account", "service", "admitted from"]
    if source is not None:
        columns.append("from the range asked")
        for row, exposure in zip(rows, found, strict=True):
            row.append("all" if exposure.matching == asked else str(exposure.matching))
    out.rows(columns, rows, of="account")
    out.message(_count(len(found), len(policy.accounts), service, source, outside_lan=outside_lan))
    return 0


def _count(found: int, known: int, service: Service, source: str | None, *, outside_lan: bool) -> str:
    places = [f"from {source}"] if source is not None else []
    places += ["from outside the LAN"] if outside_lan else []
    return " ".join([f"{found} of {counted(known, 'account')} can use {service.label}", *places])
