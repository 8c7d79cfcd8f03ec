"""The commands pop, imap, multipop, outlook-connector, smtp and sieve: one verb for each check box of the Mail Services page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.selection_options import DryRun, Yes
from mailpolicy.cli.switching import switch_service
from mailpolicy.cli.targeted import targeted
from mailpolicy.cli.when_options import UntilOption
from mailpolicy.edit.selection import Selection
from mailpolicy.edit.services import Verb
from mailpolicy.errors import UsageError
from mailpolicy.policy.service import BY_NAME, Service

_HELP = {
    Verb.ON: "Switch {0} on.",
    Verb.OFF: "Switch {0} off.",
    Verb.LAN_ONLY: "Restrict {0} to the LAN. Does not switch {0} on.",
    Verb.ANYWHERE: "Lift the LAN restriction. Does not switch {0} on.",
    Verb.INHERIT: "Remove the {0} setting. The template or the defaults apply then; if neither sets it, {0} is off.",
}
_LanOnly = Annotated[bool, typer.Option("--lan-only", help="and restrict it to the LAN")]
_Anywhere = Annotated[bool, typer.Option("--anywhere", help="and lift the LAN restriction")]


def app(name: str) -> typer.Typer:
    """Build the command of one service and its subcommands."""
    service = BY_NAME[name]
    group = new_app(help=f"Switch {service.label} for accounts, a template or the defaults.", no_args_is_help=True)
    has_lan_switch = service.own_lan_switch is not None
    for verb in Verb:
        if verb in (Verb.LAN_ONLY, Verb.ANYWHERE) and not has_lan_switch:
            group.command(verb.value, hidden=True, context_settings={"ignore_unknown_options": True})(
                _refusal(service, verb)
            )
        else:
            unchanged = " The LAN restriction stays as it is." if has_lan_switch and verb in (Verb.ON, Verb.OFF) else ""
            help_text = _HELP[verb].format(service.label) + unchanged
            group.command(verb.value, help=help_text)(
                _on(service) if verb is Verb.ON and has_lan_switch else _plain(service, verb)
            )
    if service is Service.MULTIPOP:
        from mailpolicy.cli.commands import sources  # 2 ms, only for multipop

        group.add_typer(sources.app(), name="source")
    return group


def _plain(service: Service, verb: Verb) -> Callable[..., int]:
    def command(
        context: typer.Context,
        *,
        chosen: Selection,
        until: UntilOption = None,
        yes: Yes = False,
        dry_run: DryRun = False,
    ) -> int:
        return switch_service(context.obj, service, verb, chosen, until=until, dry_run=dry_run, yes=yes)

    return targeted(command, layers=True)


def _on(service: Service) -> Callable[..., int]:
    def command(
        context: typer.Context,
        *,
        lan_only: _LanOnly = False,
        anywhere: _Anywhere = False,
        chosen: Selection,
        until: UntilOption = None,
        yes: Yes = False,
        dry_run: DryRun = False,
    ) -> int:
        if lan_only and anywhere:
            raise UsageError("--lan-only and --anywhere cannot be combined")
        reach = Verb.LAN_ONLY if lan_only else Verb.ANYWHERE if anywhere else None
        return switch_service(context.obj, service, Verb.ON, chosen, reach, until=until, dry_run=dry_run, yes=yes)

    return targeted(command, layers=True)


def _refusal(service: Service, verb: Verb) -> Callable[..., int]:
    def command(target: Annotated[list[str] | None, typer.Argument()] = None) -> int:
        if service is Service.CONNECTOR:
            raise UsageError(
                "Outlook Connector uses IMAP: restrict it with IMAP's setting",
                fix=("mailpolicy", "imap", verb.value, *(target or ["TARGET..."])),
            )
        raise UsageError("MultiPOP has no LAN restriction (the server connects out): use on or off")

    return command
