"""Add keys to inline tables, `{ pop = true, imap = true }`, and remove them; the blanks inside the braces stay."""

from __future__ import annotations

from mailpolicy.diagnostics import KeyPath
from mailpolicy.edit.text.diff import Splice
from mailpolicy.edit.text.layout import CannotWrite, Layout
from mailpolicy.store.locate import HEADER, Entry


def holder(layout: Layout, path: KeyPath) -> Entry | None:
    """Return the innermost inline table around a key or table that is not there yet, None if it belongs in no braces."""
    if layout.entry(path) is not None:
        return None
    for length in range(len(path) - 1, 0, -1):
        table = layout.entry(path[:length])
        if table is not None and table.kind != HEADER and layout.text[table.value] == "{":
            return table
    return None


def change(layout: Layout, table: KeyPath, gone: list[Entry], new: list[str]) -> list[Splice]:
    """Return the splices that remove pairs from an inline table and add new ones behind the others. Raises CannotWrite."""
    pairs = layout.inline_pairs(table)
    if len(gone) == len(pairs):
        return [_refill(layout, table, pairs, ", ".join(new))]
    # Each pair goes with the comma before it; those ahead of the first that stays go with the comma behind them.
    numbers = {pairs.index(entry) for entry in gone}
    first = next(number for number in range(len(pairs)) if number not in numbers)
    made = [Splice(pairs[0].start, pairs[first].start, "")] if first else []
    made += (Splice(pairs[number - 1].end, pairs[number].end, "") for number in sorted(numbers) if number > first)
    _keep_comments(layout, made, gone)
    return [*made, *(Splice(pairs[-1].end, pairs[-1].end, f", {pair}") for pair in new)]


def _refill(layout: Layout, table: KeyPath, pairs: list[Entry], new: str) -> Splice:
    """Return the splice that leaves only new pairs between the braces, with the blanks that were there."""
    braces = layout.entry(table)
    if braces is None:
        raise CannotWrite(pairs[0].start, "this value is written with a dotted key")
    begin, end = braces.value + 1, braces.end - 1
    if pairs and new:
        made = Splice(pairs[0].start, pairs[-1].end, new)
    elif pairs:
        left, right = layout.text[begin : pairs[0].start], layout.text[pairs[-1].end : end]
        made = Splice(begin, end, left if left == right else "")
    else:
        inside = layout.text[begin:end]
        if inside.strip(" \t"):
            raise CannotWrite(braces.start, "this inline table contains only comments")
        return Splice(begin, end, f"{inside}{new}{inside}")
    _keep_comments(layout, [made], pairs)
    return made


def _keep_comments(layout: Layout, made: list[Splice], gone: list[Entry]) -> None:
    for splice in made:
        if "#" in layout.text[splice.start : splice.end]:
            raise CannotWrite(gone[0].start, "a comment would be lost")
