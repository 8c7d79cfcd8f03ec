"""Remove keys and tables from a store's text, with the comments and blank lines that belong to them.

An account or a template whose last key is removed stays, as a header or an empty inline table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.edit.text import inline
from mailpolicy.edit.text.diff import Splice, apply_splices
from mailpolicy.edit.text.layout import CannotWrite, Layout, Table
from mailpolicy.store.locate import INLINE, Entry, key_prefix

# Tables that mean nothing when they are empty.
_LEFT_OUT_IF_EMPTY: set[KeyPath] = {("server",), ("defaults",), ("networks",)}


def splices(layout: Layout, paths: Sequence[KeyPath], added: Mapping[KeyPath, list[str]]) -> list[Splice]:
    """Return the splices that remove everything at these paths, and add pairs to inline tables. Raises CannotWrite."""
    made: list[Splice] = []
    pairs: dict[KeyPath, list[Entry]] = {}
    kept = _last_traces(layout, paths)
    for path in paths:
        if found := tables(layout, path):
            made += (_remove_table(layout, table, kept.get(table.header)) for table in found)
            continue
        entries = [entry] if (entry := layout.entry(path)) is not None else layout.entries_for(path)
        if not entries:
            raise CannotWrite(layout.first_offset(path), f"{dotted(path)} is not written here")
        for entry in entries:
            if (owner := kept.get(entry)) is not None:
                made.append(Splice(entry.start, entry.end, f"{key_prefix(layout.text, entry, owner)} = {{}}"))
            elif entry.kind == INLINE:
                pairs.setdefault(layout.inline_table_of(entry), []).append(entry)
            else:
                made.append(_remove_line(layout, entry, path))
    # All pairs of one inline table at once: a comma between two of them must go only once, and new ones need none
    # behind pairs that go.
    for table_path in {**pairs, **added}:
        made += inline.change(layout, table_path, pairs.get(table_path, []), added.get(table_path, []))
    for table in _made_for_keys(layout, paths):
        made = _with_header(layout, table, made)
    return made


def kept_apart(layout: Layout, made: Sequence[Splice]) -> list[Splice]:
    """Return sorted splices that leave a blank line where a comment would touch a header that it did not touch before.

    Touching it, the comment would become that table's.
    """
    result = list(made)
    begin = -1
    for index, splice in enumerate(made):
        if splice.text or splice.start == splice.end:
            continue
        if index == 0 or made[index - 1].text or made[index - 1].end != splice.start:
            begin = splice.start
        following = made[index + 1] if index + 1 < len(made) and made[index + 1].start == splice.end else None
        if following is not None and not following.text:
            continue  # these removals are one
        if layout.is_between_lines(begin) and layout.is_between_lines(splice.end):
            added = following.text if following is not None else ""
            # At a blank line a removal begins behind it.
            start = begin if not layout.is_blank(layout.line_start(begin)) else layout.next_line(begin)
            start = start if start == layout.line_start(start) else layout.next_line(start)
            if layout.is_comment_above(start) and layout.leads_to_header(splice.end, added):
                result[index] = splice._replace(text=layout.newline_at(layout.line_end(begin)))
    return result


def _made_for_keys(layout: Layout, paths: Sequence[KeyPath]) -> list[Table]:
    """Return the tables that edits make for a first key: some at the top, and an account's below its sub-tables.

    By hand the table of an account is written above them, and then it stays without keys.
    """
    found = []
    gone = set(paths)
    for owner in dict.fromkeys(path[:1] if path[:1] in _LEFT_OUT_IF_EMPTY else path[:2] for path in paths):
        if owner in gone or (table := layout.table(owner)) is None:
            continue
        if owner in _LEFT_OUT_IF_EMPTY or (
            owner[0] == "accounts" and any(inner.start < table.start for inner in layout.tables(owner))
        ):
            found.append(table)
    return found


def _with_header(layout: Layout, table: Table, made: list[Splice]) -> list[Splice]:
    """Let the header of a table go with its last key, so that adding and removing the first undo each other."""
    inside = [splice for splice in made if table.start <= splice.start and splice.end <= table.end]
    shifted = [Splice(splice.start - table.start, splice.end - table.start, splice.text) for splice in inside]
    left = apply_splices(layout.text[table.start : table.end], shifted)
    if left.strip() != layout.text[table.header.start : table.header.end]:
        return made  # another key, or a comment
    return [*(splice for splice in made if splice not in inside), _remove_table(layout, table, None)]


def tables(layout: Layout, path: KeyPath) -> list[Table]:
    """Return a table and its sub-tables, none if it has no header. Raises CannotWrite if parts stand elsewhere."""
    found = layout.tables(path)
    for inner in layout.entries_below(path) if found else ():
        if not any(table.start <= inner.start < table.end for table in found):
            raise CannotWrite(inner.start, f"{dotted(path)} is not written as one table")
    return found


def _last_traces(layout: Layout, paths: Iterable[KeyPath]) -> dict[Entry, KeyPath]:
    """Map an entry to the account or template that would vanish with it; it must be replaced by an empty table.

    Without a header or inline table of its own, such as with dotted keys, an account exists only through its keys.
    """
    by_owner: dict[KeyPath, list[KeyPath]] = {}
    for path in paths:
        if path[0] in ("accounts", "templates") and len(path) > 2 and layout.entry(path[:2]) is None:
            by_owner.setdefault(path[:2], []).append(path)
    kept = {}
    for owner, gone in by_owner.items():
        written = layout.entries_for(owner)
        if all(any(entry.path[: len(path)] == path for path in gone) for entry in written):
            kept[written[0]] = owner
    return kept


def _remove_line(layout: Layout, entry: Entry, path: KeyPath) -> Splice:
    """Return the splice that removes the lines of a statement.

    A comment above a key stays, and so does one above a network: it may be about those that follow.
    """
    begin, end = layout.line_start(entry.start), layout.line_end(entry.end)
    if path[0] in ("accounts", "templates") and len(path) == 2 and layout.is_comment_above(begin):
        raise CannotWrite(entry.start, "cannot tell what the comment above this line belongs to")
    # Preferably with the line ending above it, so that a last line without one leaves none behind.
    above = layout.end_above(begin)
    if begin > 0 and layout.newline_at(above) == layout.newline_at(end):
        return Splice(above, end, "")
    return Splice(begin, layout.next_line(end), "")


def _remove_table(layout: Layout, table: Table, owner: KeyPath | None) -> Splice:
    """Return the splice that removes a table with its comments, or leaves the header of `owner` in its place.

    The blank lines above it go too, so that adding and removing a table undo each other.
    """
    text = layout.text
    if owner is not None:
        return Splice(table.header.start, table.end, f"[{dotted(owner)}]")
    if table.start == 0:
        following = layout.next_line(table.end)
        while following < len(text) and layout.is_blank(following):
            following = layout.next_line(layout.line_end(following))
        return Splice(0, following, "")
    above, following = layout.content_before(table.start), layout.next_line(table.end)
    followed = following < len(text) and not layout.is_blank(following)
    if followed and layout.is_comment(layout.line_start(above), above):
        # A comment of the file's own: without the blank lines it would touch the next header and become its comment.
        return Splice(layout.end_above(table.start), table.end, "")
    return Splice(above, table.end, "")
