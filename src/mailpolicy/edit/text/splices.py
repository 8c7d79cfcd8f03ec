"""From operations to splices: how a change is written into a store's text.

Promises: only the spans that an operation needs are touched; a comment goes with the key, the table or the element it
belongs to and with nothing else. What the text's style does not let it write safely it refuses, naming the line.
tomlkit writes what changes the structure of a value, and is handed that value alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.edit.operations import Add, Amend, Drop, Operation, Put, PutList, Rename, Scalar
from mailpolicy.edit.text import inline, removal
from mailpolicy.edit.text.diff import Splice, spliced
from mailpolicy.edit.text.layout import Block, CannotWrite, Layout, newline_of
from mailpolicy.store import outline
from mailpolicy.store.locate import HEADER, Entry, comments, part_of_header
from mailpolicy.store.outline import Piece

_ORDER = ("version", "server", "defaults", "templates", "accounts")


def splices(text: str, operations: Sequence[Operation]) -> list[Splice]:
    """Return the splices that write the operations into a text, sorted and apart. Raises CannotWrite.

    If all of them are about keys of accounts, no more of the text is laid out than the lines of these.
    """
    newline = newline_of(text)
    asked: dict[str, list[Operation]] = {}
    for operation in operations:
        if len(operation.path) != 3 or operation.path[0] != "accounts":
            return _made(Layout(text, newline), operations)
        asked.setdefault(operation.path[1], []).append(operation)
    found = outline.outline(text)
    pieces = [piece for piece in found.accounts if piece.key in asked] if found is not None else []
    if len(pieces) != len(asked):
        return _made(Layout(text, newline), operations)
    return [splice for piece in pieces for splice in _in_piece(text, newline, piece, asked[str(piece.key)])]


def _in_piece(text: str, newline: str, piece: Piece, operations: Iterable[Operation]) -> list[Splice]:
    try:
        made = _made(Layout(text[piece.start : piece.end], newline), operations)
    except CannotWrite as reason:
        raise CannotWrite(piece.start + reason.offset, str(reason)) from None
    return [Splice(piece.start + start, piece.start + end, new) for start, end, new in made]


def _made(layout: Layout, operations: Iterable[Operation]) -> list[Splice]:
    made: list[Splice] = []
    filled: dict[Entry, list[str]] = {}
    dropped: list[KeyPath] = []
    for operation in _gathered(layout, operations):
        match operation:
            case Put(path, value) if (table := inline.empty_above(layout, path)) is not None:
                filled.setdefault(table, []).append(f"{path[-1]} = {literal(value)}")
            case Put(path, value):
                old = layout.at(path)
                made.append(_put(layout, path, literal(value, layout.text[old.value : old.end] if old else "")))
            case PutList(path, values):
                made.append(_put(layout, path, _array(layout, values)))
            case Amend(path, remove, append):
                made.append(_amend(layout, path, remove, append))
            case Drop(path):
                dropped.append(path)
            case Rename(path, name):
                made += _rename(layout, path, name)
            case Add(path, table):
                made.append(_add(layout, path, [f"{key} = {literal(value)}" for key, value in table.items()]))
    made += (inline.put(layout, table, ", ".join(pairs)) for table, pairs in filled.items())
    return _apart(made + removal.splices(layout, dropped))


def _gathered(layout: Layout, operations: Iterable[Operation]) -> list[Operation]:
    """The operations with all keys put into a table that is not written yet gathered into one new table."""
    result: list[Operation] = []
    fresh: dict[KeyPath, dict[str, Scalar]] = {}
    for operation in operations:
        if (
            isinstance(operation, Put)
            and layout.at(operation.path) is None
            and not layout.is_written(operation.path[:-1])
        ):
            table, key = operation.path[:-1], operation.path[-1]
            if table not in fresh:
                result.append(Add(table, fresh.setdefault(table, {})))
            fresh[table][key] = operation.value
        else:
            result.append(operation)
    return result


def _apart(made: list[Splice]) -> list[Splice]:
    """Sort by place, insertions at one place in the order in which they were made, and join overlapping removals."""
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


def literal(value: Scalar, like: str = "") -> str:
    """A value as TOML writes it on one line; in single quotes where the one that it replaces is."""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int) or (value.isascii() and value.isprintable() and '"' not in value and "\\" not in value):
        if not isinstance(value, str):
            return str(value)
        return f"'{value}'" if like.startswith("'") and "'" not in value else f'"{value}"'
    import tomlkit

    return tomlkit.item(value).as_string()


def _put(layout: Layout, path: KeyPath, written: str) -> Splice:
    entry = layout.at(path)
    if entry is not None:
        return Splice(entry.value, entry.end, written)
    table, key = path[:-1], str(path[-1])
    if statements := layout.statements(table):
        last = statements[-1]
        end = layout.line_end(last.end)
        prefix = layout.text[layout.line_start(last.start) : last.name]
        equals = "=" if _tight(layout, last) else " = "
        return Splice(end, end, f"{layout.newline_at(end)}{prefix}{key}{equals}{written}")
    if (block := layout.block(table)) is not None:
        end = layout.line_end(block.header.end)
        return Splice(end, end, f"{layout.newline_at(end)}{key} = {written}")
    if (value := layout.at(table)) is not None:
        return inline.put(layout, value, f"{key} = {written}")
    if (holder := layout.enclosing_value((*table, ""))) is not None:
        raise CannotWrite(holder.start, f"{dotted(table)} has no table of its own in this value")
    return _add(layout, table, [f"{key} = {written}"])


def _tight(layout: Layout, entry: Entry) -> bool:
    """Whether the neighbour is written without blanks around its equals sign."""
    equals = layout.text.rindex("=", entry.name, entry.value)
    return not layout.text[equals - 1].isspace()


def _array(layout: Layout, values: tuple[str, ...]) -> str:
    elements = layout.newline.join(f"    {literal(value)}," for value in values)
    return f"[{layout.newline}{elements}{layout.newline}]"


def _amend(layout: Layout, path: KeyPath, remove: tuple[int, ...], append: tuple[str, ...]) -> Splice:
    entry = layout.at(path)
    if entry is None:
        return _put(layout, path, _array(layout, append))

    spans = {index: layout.lines_of_element((*path, index)) for index in sorted(remove)}
    cut = [Splice(*span, "") for span in spans.values() if span is not None]
    gone = [index for index, span in spans.items() if span is not None]
    left = [index - sum(one < index for one in gone) for index, span in spans.items() if span is None]

    def change(array: Any) -> None:
        for index in reversed(left):
            del array[index]
        for value in append:
            array.append(value)

    splice = _with_tomlkit(layout, entry, change, cut)
    if not remove:
        before = [text for _, text in comments(layout.text[entry.value : entry.end])]
        if before != [text for _, text in comments(splice.text)]:
            raise CannotWrite(entry.start, "the comments of this array would not survive")
    return splice


def _with_tomlkit(
    layout: Layout, statement: Entry, change: Callable[[Any], None], without: Sequence[Splice] = ()
) -> Splice:
    """Let tomlkit change the value of one statement, and nothing else; `without` is left out of the value first."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        begin = statement.value
        cuts = [Splice(cut.start - begin, cut.end - begin, "") for cut in without]
        document = tomlkit.parse(f"value = {spliced(layout.text[begin : statement.end], cuts)}\n")
        change(document["value"])
        text = document["value"].as_string()
    except (TOMLKitError, ValueError, LookupError, TypeError) as error:
        raise CannotWrite(statement.start, f"this value cannot be edited safely ({type(error).__name__})") from None
    if layout.newline == "\r\n":
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    return Splice(statement.value, statement.end, text)


