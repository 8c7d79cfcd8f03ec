"""The command who: list the accounts that can use a service, and from where."""

from __future__ import annotations

from typing import Annotated

import typer

from mailpolicy.cli import views
from mailpolicy.cli.app import new_app
from mailpolicy.cli.output import Output
from mailpolicy.cli.when import when
from mailpolicy.cli.when_options import AtOption
from mailpolicy.errors import UsageError
from mailpolicy.policy.exposure import exposures
from mailpolicy.policy.lan import EntryRejected, region
from mailpolicy.policy.names import counted
from mailpolicy.policy.networks import ANYWHERE
from mailpolicy.policy.question import require_governed, service_named
from mailpolicy.policy.service import Service


def app() -> typer.Typer:
    """Build the command."""
    command = new_app()
    command.command(
        help="List the accounts that can use a service, and from where.\n\n"
        f"Protocols: {', '.join(Service)}. Without one, every service of every account is listed, also if nobody is "
        "admitted; with --from or --outside-lan only those admitted from there. Exit status: 0, even if no account can."
    )(_who)
    return command


def _who(
    context: typer.Context,
    protocol: Annotated[
        str | None, typer.Argument(metavar="PROTOCOL", help="the service; default: all", show_default=False)
    ] = None,
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
    service = service_named(protocol) if protocol is not None else None
    if service is not None and outside_lan and service.facts.connects_out:
        raise UsageError(f"--outside-lan does not apply to {service.label}: the server connects out")
    try:
        asked = region(source) if source is not None else ANYWHERE
    except EntryRejected as error:
        raise UsageError(f"--from: {error}") from None
    store, policy = views.open_store(out, at=moment)
    if service is not None:
        require_governed(policy, service)
    if outside_lan:
        asked = asked - policy.server.lan
    # As in check, an address must be well-formed but has no effect if the server connects out.
    regions = {
        each: ANYWHERE if each.facts.connects_out else asked
        for each in ((service,) if service is not None else policy.services)
        if not (outside_lan and each.facts.connects_out)
    }
    everything = service is None and source is None and not outside_lan
    found = [exposure for exposure in exposures(policy, regions) if exposure.matching or everything]
    if out.context.format == "json":
        for exposure in found:
            out.json(
                "who/1",
                {
                    "file": store.path,
                    "address": exposure.address,
                    "protocol": str(exposure.service),
                    "admitted": exposure.admitted_by,
                    "networks": [str(network) for network in exposure.matching.networks()],
                },
            )
        return 0
    rows = [[exposure.address, str(exposure.service), exposure.admitted_by] for exposure in found]
    columns = ["account", "service", "admitted from"]
    if source is not None:
        columns.append("from the range asked")
        for row, exposure in zip(rows, found, strict=True):
            whole = exposure.matching == regions[exposure.service]
            row.append("all" if whole else str(exposure.matching))
    out.rows(columns, rows, of="account")
    places = [f"from {source}"] if source is not None else []
    places += ["from outside the LAN"] if outside_lan else []
    able = len({exposure.address for exposure in found if exposure.matching})
    used = service.label if service is not None else "some service"
    out.message(" ".join([f"{able} of {counted(len(policy.accounts), 'account')} can use {used}", *places]))
    return 0
