"""What changes in access, as records, as objects and as a comment of a pull request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.policy.access import Access, Cause, Comparison, Redirection, Shift, direction
from mailpolicy.policy.names import counted, printable
from mailpolicy.policy.networks import NetworkSet

COLUMNS = ("account", "service", "access", "before", "after", "key")
MOST_ROWS = 200  # in a comment; GitHub takes 65 536 characters

Changes = Sequence[Shift | Redirection]
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


def caused(shifts: Changes, sides: Sides) -> list[tuple[Shift | Redirection, list[Cause]]]:
    """Each shift with its causes, their lines looked up."""
    found = [(shift, sides.comparison.causes(shift)) for shift in shifts]
    sides.look_up(cause for _, causes in found for cause in causes)
    return found


def records(shifts: Changes, sides: Sides) -> list[tuple[str, ...]]:
    """A record for each shift, with the fields of COLUMNS."""
    where = sides.comparison.where
    return [
        (
            _subject(shift),
            str(shift.service),
            str(shift.access),
            where(shift.before),
            where(shift.after),
            "; ".join(_told(cause, sides) for cause in causes),
        )
        for shift, causes in caused(shifts, sides)
    ]


def _subject(shift: Shift | Redirection) -> str:
    return shift.address or "server"


def _told(cause: Cause, sides: Sides) -> str:
    return f"{dotted(cause.key)} {'' if cause.new else 'removed, '}{sides.place(cause)}"


def objects(shifts: Changes, sides: Sides) -> list[dict[str, Any]]:
    """An object for each shift."""
    where = sides.comparison.where
    networks: dict[NetworkSet, list[str]] = {}  # there are few sets among many shifts
    decisions = [shift for shift in shifts if isinstance(shift, Shift)]
    for reach in {reach for shift in decisions for reach in (shift.before, shift.after)}:
        networks[reach] = [str(network) for network in reach.networks()]
    return [
        {
            "address": shift.address,
            "protocol": str(shift.service),
            "access": str(shift.access),
            "before": where(shift.before),
            "after": where(shift.after),
            **(
                {"before_networks": networks[shift.before], "after_networks": networks[shift.after]}
                if isinstance(shift, Shift)
                else {"source": shift.owner.source}
            ),
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


def summary(shifts: Changes) -> str:
    """`2 accounts widened, 1 narrowed, 1 password sent elsewhere`."""
    counts: list[str] = []
    decisions = [shift for shift in shifts if isinstance(shift, Shift)]
    for access in (Access.WIDENED, Access.NARROWED, Access.BOTH):
        if reached := {shift.address for shift in decisions if shift.access is access}:
            noun = "" if counts else " account" if len(reached) == 1 else " accounts"
            way = "widened and narrowed at once" if access is Access.BOTH else str(access)
            counts.append(f"{len(reached)}{noun} {way}")
    if redirected := len(shifts) - len(decisions):
        counts.append(f"{counted(redirected, 'password')} sent elsewhere")
    return ", ".join(counts)


_ORDER = (Access.WIDENED, Access.BOTH, Access.NARROWED)


def markdown(shifts: Changes, sides: Sides) -> str:
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
        if isinstance(shift, Shift):
            service, before, after = shift.service.label, where(shift.before), where(shift.after)
        else:
            service, before, after = shift.service, _code(shift.before), _code(shift.after)
        cells = (_code(_subject(shift)), service, access, before, after, keys)
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
