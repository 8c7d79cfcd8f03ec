"""Turn the operations of an edit into splices of a store's text.

Only the text that an operation needs is touched, and a comment goes only with the key, table or element it belongs to.
A style that cannot be edited safely raises CannotWrite.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.edit.operations import (
    Add,
    Amend,
    Drop,
    DropList,
    NewTable,
    Operation,
    Path,
    Put,
    PutElement,
    PutList,
    Rename,
    Value,
)
from mailpolicy.edit.text import inline, removal
from mailpolicy.edit.text.diff import Splice, apply_splices
from mailpolicy.edit.text.layout import CannotWrite, Layout, Table
from mailpolicy.edit.text.lines import newline_of
from mailpolicy.edit.text.values import amend, array, literal, pair
from mailpolicy.store import outline
from mailpolicy.store.locate import HEADER, Entry, header_part, key_prefix
from mailpolicy.store.outline import Piece

# The order in which new top-level tables are put into a file.
_TOP_ORDER = ("version", "server", "defaults", "networks", "templates", "accounts")


def new_text(accounts: Iterable[tuple[str, NewTable]]) -> str:
    """Return the text of a file with these accounts and nothing else."""
    text = "version = 1\n"
    return apply_splices(text, splices(text, [Add(("accounts", address), table) for address, table in accounts]))


def splices(text: str, operations: Sequence[Operation], *, followed: bool = False) -> list[Splice]:
    """Return the splices that write the operations, sorted and without overlaps. Raises CannotWrite.

    If all operations are about keys and sub-tables of accounts, only the lines of these accounts are scanned. `followed`
    says that another table comes after the text.
    """
    newline = newline_of(text)
    by_key: dict[str, list[Operation]] = {}
    for operation in operations:
        if len(operation.path) < 3 or operation.path[0] != "accounts":
            return _splices(Layout(text, newline), operations)
        by_key.setdefault(operation.path[1], []).append(operation)
    # A piece contains all lines of its account, so it can be laid out like a text of its own, up to the next header.
    found = outline.outline(text)
    pieces = [piece for piece in found.accounts if piece.key in by_key] if found is not None else []
    if len(pieces) != len(by_key):
        return _splices(Layout(text, newline), operations)
    end = "[next]" if followed else ""
    return [splice for piece in pieces for splice in _in_piece(text, newline, piece, by_key[str(piece.key)], end)]


def _in_piece(text: str, newline: str, piece: Piece, operations: Iterable[Operation], end: str) -> list[Splice]:
    # With the header that follows: a comment that touches it is not the account's.
    following = text[piece.end : text.find("\n", piece.end) + 1] if piece.end < len(text) else end
    try:
        made = _splices(Layout(text[piece.start : piece.end] + following, newline), operations)
    except CannotWrite as reason:
        raise CannotWrite(piece.start + reason.offset, str(reason)) from None
    return [Splice(piece.start + start, piece.start + end, new) for start, end, new in made]


def _splices(layout: Layout, operations: Iterable[Operation]) -> list[Splice]:
    made: list[Splice] = []
    # Gathered, as they meet in one place: new pairs of inline tables, and removals (see there).
    new_pairs: dict[KeyPath, list[str]] = {}
    dropped: list[KeyPath] = []

    def put(path: KeyPath, value: str) -> None:
        if (table := inline.holder(layout, path)) is not None:
            new_pairs.setdefault(table.path, []).append(f"{dotted(path[len(table.path) :])} = {value}")
        else:
            made.append(_put(layout, path, value))

    others, added = _with_new_tables(layout, operations)
    for operation in others:
        match operation:
            case Put(path, value):
                old = layout.entry(path)
                put(path, literal(value, layout.text[old.value : old.end] if old else ""))
            case PutList(path, values):
                put(path, array(values, layout.newline))
            case Amend(path, _, append, _):
                if (entry := layout.entry(path)) is not None:
                    made.append(amend(layout, entry, operation))
                else:
                    put(path, array(append, layout.newline))
            case PutElement(path, index, value):
                made.append(_put_element(layout, path, index, value))
            case Drop(path):
                dropped.append(path)
            case Rename(path, name):
                made += _rename(layout, path, name)
    # In one place a new key comes before a new table, and the table of an account before the next account.
    for path in sorted(added, key=len, reverse=True):
        # TOML forbids a header for anything inside an inline table: such a table is added between the braces.
        if inline.holder(layout, path) is not None:
            put(path, literal(added[path]))
        else:
            made.append(_add(layout, path, *_parted(added[path])))
    return removal.kept_apart(layout, _sorted(made + removal.splices(layout, dropped, new_pairs)))


def settled(text: str, operations: Sequence[Operation], *, followed: bool = False) -> list[Operation]:
    """Return the operations with every DropList decided: as a Drop if adding the key again would give the same text."""
    lists = [operation for operation in operations if isinstance(operation, DropList)]
    gone = {operation.path for operation in _restorable(text, lists, followed=followed)}
    return [
        operation
        if not isinstance(operation, DropList)
        else Drop(operation.path)
        if operation.path in gone
        else Amend(operation.path, tuple(range(len(operation.values))), (), ())
        for operation in operations
    ]


def _restorable(text: str, lists: Sequence[DropList], *, followed: bool) -> Sequence[DropList]:
    """Return the lists that come back as they were written. Tried together and then by halves, as most do."""
    with suppress(CannotWrite):
        without = apply_splices(text, splices(text, [Drop(path) for path, _ in lists], followed=followed))
        again = [Put(path, values) for path, values in lists]
        if apply_splices(without, splices(without, again, followed=followed)) == text:
            return lists
    if len(lists) < 2:
        return ()
    half = len(lists) // 2
    return [
        *_restorable(text, lists[:half], followed=followed),
        *_restorable(text, lists[half:], followed=followed),
    ]


def _with_new_tables(
    layout: Layout, operations: Iterable[Operation]
) -> tuple[list[Operation], dict[Path, dict[str, Any]]]:
    """Return the operations on what is written, and by path the new tables, each with its keys and the tables in it."""
    result: list[Operation] = []
    new: dict[Path, dict[str, Any]] = {}
    for operation in operations:
        table, key = operation.path[:-1], operation.path[-1]
        if isinstance(operation, Add):
            new.setdefault(operation.path, {}).update(operation.table)
        elif isinstance(operation, Put) and layout.entry(operation.path) is None and layout.lacks(table):
            new.setdefault(table, {})[key] = operation.value
        else:
            result.append(operation)
    for path in sorted(new, key=len, reverse=True):
        outer = next((path[:length] for length in range(1, len(path)) if path[:length] in new), None)
        if outer is not None:
            holder = new[outer]
            for name in path[len(outer) : -1]:
                holder[name] = holder = dict(holder.get(name, {}))
            holder[path[-1]] = {**holder.get(path[-1], {}), **new.pop(path)}
    return result, new


def _parted(table: Mapping[str, Value | NewTable]) -> tuple[list[str], dict[str, NewTable]]:
    """Return the keys of a new table as they are written, and the tables in it."""
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    return [pair(key, value) for key, value in table.items() if key not in inner], inner


def _sorted(made: list[Splice]) -> list[Splice]:
    """Sort the splices by place, insertions at one place by their order, and join overlapping removals."""
    result: list[Splice] = []
    for splice in sorted(made, key=lambda splice: (splice.start, splice.end)):
        if result and splice.start < result[-1].end:
            last = result[-1]
            if splice.text or last.text:
                raise CannotWrite(splice.start, "two of the requested changes overlap here")
            result[-1] = Splice(last.start, max(last.end, splice.end), "")
        else:
            result.append(splice)
    return result


def _put(layout: Layout, path: KeyPath, value: str) -> Splice:
    """Return the splice that replaces the value of a key, or adds the key to its table."""
    entry = layout.entry(path)
    if entry is not None:
        return Splice(entry.value, entry.end, value)
    table, key = path[:-1], str(path[-1])
    if statements := layout.statements(table):
        last = statements[-1]
        end = layout.line_end(last.end)
        # Written like the line above it: its indentation, a dotted prefix, and the blanks around its equals sign.
        prefix = layout.text[layout.line_start(last.start) : last.name]
        equals = layout.text.rindex("=", last.name, last.value)
        sign = " = " if layout.text[equals - 1].isspace() else "="
        return Splice(end, end, f"{layout.newline_at(end)}{prefix}{key}{sign}{value}")
    if (written := layout.table(table)) is not None:
        end = layout.line_end(written.header.end)
        return Splice(end, end, f"{layout.newline_at(end)}{key} = {value}")
    if (holder := layout.enclosing_value((*table, ""))) is not None:
        raise CannotWrite(holder.start, f"{dotted(table)} has no table of its own in this value")
    return _add(layout, table, [f"{key} = {value}"])


def _put_element(layout: Layout, path: KeyPath, index: int, value: str) -> Splice:
    element = layout.entry((*path, index))
    if element is None:
        raise CannotWrite(layout.first_offset(path), f"{dotted(path)} is not written as one array")
    return Splice(element.value, element.end, literal(value, layout.text[element.value : element.end]))


def _rename(layout: Layout, path: KeyPath, name: str) -> list[Splice]:
    quoted = dotted((name,))
    if removal.tables(layout, path):
        headers = [entry for entry in layout.entries_below(path) if entry.kind == HEADER]
        return [Splice(*header_part(layout.text, header, len(path) - 1), quoted) for header in headers]
    entry = layout.entry(path)
    if entry is None:
        raise CannotWrite(layout.first_offset(path), f"{dotted(path)} is not written as one table")
    equals = layout.text.rindex("=", entry.name, entry.value)
    return [Splice(entry.name, entry.name + len(layout.text[entry.name : equals].rstrip(" \t")), quoted)]


def _add(
    layout: Layout, path: KeyPath, pairs: list[str], inner: Mapping[str, NewTable] = MappingProxyType({})
) -> Splice:
    if len(path) > 1 and (last := layout.last_dotted(path[:2])) is not None:
        return _add_dotted(layout, last, _sections(path, pairs, inner))
    end, blank_lines = _insertion_point(layout, path)
    newline = layout.newline_at(end)
    blank = newline * (blank_lines + 1)
    text = blank.join(newline.join([f"[{dotted(table)}]", *keys]) for table, keys in _sections(path, pairs, inner))
    return Splice(end, end, blank + text)


def _sections(path: KeyPath, pairs: list[str], inner: Mapping[str, NewTable]) -> Iterator[tuple[KeyPath, list[str]]]:
    """Yield the path and the keys of a new table, and of each table in it that needs a header."""
    if pairs or not inner or len(path) == 2:
        yield path, pairs
    for key, table in inner.items():
        yield from _sections((*path, key), *_parted(table))


def _add_dotted(layout: Layout, last: Entry, sections: Iterable[tuple[KeyPath, list[str]]]) -> Splice:
    """Add the keys of tables in an account, or in another table, below the dotted keys it is written with, in their style."""
    end = layout.line_end(last.end)
    indent = layout.text[layout.line_start(last.start) : last.start]
    newline = layout.newline_at(end)
    text = ""
    for path, pairs in sections:
        prefix = indent + ".".join([key_prefix(layout.text, last, path[:2]), *filter(None, [dotted(path[2:])])])
        text += "".join(f"{newline}{prefix}.{pair}" for pair in pairs)
    return Splice(end, end, text)


def _insertion_point(layout: Layout, path: KeyPath) -> tuple[int, int]:
    """Return the end of the line below which a new table goes, and the number of blank lines between them."""
    anchor: Table | None
    if path[0] == "accounts" and len(path) > 2:  # a source goes below its account
        anchor = neighbour = layout.with_subtables(path[:2])
        if anchor is None:
            raise CannotWrite(layout.first_offset(path[:2]), f"{dotted(path[:2])} is not written as one table")
    elif path[0] == "accounts":
        anchor = layout.last_of_domain(str(path[1]).rpartition("@")[2])
        neighbour = anchor or layout.last_account
    else:
        anchor = layout.last_table(_TOP_ORDER[: _TOP_ORDER.index(str(path[0])) + 1])
        neighbour = layout.following(anchor) or anchor if anchor is not None else None
    if anchor is not None:
        end = anchor.end
    elif path[0] == "accounts":
        end = layout.content_before(len(layout.text))
    else:
        end = layout.end_of_root_keys
    # As many blank lines as above the neighbour, unless that is the first table of the file, which needs none.
    blank_lines = 1
    if path[0] == "accounts" and len(path) > 2:
        neighbour = layout.last_below(path[:2])
    if neighbour is not None and layout.content_before(neighbour.start) > 0:
        blank_lines = layout.blank_lines_above(neighbour.start)
    if layout.is_comment(layout.line_start(end), end):
        blank_lines = max(blank_lines, 1)  # touching the header, the comment would become the new table's
    return end, blank_lines
