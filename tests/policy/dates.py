"""Hypothesis strategies: stores with dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from tests.policy.trees import Tree, switches, trees

days = st.dates(date(2026, 11, 20), date(2032, 1, 1)) | st.just(date(9999, 12, 31))
instants = st.datetimes(
    datetime(2026, 11, 20), datetime(2032, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])
)
ends = days | instants


@st.composite
def dated_trees(draw: st.DrawFn) -> Tree:
    """Trees in which most accounts have an exception or expire."""
    tree: Tree = draw(trees())
    tree["server"]["govern"] = [*map(str, tree["server"]["govern"])]  # as a file has them
    if draw(st.booleans()):
        tree["server"]["time_zone"] = draw(st.sampled_from(["Europe/Berlin", "America/Havana", "Pacific/Kiritimati"]))
    for account in tree["accounts"].values():
        account.update(draw(dates()))
    return tree


@st.composite
def dates(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if draw(st.booleans()):
        found["expires"] = draw(ends)
    if draw(st.booleans()):
        found["temporary"] = {"until": draw(ends), **draw(switches)}
    return found
