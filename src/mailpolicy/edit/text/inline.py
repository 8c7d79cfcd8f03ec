"""Keys of inline tables: `{ pop = true, imap = true }`, written into and taken out of what stands between the braces.

Promises: the blanks inside the braces stay as they are where something stays. Not promised: anything about a table with
comments in it, which is left to a hand.
"""

from __future__ import annotations

from mailpolicy.diagnostics import KeyPath
from mailpolicy.edit.text.diff import Splice
from mailpolicy.edit.text.layout import CannotWrite, Layout
from mailpolicy.store.locate import Entry


def empty_above(layout: Layout, path: KeyPath) -> Entry | None:
    """The inline table that a new key is the first one of."""
    table = layout.at(path[:-1])
    if table is None or layout.text[table.value] != "{" or layout.inline_pairs(path[:-1]):
        return None
    return table


def put(layout: Layout, table: Entry, pair: str) -> Splice:
    """One more pair in an inline table: after its last one, or between the braces."""
    if layout.text[table.value] != "{":
        raise CannotWrite(table.start, "this is no table")
    if pairs := layout.inline_pairs(table.path):
        return Splice(pairs[-1].end, pairs[-1].end, f", {pair}")
    inside = layout.text[table.value + 1 : table.end - 1]
    if inside.strip(" \t"):
        raise CannotWrite(table.start, "this table has only comments in it")
    return Splice(table.value + 1, table.end - 1, f"{inside}{pair}{inside}")


def drop(layout: Layout, table: KeyPath, entries: list[Entry]) -> list[Splice]:
    """Pairs out of the inline table, the reverse of `put`."""
    pairs = layout.inline_pairs(table)
    gone = {pairs.index(entry) for entry in entries}
    if len(gone) == len(pairs):
        braces = layout.at(table)
        if braces is None:
            raise CannotWrite(entries[0].start, "this value is written with a dotted key")
        left = layout.text[braces.value + 1 : pairs[0].start]
        right = layout.text[pairs[-1].end : braces.end - 1]
        made = [Splice(braces.value + 1, braces.end - 1, left if left == right else "")]
    else:
        first = next(number for number in range(len(pairs)) if number not in gone)
        made = [Splice(pairs[0].start, pairs[first].start, "")] if first else []
        made += (Splice(pairs[number - 1].end, pairs[number].end, "") for number in sorted(gone) if number > first)
    for splice in made:
        if "#" in layout.text[splice.start : splice.end]:
            raise CannotWrite(entries[0].start, "a comment would not survive")
    return made
