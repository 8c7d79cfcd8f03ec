"""Turn the dates of accounts and their exceptions into policy, with a problem for each that cannot be one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from mailpolicy.diagnostics import KeyPath, Problem
from mailpolicy.policy.account import Temporary

if TYPE_CHECKING:
    from datetime import tzinfo

    from mailpolicy.policy.dates import End

ZoneOf = Callable[[], "tzinfo"]


def zone_of_server(name: Any, problems: list[Problem]) -> ZoneOf:
    """Return the function that gives the server's time zone; an unknown one is a problem, and stands for UTC."""
    if type(name) is str:
        from mailpolicy.system import zones  # here and below only for a store with a time zone or dates

        try:
            zones.require(name)
        except zones.ZoneUnknown as error:
            problems.append(Problem("MP071", ("server", "time_zone"), str(error)))
            name = None

    def zone() -> tzinfo:
        from mailpolicy.system import zones

        return zones.zone(name if type(name) is str else "UTC")

    return cache(zone)


def end_of(value: Any, path: KeyPath, zone: ZoneOf, problems: list[Problem]) -> End | None:
    """Return the end that a value of the right type means, or None with a problem if it has no offset."""
    from mailpolicy.policy import dates  # 1 ms, only for a store with dates

    if getattr(value, "tzinfo", value) is None:  # a date has none; of a date-time without an offset it is None
        stated = dates.text(value.replace(tzinfo=zone()))
        message = f"{path[-1]} has no offset from UTC, so it is no moment: write {stated}"
        problems.append(Problem("MP070", path, message))
        return None
    return dates.end(value, zone())


def temporary_of(
    table: Mapping[str, Any], entries: Mapping[str, Any], path: KeyPath, zone: ZoneOf, problems: list[Problem]
) -> Temporary | None:
    """Return the exception of a table's valid entries, or None with a problem if it has no end."""
    if "until" not in table:
        message = (
            "the exception has no end: write `until = 2026-12-31`, its last day, or move its switches to the account"
        )
        problems.append(Problem("MP072", path, message))
    until = end_of(entries["until"], (*path, "until"), zone, problems) if "until" in entries else None
    if until is None:
        return None
    return Temporary(until, {key: value for key, value in entries.items() if key != "until"})
