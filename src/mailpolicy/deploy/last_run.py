"""The note `host.toml.deployed`: when deploy last ran, and the ends that every export has followed since.

A machine without a battery for its clock boots in the past. Exports that are made then let in accounts that have expired,
so a clock that stands behind the last run is refused. Which ends are followed is kept apart from that moment: an export
may have failed, and an end may be written into the store after it has passed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property

from mailpolicy.errors import Refused
from mailpolicy.policy import dates
from mailpolicy.policy.model import Policy
from mailpolicy.policy.moments import ends
from mailpolicy.system.held import locked, without_lock

_SUFFIX = "deployed"
_LOCK_TIMEOUT = 10.0  # seconds; it is held for a moment only
_TOLERATED = timedelta(hours=1)
_ACCEPT = ("mailpolicy", "deploy", "--accept-clock")


class LastRun:
    """The note beside the host.toml at `path`: its first line is the moment, each other one an end that is followed."""

    def __init__(self, path: str) -> None:
        self._path = path

    def refuse_past(self, now: datetime) -> None:
        """Raise Refused if the clock stands more than an hour before the last deploy, or nobody knows when that was."""
        lines = self._lines()
        if lines is None:
            return
        last = _moment(lines)
        if last is None:
            # As after a power cut, when a clock without a battery is wrong too.
            raise Refused(
                f"the moment of the last deploy cannot be read, and the clock shows {_text(now)}: if it is wrong, what "
                "has ended would be open again. If it is right",
                file=f"{self._path}.{_SUFFIX}",
                code="clock",
                fix=_ACCEPT,
            )
        if now + _TOLERATED < last:  # and not `last - _TOLERATED`, which may be before the year 1
            raise Refused(
                f"the clock shows {_text(now)}, but the last deploy was at {dates.text(last)}: what has ended since "
                "would be open again. Set the clock; if it is right",
                code="clock",
                fix=_ACCEPT,
            )

    def record(self, now: datetime, *, accept: bool) -> None:
        """Write down that a deploy began now; the moment goes back only if the clock was accepted."""
        lines = self._lines() or []
        last = _moment(lines)
        if accept or last is None or last < now:
            self._write([_text(now), *lines[1:]])

    def record_followed(self, policy: Policy) -> None:
        """Write down that every export is that of this policy, so that no account is open after an end that has passed."""
        lines = self._lines() or []
        followed = [
            _end(account.address, end)
            for account in policy.dated
            for end in ends(account)
            if policy.moment is not None and end <= policy.moment
        ]
        if lines[1:] != followed:
            self._write([*lines[:1], *followed])

    def not_followed(self, address: str, passed: Collection[datetime]) -> list[datetime]:
        """Return those ends of an account that not every export has followed, of ends that have passed."""
        return [end for end in passed if _end(address, end) not in self._followed]

    @cached_property
    def _followed(self) -> frozenset[str]:
        return frozenset((self._lines() or [])[1:])

    def _lines(self) -> list[str] | None:
        """Return the lines of the note, None if there is none. Raises Refused and WriteFailed."""
        with without_lock(self._path) as place:
            marker = place.marker(_SUFFIX)
            return marker.lines() if marker.exists() else None

    def _write(self, lines: Iterable[str]) -> None:
        # Under the lock, which also lets temporary files of killed runs be removed.
        with locked(self._path, _LOCK_TIMEOUT) as place:
            place.marker(_SUFFIX).write(lines)


def _moment(lines: list[str]) -> datetime | None:
    try:
        found = datetime.fromisoformat(lines[0]) if lines else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _text(moment: datetime) -> str:
    return dates.text(moment.replace(microsecond=0))


def _end(address: str, end: datetime) -> str:
    return f"{address} {dates.text(end.astimezone(UTC))}"
