"""Dates of a store as instants.

A date in the file has no clock of its own: it is a whole day in the server's time zone. Everything that is compared is an
instant with a fixed offset, as the clocks there show it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

Clock = Callable[[], datetime]  # asked for the present moment, at most once in a run
Day = date  # a date, or a date-time with an offset, as TOML has them

_AGO = datetime.min.replace(tzinfo=UTC)
FAR = datetime.max.replace(tzinfo=UTC)  # stands for what lies behind it


class End(NamedTuple):
    """An end: the value in the file, and the first instant at which it is over; None if that never comes."""

    written: Day
    instant: datetime | None

    def is_over(self, moment: datetime) -> bool:
        """Return whether the end has come."""
        return self.instant is not None and moment >= self.instant

    @property
    def is_instant(self) -> bool:
        """Return whether the end is written as a date-time, and not as a last day."""
        return isinstance(self.written, datetime)

    def __str__(self) -> str:
        return text(self.written)


def end(written: Day, zone: tzinfo) -> End:
    """Return the end that a value means: a date is over with the first instant of the next day.

    A year whose next day does not exist means never.
    """
    try:
        following = written if isinstance(written, datetime) else written + timedelta(days=1)
    except OverflowError:
        return End(written, None)
    return End(written, instant(following, zone))


def instant(value: Day, zone: tzinfo) -> datetime | None:
    """Return the instant of a date-time, or the first of a day in `zone`; None if it lies behind the last year."""
    if not isinstance(value, datetime):
        # In the hour that summer time leaves out, fold=0 is the moment of the change: the first one of that day.
        value = datetime(value.year, value.month, value.day, tzinfo=zone)
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        return None if value.year > 1 else _AGO
    with suppress(OverflowError):  # in `zone` it may be in the year 10000
        local = moment.astimezone(zone)
        # With a fixed offset: of two times of one zone, Python compares only what the clock on the wall shows.
        return local.replace(tzinfo=timezone(local.utcoffset() or timedelta()))
    return moment


def text(value: Day) -> str:
    """Return a value as it is written in a file and on a command line."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat()
