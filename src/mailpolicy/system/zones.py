"""Time zones by their IANA names, from the system's database or else from the package tzdata."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from mailpolicy.policy.names import short
from mailpolicy.policy.nearest import nearest

if TYPE_CHECKING:
    from datetime import tzinfo

_NAME = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_SYSTEM = "/usr/share/zoneinfo"


class ZoneUnknown(ValueError):
    """There is no such time zone; the message says which there is."""


def zone(name: str) -> tzinfo:
    """Return a time zone. Raises ZoneUnknown."""
    from datetime import UTC  # both only for a store with dates
    from zoneinfo import ZoneInfo

    if name == "UTC":
        return UTC
    try:
        if _NAME.fullmatch(name):
            return ZoneInfo(name)
    except (LookupError, OSError, ValueError):  # such as a folder of the database
        pass
    raise ZoneUnknown(_explained(name))


def require(name: str) -> None:
    """Raise ZoneUnknown if there is no such time zone."""
    # Without dates nobody needs the rules of a zone: to see that it exists takes no zoneinfo, 4 ms.
    if name == "UTC":
        return
    if _NAME.fullmatch(name):
        with suppress(OSError), open(f"{_SYSTEM}/{name}", "rb") as file:
            if file.read(4) == b"TZif":
                return
    zone(name)


def known() -> list[str]:
    """Return the names of all time zones, sorted."""
    from zoneinfo import available_timezones

    return sorted(available_timezones())


def _explained(name: str) -> str:
    known_names = known()
    if not known_names:
        return "this machine has no time zones: install tzdata (apt-get install tzdata, or pip install tzdata)"
    by_folded = {other.lower(): other for other in known_names}
    meant = by_folded.get(name.lower()) or nearest(name, known_names)
    hint = f", did you mean '{meant}'?" if meant else ": write an IANA name, such as 'Europe/Berlin'"
    return f"there is no time zone '{short(name)}'{hint}"
