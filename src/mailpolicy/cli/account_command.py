"""Commands that edit the accounts which their arguments name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from mailpolicy.cli.editing import edit
from mailpolicy.cli.selection import targets
from mailpolicy.cli.selection_options import Addresses, Domain, DryRun, Everyone, SkipUnknown, WithTemplate, Yes
from mailpolicy.policy.model import Policy

if TYPE_CHECKING:
    from mailpolicy.edit.plan import Plan
    from mailpolicy.edit.selection import Selection


def account_command(plan: Callable[[Policy, Selection], Plan]) -> Callable[..., int]:
    """Return a command that carries out a plan for the accounts that its arguments name."""

    def command(
        context: typer.Context,
        target: Addresses = None,
        domain: Domain = None,
        with_template: WithTemplate = None,
        everyone: Everyone = False,
        skip_unknown: SkipUnknown = False,
        yes: Yes = False,
        dry_run: DryRun = False,
    ) -> int:
        chosen = targets(
            target, domain=domain, with_template=with_template, everyone=everyone, skip_unknown=skip_unknown
        )
        return edit(
            context.obj, lambda policy: plan(policy, chosen), addresses=chosen.addresses, dry_run=dry_run, yes=yes
        )

    return command
