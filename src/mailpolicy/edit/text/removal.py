"""Taking keys and tables out of a store's text, with what belongs to them and nothing else.

Promises: an account or a template whose last key goes stays, as a header or an empty table. Not promised: anything about
a comment whose owner cannot be told, which is left to a hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.edit.text import inline
from mailpolicy.edit.text.diff import Splice
from mailpolicy.edit.text.layout import Block, CannotWrite, Layout
from mailpolicy.store.locate import INLINE, Entry, key_above


def splices(layout: Layout, paths: Sequence[KeyPath]) -> list[Splice]:
    """The splices that take out what is written at these paths. Raises CannotWrite."""
    made: list[Splice] = []
    pairs: dict[KeyPath, list[Entry]] = {}
    kept = _kept(layout, paths)
    for path in paths:
        if found := blocks(layout, path):
            made += (_without_block(layout, block, kept.get(block.header)) for block in found)
            continue
        entries = [entry] if (entry := layout.at(path)) is not None else layout.written(path)
        if not entries:
            raise CannotWrite(layout.first(path), f"{dotted(path)} is not written here")
        for entry in entries:
            if (owner := kept.get(entry)) is not None:
                made.append(Splice(entry.start, entry.end, f"{key_above(layout.text, entry, owner)} = {{}}"))
            elif entry.kind == INLINE:
                pairs.setdefault(layout.braces(entry), []).append(entry)
            else:
                made.append(_without_line(layout, entry, path))
    for table, gone in pairs.items():
        made += inline.drop(layout, table, gone)
    return made


def blocks(layout: Layout, path: KeyPath) -> list[Block]:
    """The blocks of a table and of the tables below it; none where it has no header. Raises CannotWrite."""
    found = layout.blocks(path)
    for inner in layout.under(path) if found else ():
        if not any(block.start <= inner.start < block.end for block in found):
            raise CannotWrite(inner.start, f"{dotted(path)} is not written as one table")
    return found


def _kept(layout: Layout, paths: Iterable[KeyPath]) -> dict[Entry, KeyPath]:
    """What must stay in part, so that the account or the template above it, of which nothing else says that it is there, stays."""
    by_owner: dict[KeyPath, list[KeyPath]] = {}
    for path in paths:
        if path[0] in ("accounts", "templates") and len(path) > 2 and layout.at(path[:2]) is None:
            by_owner.setdefault(path[:2], []).append(path)
    kept = {}
    for owner, gone in by_owner.items():
        written = layout.written(owner)
        if all(any(entry.path[: len(path)] == path for path in gone) for entry in written):
            kept[written[0]] = owner
    return kept


def _without_line(layout: Layout, entry: Entry, path: KeyPath) -> Splice:
    begin, end = layout.line_start(entry.start), layout.line_end(entry.end)
    if len(path) == 2 and layout.text[layout.line_start(max(0, begin - 1)) : begin].lstrip().startswith("#"):
        raise CannotWrite(entry.start, "cannot tell what the comment above this line belongs to")
    above = layout.end_above(begin)
    if begin > 0 and layout.newline_at(above) == layout.newline_at(end):
        return Splice(above, end, "")
    return Splice(begin, layout.after(end), "")


def _without_block(layout: Layout, block: Block, owner: KeyPath | None) -> Splice:
    """A table goes with its comments and the blank lines above it, so that adding and removing undo each other.

    Where its header is all that says that its `owner` is there, the owner's header stands in its place.
    """
    text = layout.text
    if owner is not None:
        return Splice(block.header.start, block.end, f"[{dotted(owner)}]")
    if block.start == 0:
        following = layout.after(block.end)
        while following < len(text) and layout.is_blank(following):
            following = layout.after(layout.line_end(following))
        return Splice(0, following, "")
    above, following = layout.content_before(block.start), layout.after(block.end)
    followed = following < len(text) and not layout.is_blank(following)
    if followed and text[layout.line_start(above) : above].lstrip(" \t").startswith("#"):
        # A heading of the file's own: without the blank lines it would touch the next header and become its comment.
        return Splice(layout.end_above(block.start), block.end, "")
    return Splice(above, block.end, "")
