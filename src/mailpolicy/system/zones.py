"""Time zones by their IANA names, from the system's database or else from the package tzdata."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from mailpolicy.policy.names import short
from mailpolicy.policy.nearest import nearest

if TYPE_CHECKING:
    from datetime import tzinfo

_NAME = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")
_SYSTEM = "/usr/share/zoneinfo"
# Lying beside the zones, these mean something else on each machine, or count leap seconds.
_NO_ZONES = ("localtime", "posixrules", "Factory")
_OTHER_COUNTS = ("posix/", "right/")


class ZoneUnknown(ValueError):
    """There is no such time zone; the message says which there is."""


def zone(name: str) -> tzinfo:
    """Return a time zone. Raises ZoneUnknown."""
    from datetime import UTC  # both only for a store with dates
    from zoneinfo import ZoneInfo

    if name == "UTC":
        return UTC
    try:
        if _is_name(name):
            return ZoneInfo(name)
    except (LookupError, OSError, ValueError):  # such as a folder of the database
        pass
    raise ZoneUnknown(_explained(name))


def require(name: str) -> None:
    """Raise ZoneUnknown if there is no such time zone."""
    # Without dates nobody needs the rules of a zone: to see that it exists takes no zoneinfo, 4 ms.
    if name == "UTC":
        return
    if _is_name(name) and "PYTHONTZPATH" not in os.environ:  # with it zoneinfo looks elsewhere
        with suppress(OSError), open(f"{_SYSTEM}/{name}", "rb") as file:
            if file.read(4) == b"TZif":
                return
    zone(name)


def known() -> list[str]:
    """Return the names of all time zones, sorted."""
    from zoneinfo import available_timezones

    return sorted(filter(_is_name, available_timezones()))


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name not in _NO_ZONES and not name.startswith(_OTHER_COUNTS)


def _explained(name: str) -> str:
    known_names = known()
    if not known_names:
        return "this machine has no time zones: install tzdata (apt-get install tzdata, or pip install tzdata)"
    by_folded = {other.lower(): other for other in known_names}
    for prefix in ("", *_OTHER_COUNTS):
        if (meant := by_folded.get(name.lower().removeprefix(prefix))) is not None:
            break
    meant = meant or nearest(name, known_names)
    example = "Europe/Berlin" if "Europe/Berlin" in known_names else known_names[-1]
    hint = f", did you mean '{meant}'?" if meant else f" on this machine: write an IANA name, such as '{example}'"
    return f"there is no time zone '{short(name)}'{hint}"
