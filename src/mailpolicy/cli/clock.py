"""The clock of the command line: the only place that asks what time it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


def now() -> datetime:
    """Return the present moment, in UTC."""
    from datetime import UTC, datetime  # 2 ms, only for a store with dates

    return datetime.now(UTC)
