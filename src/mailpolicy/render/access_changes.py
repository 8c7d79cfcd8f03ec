"""Changes of access as records, as objects, and as a comment for a pull request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.policy.access import Comparison
from mailpolicy.policy.changes import AccessChange, Cause, Direction, Redirection, direction
from mailpolicy.policy.dates import text
from mailpolicy.policy.names import counted, printable
from mailpolicy.policy.networks import NetworkSet

_COLUMNS = ("account", "service", "access", "before", "after", "key")
MAX_ROWS = 200  # in a comment; GitHub takes 65 536 characters

Changes = Sequence[AccessChange | Redirection]
LinesOf = Callable[[Iterable[KeyPath]], dict[KeyPath, int]]


class Sides:
    """The two policies, and the lines of their keys."""

    def __init__(self, comparison: Comparison, old: tuple[str, LinesOf], new: tuple[str, LinesOf]) -> None:
        self.comparison = comparison
        self.names = {False: old[0], True: new[0]}
        self._lines_of = {False: old[1], True: new[1]}
        self._lines: dict[bool, dict[KeyPath, int]] = {False: {}, True: {}}

    def look_up(self, causes: Iterable[Cause]) -> None:
        """Look up the lines of many keys, with one scan of each text."""
        causes = list(causes)
        for new in (False, True):
            if paths := {cause.key for cause in causes if cause.new is new}:
                self._lines[new] = self._lines_of[new](paths)

    def line(self, cause: Cause) -> int | None:
        """Return the line of a key that was looked up."""
        return self._lines[cause.new].get(cause.key)

    def place(self, cause: Cause) -> str:
        """Return `FILE:LINE` of a key that was looked up."""
        line, name = self.line(cause), self.names[cause.new]
        return f"{name}:{line}" if line else name


def caused(changes: Changes, sides: Sides) -> list[tuple[AccessChange | Redirection, list[Cause]]]:
    """Return each change with its causes, whose lines are looked up."""
    found = [(change, sides.comparison.causes(change)) for change in changes]
    sides.look_up(cause for _, causes in found for cause in causes)
    return found


def columns(changes: Changes) -> tuple[str, ...]:
    """Return the names of the fields of records(); the last one only if a change comes later."""
    return (*_COLUMNS, "from") if _any_later(changes) else _COLUMNS


def records(changes: Changes, sides: Sides) -> list[tuple[str, ...]]:
    """Return a record for each change, with the fields of columns()."""
    describe = sides.comparison.describe
    with_moments = _any_later(changes)
    return [
        (
            _subject(change),
            str(change.service),
            str(change.direction),
            describe(change.before),
            describe(change.after),
            "; ".join(_describe_cause(cause, sides) for cause in causes),
            *([_moment(change) or "now"] if with_moments else ()),
        )
        for change, causes in caused(changes, sides)
    ]


def _any_later(changes: Changes) -> bool:
    return any(change.moment is not None for change in changes)


def _moment(change: AccessChange | Redirection) -> str | None:
    """Return the moment at which a change comes, or None for one that comes at once."""
    return text(change.moment) if change.moment is not None else None


def _subject(change: AccessChange | Redirection) -> str:
    return change.address or "server"


def _describe_cause(cause: Cause, sides: Sides) -> str:
    return f"{dotted(cause.key)} {'' if cause.new else 'removed, '}{sides.place(cause)}"


def objects(changes: Changes, sides: Sides) -> list[dict[str, Any]]:
    """Return an object for each change."""
    describe = sides.comparison.describe
    networks: dict[NetworkSet, list[str]] = {}  # there are few sets among many shifts
    decisions = [change for change in changes if isinstance(change, AccessChange)]
    for reach in {reach for change in decisions for reach in (change.before, change.after)}:
        networks[reach] = [str(network) for network in reach.networks()]
    return [
        {
            "address": change.address,
            "protocol": str(change.service),
            "access": str(change.direction),
            "before": describe(change.before),
            "after": describe(change.after),
            "from": _moment(change),
            **(
                {"before_networks": networks[change.before], "after_networks": networks[change.after]}
                if isinstance(change, AccessChange)
                else {"source": change.owner.source}
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
        for change, causes in caused(changes, sides)
    ]


_VERBS = {
    Direction.WIDENED: ("gains access", "gain access"),
    Direction.NARROWED: ("loses access", "lose access"),
    Direction.BOTH: ("gains and loses access", "gain and lose access"),
}


def summary(changes: Changes) -> str:
    """Return a summary such as `2 accounts gain access, 1 account loses access later, 1 password sent elsewhere`."""
    counts: list[str] = []
    decisions = [change for change in changes if isinstance(change, AccessChange)]
    for later, way in product((False, True), _VERBS):
        found = [change for change in decisions if change.direction is way and (change.moment is not None) is later]
        if accounts := {change.address for change in found}:
            verb = _VERBS[way][len(accounts) > 1] + (f" later (first {_first(found)})" if later else "")
            counts.append(f"{counted(len(accounts), 'account')} {verb}")
    redirections = [change for change in changes if isinstance(change, Redirection)]
    for noun, is_token in (("password", False), ("token", True)):
        if redirected := sum(change.is_token is is_token for change in redirections):
            counts.append(f"{counted(redirected, noun)} sent elsewhere")
    return ", ".join(counts)


def _first(changes: Sequence[AccessChange]) -> str:
    first = min(changes, key=lambda change: (change.moment is None, change.moment))
    return _moment(first) or ""


_ORDER = (Direction.WIDENED, Direction.BOTH, Direction.NARROWED)


def markdown(changes: Changes, sides: Sides) -> str:
    """Return a comment for a pull request, widened access first; an empty text if nothing changes."""
    if not changes:
        return ""
    chosen = sorted(changes, key=lambda change: _ORDER.index(change.direction))[:MAX_ROWS]
    title = {Direction.BOTH: "widened and narrowed"}.get(direction(changes), str(direction(changes)))
    lines = [f"### Access {title}: {summary(changes)}", ""]
    names = columns(chosen)
    lines += [f"| {' | '.join(names)} |", f"| {' | '.join('---' for _ in names)} |"]
    describe = sides.comparison.describe
    for change, causes in caused(chosen, sides):
        access = f"**{change.direction}**" if change.direction is not Direction.NARROWED else str(change.direction)
        keys = "<br>".join(
            f"{_code(dotted(cause.key))}{'' if cause.new else ' removed'}, {_code(sides.place(cause))}"
            for cause in causes
        )
        if isinstance(change, AccessChange):
            service, before, after = change.service.label, describe(change.before), describe(change.after)
        else:
            service, before, after = change.service, _code(change.before), _code(change.after)
        moments = [_moment(change) or "now"] if len(names) > len(_COLUMNS) else []
        cells = (_code(_subject(change)), service, access, before, after, keys, *moments)
        lines.append(f"| {' | '.join(cells)} |")
    if len(changes) > len(chosen):
        lines += ["", f"{len(changes) - len(chosen)} more are not shown; `mailpolicy diff` lists all."]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    """Return the text as code in a table cell, so that nothing in it is markup, a mention or the end of the cell."""
    shown = printable(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {shown} {fence}" if longest else f"`{shown}`"
