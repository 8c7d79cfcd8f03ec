"""Parse the dates and moments of a command line."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo

from mailpolicy.policy.dates import Day, day

_WHEN = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:[Tt ](?P<time>\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?P<offset>[Zz]|[+-]\d\d:\d\d)?)?"
)
_AHEAD = re.compile(r"\+(\d{1,6})([dh])")


class DateRejected(ValueError):
    """A text that names no date; the message says what to write."""


def parse(given: str) -> Day:
    """Return the date, or the date-time with an offset, that a text names. Raises DateRejected."""
    match = _WHEN.fullmatch(given)
    if match is None:
        raise DateRejected(f"{given[:60]!a} is not a date: write 2026-12-31, or 2026-12-31T18:00:00+01:00")
    if match["time"] is not None and match["offset"] is None:
        raise DateRejected(f"{given} has no offset from UTC: write {given}Z, or {given}+01:00 for one hour ahead of it")
    try:
        if match["time"] is None:
            return date.fromisoformat(given)
        return datetime.fromisoformat(given.upper())
    except ValueError as error:
        raise DateRejected(f"{given} does not exist: {error}") from None


def parse_ahead(given: str, now: datetime, zone: tzinfo) -> Day | None:
    """Return the date that `+3d` means, or the instant that `+12h` means, cut to the minute; None for any other text.

    Raises DateRejected if it lies behind the last year.
    """
    match = _AHEAD.fullmatch(given)
    if match is None:
        return None
    count = int(match[1])
    try:
        if match[2] == "d":
            return day(now, zone) + timedelta(days=count)
        return (now + timedelta(hours=count)).astimezone(zone).replace(second=0, microsecond=0)
    except OverflowError:
        raise DateRejected(f"{given} lies behind the year 9999") from None
