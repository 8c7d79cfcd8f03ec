"""What changes in access, as records, as objects and as a comment of a pull request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mailpolicy.access import Access, Cause, Comparison, Shift, direction
from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.names import printable
from mailpolicy.networks import NetworkSet

COLUMNS = ("account", "service", "access", "before", "after", "key")
MOST_ROWS = 200  # in a comment; GitHub takes 65 536 characters

LinesOf = Callable[[Iterable[KeyPath]], dict[KeyPath, int]]


class Sides:
    """Where the keys of the two policies are written."""

    def __init__(self, comparison: Comparison, old: tuple[str, LinesOf], new: tuple[str, LinesOf]) -> None:
        self.comparison = comparison
        self.names = {False: old[0], True: new[0]}
        self._lines_of = {False: old[1], True: new[1]}
        self._lines: dict[bool, dict[KeyPath, int]] = {False: {}, True: {}}

    def look_up(self, causes: Iterable[Cause]) -> None:
        """Look up the lines of many keys, each text in one scan."""
        causes = list(causes)
        for new in (False, True):
            if paths := {cause.key for cause in causes if cause.new is new}:
                self._lines[new] = self._lines_of[new](paths)

    def line(self, cause: Cause) -> int | None:
        """The line of a key that was looked up."""
        return self._lines[cause.new].get(cause.key)

    def place(self, cause: Cause) -> str:
        """`FILE:LINE` of a key that was looked up."""
        line, name = self.line(cause), self.names[cause.new]
        return f"{name}:{line}" if line else name


def caused(shifts: Sequence[Shift], sides: Sides) -> list[tuple[Shift, list[Cause]]]:
    """Each shift with its causes, their lines looked up."""
    found = [(shift, sides.comparison.causes(shift)) for shift in shifts]
    sides.look_up(cause for _, causes in found for cause in causes)
    return found


def records(shifts: Sequence[Shift], sides: Sides) -> list[tuple[str, ...]]:
    """A record for each shift, with the fields of COLUMNS."""
    where = sides.comparison.where
    return [
        (
            shift.address,
            str(shift.service),
            str(shift.access),
            where(shift.before),
            where(shift.after),
            "; ".join(_told(cause, sides) for cause in causes),
        )
        for shift, causes in caused(shifts, sides)
    ]


def _told(cause: Cause, sides: Sides) -> str:
    return f"{dotted(cause.key)} {'' if cause.new else 'removed, '}{sides.place(cause)}"


def objects(shifts: Sequence[Shift], sides: Sides) -> list[dict[str, Any]]:
    """An object for each shift."""
    where = sides.comparison.where
    networks: dict[NetworkSet, list[str]] = {}  # there are few sets among many shifts
    for reach in {reach for shift in shifts for reach in (shift.before, shift.after)}:
        networks[reach] = [str(network) for network in reach.networks()]
    return [
        {
            "address": shift.address,
            "protocol": str(shift.service),
            "access": str(shift.access),
            "before": where(shift.before),
            "after": where(shift.after),
            "before_networks": networks[shift.before],
            "after_networks": networks[shift.after],
            "keys": [
                {
                    "key": dotted(cause.key),
                    "removed": not cause.new,
                    "file": sides.names[cause.new],
                    "line": sides.line(cause),
                }
                for cause in causes
            ],
        }
        for shift, causes in caused(shifts, sides)
    ]


def summary(shifts: Sequence[Shift]) -> str:
    """`access widened: 2 accounts widened, 1 narrowed`."""
    counts: list[str] = []
    for access in (Access.WIDENED, Access.NARROWED, Access.BOTH):
        if reached := {shift.address for shift in shifts if shift.access is access}:
            noun = "" if counts else " account" if len(reached) == 1 else " accounts"
            way = "widened and narrowed at once" if access is Access.BOTH else str(access)
            counts.append(f"{len(reached)}{noun} {way}")
    return ", ".join(counts)


_ORDER = (Access.WIDENED, Access.BOTH, Access.NARROWED)


def markdown(shifts: Sequence[Shift], sides: Sides) -> str:
    """A comment for a pull request, what widens first; nothing where nothing changes."""
    if not shifts:
        return ""
    chosen = sorted(shifts, key=lambda shift: _ORDER.index(shift.access))[:MOST_ROWS]
    title = {Access.BOTH: "widened and narrowed"}.get(direction(shifts), str(direction(shifts)))
    lines = [f"### Access {title}: {summary(shifts)}", ""]
    lines += ["| account | service | access | before | after | key |", "| --- | --- | --- | --- | --- | --- |"]
    where = sides.comparison.where
    for shift, causes in caused(chosen, sides):
        access = f"**{shift.access}**" if shift.access is not Access.NARROWED else str(shift.access)
        keys = "<br>".join(
            f"{_code(dotted(cause.key))}{'' if cause.new else ' removed'}, {_code(sides.place(cause))}"
            for cause in causes
        )
        cells = (_code(shift.address), shift.service.label, access, where(shift.before), where(shift.after), keys)
        lines.append(f"| {' | '.join(cells)} |")
    if len(shifts) > len(chosen):
        lines += ["", f"{len(shifts) - len(chosen)} more are not shown; `mailpolicy diff` lists all."]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    """The text as code in a cell of a table: nothing in it is markup, a mention or the end of the cell."""
    shown = printable(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {shown} {fence}" if longest else f"`{shown}`"
