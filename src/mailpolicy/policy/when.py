"""Parse the days and moments of a command line."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from mailpolicy.policy.dates import Day, instant

_WRITTEN = re.compile(
    r"\d{4}-\d\d-\d\d(?:[Tt ](?P<time>\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(?P<offset>[Zz]|[+-]\d\d:\d\d)?)?", re.ASCII
)
_AHEAD = re.compile(r"\+(\d{1,18})([dh])", re.ASCII)


class DateRejected(ValueError):
    """A text that names no day or moment; the message says what to write."""


class When(NamedTuple):
    """A day or a moment as it was given: written out, or as days or hours from now, which take a clock and a time zone."""

    text: str
    written: Day | None = None
    days: int | None = None
    hours: int = 0

    def value(self, now: datetime, zone: tzinfo) -> Day:
        """Return the day, or the moment in `zone` cut to the minute. Raises DateRejected behind the last year."""
        if self.written is not None:
            return self.written
        try:
            if self.days is not None:
                return now.astimezone(zone).date() + timedelta(days=self.days)
            return (now + timedelta(hours=self.hours)).astimezone(zone).replace(second=0, microsecond=0)
        except OverflowError:
            raise DateRejected(f"{self.text} is later than the year 9999") from None

    def moment(self, now: datetime, zone: tzinfo) -> datetime:
        """Return the moment, of a day its first one. Raises DateRejected behind the last year."""
        found = instant(self.value(now, zone), zone)
        if found is None:
            raise DateRejected(f"{self.text} is later than the year 9999")
        return found


def parse(text: str, *, ahead: bool = False) -> When:
    """Return the day or moment that a text names; with `ahead`, `+3d` and `+12h` too. Raises DateRejected."""
    if text == "today":
        return When(text, days=0)
    if ahead and (match := _AHEAD.fullmatch(text)) is not None:
        count = int(match[1])
        return When(text, days=count) if match[2] == "d" else When(text, hours=count)
    match = _WRITTEN.fullmatch(text)
    if match is None:
        forms = "write 2026-12-31, or 2026-12-31T18:00:00+01:00" + (", or +3d or +12h" if ahead else "")
        raise DateRejected(f"{text[:60]!a} is not a date: {forms}")
    if match["time"] is not None and match["offset"] is None:
        raise DateRejected(f"{text} has no offset from UTC: write {text}Z, or {text}+01:00 for one hour ahead of UTC")
    try:
        return When(text, date.fromisoformat(text) if match["time"] is None else datetime.fromisoformat(text.upper()))
    except ValueError:
        raise DateRejected(f"{text} is not a date: there is no such day, time or offset") from None
