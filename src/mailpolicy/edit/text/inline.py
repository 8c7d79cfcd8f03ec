"""Add keys to inline tables, `{ pop = true, imap = true }`, and remove them; the blanks inside the braces stay."""

from __future__ import annotations

from mailpolicy.diagnostics import KeyPath
from mailpolicy.edit.text.diff import Splice
from mailpolicy.edit.text.layout import CannotWrite, Layout
from mailpolicy.store.locate import Entry


def empty_parent(layout: Layout, path: KeyPath) -> Entry | None:
    """Return the inline table that a new key belongs to, if it is empty."""
    table = layout.entry(path[:-1])
    if table is None or layout.text[table.value] != "{" or layout.inline_pairs(path[:-1]):
        return None
    return table


def add(layout: Layout, table: Entry, pair: str) -> Splice:
    """Return the splice that adds a pair to an inline table. Raises CannotWrite."""
    if layout.text[table.value] != "{":
        raise CannotWrite(table.start, "this value is not a table")
    if pairs := layout.inline_pairs(table.path):
        return Splice(pairs[-1].end, pairs[-1].end, f", {pair}")
    inside = layout.text[table.value + 1 : table.end - 1]
    if inside.strip(" \t"):
        raise CannotWrite(table.start, "this inline table contains only comments")
    return Splice(table.value + 1, table.end - 1, f"{inside}{pair}{inside}")


def remove(layout: Layout, table: KeyPath, entries: list[Entry]) -> list[Splice]:
    """Return the splices that remove pairs from an inline table, the reverse of add(). Raises CannotWrite."""
    pairs = layout.inline_pairs(table)
    gone = {pairs.index(entry) for entry in entries}
    if len(gone) == len(pairs):
        braces = layout.entry(table)
        if braces is None:
            raise CannotWrite(entries[0].start, "this value is written with a dotted key")
        left = layout.text[braces.value + 1 : pairs[0].start]
        right = layout.text[pairs[-1].end : braces.end - 1]
        made = [Splice(braces.value + 1, braces.end - 1, left if left == right else "")]
    else:
        # Each pair goes with the comma before it; those ahead of the first that stays go with the comma behind them.
        first = next(number for number in range(len(pairs)) if number not in gone)
        made = [Splice(pairs[0].start, pairs[first].start, "")] if first else []
        made += (Splice(pairs[number - 1].end, pairs[number].end, "") for number in sorted(gone) if number > first)
    for splice in made:
        if "#" in layout.text[splice.start : splice.end]:
            raise CannotWrite(entries[0].start, "a comment would be lost")
    return made
