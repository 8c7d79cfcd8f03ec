"""The moment of the last deploy, in the note `host.toml.deployed`: a clock that stands behind it would open what has ended.

A machine without a battery for its clock boots in the past. Exports that are made then let in accounts that have expired.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mailpolicy.errors import Refused
from mailpolicy.policy import dates
from mailpolicy.system.held import without_lock

_SUFFIX = "deployed"
_TOLERATED = timedelta(hours=1)


class LastRun:
    """The note beside the host.toml at `path`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def moment(self) -> datetime | None:
        """Return the moment of the last deploy, or None if there is none. Raises Refused and WriteFailed."""
        with without_lock(self._path) as place:
            lines = place.marker(_SUFFIX).lines()
        try:
            found = datetime.fromisoformat(lines[0]) if lines else None
        except ValueError:  # not ours to judge; the next run writes it anew
            return None
        return found if found is not None and found.tzinfo is not None else None

    def refuse_past(self, now: datetime) -> None:
        """Raise Refused if the clock stands more than an hour before the last deploy."""
        last = self.moment()
        if last is not None and now < last - _TOLERATED:
            raise Refused(
                f"the clock shows {dates.text(now.replace(microsecond=0))}, but the last deploy was at {dates.text(last)}: what has ended since "
                "would be open again. Set the clock; if it is right",
                code="clock",
                fix=("mailpolicy", "deploy", "--accept-clock"),
            )

    def record(self, now: datetime, *, accept: bool) -> None:
        """Write down that a deploy began now; the moment goes back only if the clock was accepted."""
        last = self.moment()
        if accept or last is None or last < now:
            with without_lock(self._path) as place:
                place.marker(_SUFFIX).write([dates.text(now.replace(microsecond=0))])