def _rename(layout: Layout, path: KeyPath, name: str) -> list[Splice]:
    quoted = dotted((name,))
    if removal.blocks(layout, path):
        headers = [entry for entry in layout.under(path) if entry.kind == HEADER]
        return [Splice(*part_of_header(layout.text, header, len(path) - 1), quoted) for header in headers]
    entry = layout.at(path)
    if entry is None:
        raise CannotWrite(layout.first(path), f"{dotted(path)} is not written as one table")
    stop = layout.text.rindex("=", entry.name, entry.value)
    return [Splice(entry.name, entry.name + len(layout.text[entry.name : stop].rstrip(" \t")), quoted)]


def _add(layout: Layout, path: KeyPath, pairs: list[str]) -> Splice:
    for length in range(len(path) - 1, 0, -1):  # an inline table is closed, so what is below it stands in its braces
        around = layout.at(path[:length])
        if around is not None and around.kind != HEADER and layout.text[around.value] == "{":
            inside = f"{{ {', '.join(pairs)} }}" if pairs else "{}"
            return inline.put(layout, around, f"{dotted(path[length:])} = {inside}")
    place, blank = _place_for(layout, path)
    newline = layout.newline_at(place)
    text = newline.join([f"[{dotted(path)}]", *pairs])
    return Splice(place, place, newline * (blank + 1) + text)


def _place_for(layout: Layout, path: KeyPath) -> tuple[int, int]:
    """Where a new table goes, as the end of a line, and how many blank lines part it from there."""
    anchor: Block | None
    if path[0] == "accounts" and len(path) > 2:  # a source goes below its account
        anchor = neighbour = layout.whole(path[:2])
        if anchor is None:
            raise CannotWrite(layout.first(path[:2]), f"{dotted(path[:2])} is not written as one table")
    elif path[0] == "accounts":
        anchor = layout.last_of_domain(str(path[1]).rpartition("@")[2])
        neighbour = anchor or layout.last_account
    else:
        anchor = neighbour = layout.last_header(_ORDER[: _ORDER.index(str(path[0])) + 1])
    if anchor is not None:
        end = anchor.end
    elif path[0] == "accounts":
        end = layout.content_before(len(layout.text))
    else:
        end = layout.end_of_roots
    blank = 1
    if neighbour is not None and layout.content_before(neighbour.start) > 0:
        blank = layout.blank_lines_above(neighbour.start)
    if layout.text[layout.line_start(end) : end].lstrip(" \t").startswith("#"):
        blank = max(blank, 1)  # touching the comment, the table would take it for its own
    return end, blank
