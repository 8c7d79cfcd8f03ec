"""Carry out a verb of a service, however its command line was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailpolicy.cli.editing import edit
from mailpolicy.cli.output import Output
from mailpolicy.cli.when import end_asked, end_of
from mailpolicy.edit.selection import Selection
from mailpolicy.edit.services import Verb, switch
from mailpolicy.errors import UsageError
from mailpolicy.policy.service import Service

if TYPE_CHECKING:
    from mailpolicy.policy.when import When


def switch_service(
    out: Output,
    service: Service,
    verb: Verb,
    chosen: Selection,
    reach: Verb | None = None,
    *,
    until: str | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Carry out one verb of a service, for accounts or for a layer. Raises what a command raises.

    `reach` is the verb for the LAN restriction that goes with `on`.
    """
    asked = _exception(service, verb, chosen, until)
    return edit(
        out,
        lambda policy: switch(
            policy, service, verb, chosen, reach, end_of(out, policy, "--until", asked) if asked is not None else None
        ),
        addresses=chosen.addresses,
        dry_run=dry_run,
        yes=yes,
    )


def _exception(service: Service, verb: Verb, chosen: Selection, until: str | None) -> When | None:
    """Return the end of an exception, if one was asked for. Raises UsageError if there can be none."""
    if until is not None and verb is Verb.INHERIT:
        accounts = chosen.addresses or ("TARGET...",)
        raise UsageError("--until: inherit ends no exception", fix=("mailpolicy", "temporary", "end", *accounts))
    return end_asked(until, chosen, ("mailpolicy", str(service), verb.value))
