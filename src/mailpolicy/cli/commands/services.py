"""pop, imap, multipop and outlook-connector: one verb each for what the Mail Services page has as a check box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from mailpolicy.cli.app import new_app
from mailpolicy.cli.editing import edit
from mailpolicy.cli.selection import (
    Addresses,
    Domain,
    DryRun,
    Everyone,
    InDefaults,
    InTemplate,
    SkipUnknown,
    WithTemplate,
    Yes,
    targets,
)
from mailpolicy.edit.selection import Selection
from mailpolicy.edit.services import Verb, switch
from mailpolicy.errors import UsageError
from mailpolicy.policy.service import BY_NAME, Service

_HELP = {
    Verb.ON: "enable {0}",
    Verb.OFF: "disable {0}",
    Verb.LAN_ONLY: "allow {0} from the LAN only (does not enable it)",
    Verb.ANYWHERE: "allow {0} from anywhere (does not enable it)",
    Verb.INHERIT: "remove the setting: template or defaults apply",
}
_LanOnly = Annotated[bool, typer.Option("--lan-only", help="and from the LAN only, in the same step")]
_Anywhere = Annotated[bool, typer.Option("--anywhere", help="and from anywhere, in the same step")]


def app(name: str) -> typer.Typer:
    """The commands of one service."""
    service = BY_NAME[name]
    group = new_app(help=f"Switch {service.label} for accounts, a template or the defaults.", no_args_is_help=True)
    confined = service.own_lan_switch is not None
    for verb in Verb:
        if verb in (Verb.LAN_ONLY, Verb.ANYWHERE) and not confined:
            group.command(verb.value, hidden=True, context_settings={"ignore_unknown_options": True})(
                _refusal(service, verb)
            )
        else:
            unchanged = " (LAN restriction unchanged)" if confined and verb in (Verb.ON, Verb.OFF) else ""
            help_text = _HELP[verb].format(service.label) + unchanged
            group.command(verb.value, help=help_text)(
                _on(service) if verb is Verb.ON and confined else _plain(service, verb)
            )
    if service is Service.MULTIPOP:
        from mailpolicy.cli.commands import sources  # 2 ms, only for multipop

        group.add_typer(sources.app(), name="source")
    return group


def _edit(
    context: typer.Context,
    service: Service,
    verb: Verb,
    chosen: Selection,
    reach: Verb | None = None,
    *,
    dry_run: bool,
    yes: bool,
) -> int:
    return edit(
        context,
        lambda policy: switch(policy, service, verb, chosen, reach),
        about=chosen.addresses,
        dry_run=dry_run,
        yes=yes,
    )


def _plain(service: Service, verb: Verb) -> Callable[..., int]:
    def command(
        context: typer.Context,
        target: Addresses = None,
        domain: Domain = None,
        with_template: WithTemplate = None,
        everyone: Everyone = False,
        in_template: InTemplate = None,
        in_defaults: InDefaults = False,
        skip_unknown: SkipUnknown = False,
        yes: Yes = False,
        dry_run: DryRun = False,
    ) -> int:
        chosen = targets(
            target,
            domain=domain,
            with_template=with_template,
            everyone=everyone,
            in_template=in_template,
            in_defaults=in_defaults,
            skip_unknown=skip_unknown,
        )
        return _edit(context, service, verb, chosen, dry_run=dry_run, yes=yes)

    return command


def _on(service: Service) -> Callable[..., int]:
    def command(
        context: typer.Context,
        target: Addresses = None,
        lan_only: _LanOnly = False,
        anywhere: _Anywhere = False,
        domain: Domain = None,
        with_template: WithTemplate = None,
        everyone: Everyone = False,
        in_template: InTemplate = None,
        in_defaults: InDefaults = False,
        skip_unknown: SkipUnknown = False,
        yes: Yes = False,
        dry_run: DryRun = False,
    ) -> int:
        if lan_only and anywhere:
            raise UsageError("--lan-only and --anywhere exclude each other")
        reach = Verb.LAN_ONLY if lan_only else Verb.ANYWHERE if anywhere else None
        chosen = targets(
            target,
            domain=domain,
            with_template=with_template,
            everyone=everyone,
            in_template=in_template,
            in_defaults=in_defaults,
            skip_unknown=skip_unknown,
        )
        return _edit(context, service, Verb.ON, chosen, reach, dry_run=dry_run, yes=yes)

    return command


def _refusal(service: Service, verb: Verb) -> Callable[..., int]:
    def command(target: Annotated[list[str] | None, typer.Argument()] = None) -> int:
        if service is Service.CONNECTOR:
            raise UsageError(
                "Outlook Connector uses IMAP: restrict it with IMAP's setting",
                fix=("mailpolicy", "imap", verb.value, *(target or ["TARGET..."])),
            )
        raise UsageError("MultiPOP has no LAN restriction (the server connects out): use on or off")

    return command
