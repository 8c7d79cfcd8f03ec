"""The options --at, a moment for which a question is asked instead of now, and --until, the end of an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailpolicy.cli.context import Description
from mailpolicy.cli.output import Output
from mailpolicy.errors import Command, UsageError
from mailpolicy.policy.model import Policy

if TYPE_CHECKING:
    from datetime import datetime

    from mailpolicy.edit.selection import Selection
    from mailpolicy.policy.dates import End
    from mailpolicy.policy.when import When

AT: Description = ("WHEN", "as it will be, or was, then: 2026-12-31, or a date-time")


def when(option: str, text: str | None, *, ahead: bool = False) -> When | None:
    """Parse the value of an option, before the store is read. Raises UsageError."""
    if text is None:
        return None
    from mailpolicy.policy.when import DateRejected, parse  # 2 ms, only if a moment is given

    try:
        return parse(text, ahead=ahead)
    except DateRejected as error:
        raise UsageError(f"{option}: {error}") from None


def moment_of(out: Output, policy: Policy, option: str, asked: When) -> datetime:
    """Return the moment that was asked for, in the time zone of the policy. Raises UsageError."""
    from mailpolicy.policy.when import DateRejected
    from mailpolicy.system.zones import zone

    try:
        return asked.moment(out.now(), zone(policy.server.time_zone))
    except DateRejected as error:
        raise UsageError(f"{option}: {error}") from None


def end_asked(text: str | None, chosen: Selection, command: Command) -> When | None:
    """Parse --until of a command that writes exceptions. Raises UsageError, also if a layer is chosen."""
    if text is not None and chosen.layer is not None:
        raise UsageError("--until: only accounts have exceptions", fix=(*command, "TARGET...", "--until", text))
    return when("--until", text, ahead=True)


def end_of(out: Output, policy: Policy, option: str, asked: When) -> End:
    """Return the end that was asked for, in the time zone of the policy. Raises UsageError if it has passed."""
    from mailpolicy.policy import dates
    from mailpolicy.policy.when import DateRejected
    from mailpolicy.system.zones import zone

    try:
        there = zone(policy.server.time_zone)
        end = dates.end(asked.value(out.now(), there), there)
    except DateRejected as error:
        raise UsageError(f"{option}: {error}") from None
    if end.is_over(out.now()):
        raise UsageError(f"{option}: {end} has passed")
    return end


def expiry(out: Output, policy: Policy, option: str, asked: When, *, whole_day: bool) -> End:
    """Return the end that was asked for: after a whole day, or at a moment. Raises UsageError."""
    from datetime import datetime

    from mailpolicy.policy import dates
    from mailpolicy.policy.when import DateRejected
    from mailpolicy.system.zones import zone

    there = zone(policy.server.time_zone)
    try:
        if not whole_day:
            moment, value = asked.moment(out.now(), there), asked.value(out.now(), there)
            return dates.end(value if isinstance(value, datetime) else moment, there)
        end = dates.end(asked.value(out.now(), there), there)
    except DateRejected as error:
        raise UsageError(f"{option}: {error}") from None
    if end.is_instant:
        raise UsageError(f"{option}: {end} is a moment; a last day is a date, and for a moment there is --at")
    return end


def as_of(out: Output, policy: Policy, asked: When | None) -> Policy:
    """Return the policy as it is at the moment of --at, or now. Raises UsageError."""
    if asked is None:
        return policy.at_present(out.now)
    return policy.at(moment_of(out, policy, "--at", asked)) if policy.dated else policy
