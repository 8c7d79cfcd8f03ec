"""Tables for a terminal. A cell is text only: no markup and no control character gets through.

If a table is too wide, its longer cells wrap between words. If that is not enough, a list of things stays a table, with
its first column shortened and, in the last resort, words broken; in any other table each row becomes a block of lines,
so that a key or FILE:LINE stays whole and can be copied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size

from mailpolicy.policy.names import counted, printable

_GAP = 2  # blanks between two columns
_SHORT_KEY = 20  # characters of the first column; an optional column is left out before it gets shorter
_SHORTEST_KEY = 16  # characters of the first column; the others are broken before it gets shorter
_SHORT = 12  # characters of a cell that stays in one line, though it has blanks
_SHORTEST = 8  # characters of any other column

Paint = Callable[[str, str], str]  # a style's name and a text


def plain(_style: str, text: str) -> str:
    """Return the text as it is."""
    return text


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    width: int,
    *,
    of: str | None = None,
    optional: str | None = None,
    ellipsis: str = "...",
    paint: Paint = plain,
) -> Iterator[str]:
    """Yield the lines of a table that is at most `width` cells wide, if that is possible at all.

    `of` names the rows, such as `account`: then a column in which two or more of them agree is said below the table.
    The column `optional` is left out, and that said below, if the first one had to be shortened a lot for it.
    """
    whole = [[printable(cell) for cell in row] for row in rows]
    shown, agreed = _parted(columns, whole) if of is not None and len(whole) > 1 else (list(range(len(columns))), [])
    heading, cells, wanted, narrowest = _laid_out(columns, whole, shown, width)
    left_out: str | None = None
    room = width - sum(narrowest[1:]) - _GAP * (len(shown) - 1)
    if optional is not None and columns.index(optional) in shown and room < min(narrowest[0], _SHORT_KEY):
        left_out = optional
        shown = [index for index in shown if columns[index] != optional]
        heading, cells, wanted, narrowest = _laid_out(columns, whole, shown, width)
    if of is None and sum(narrowest) + _GAP * (len(shown) - 1) > width:
        yield from _blocks(columns, whole, width, paint)
        return
    widths = _fitted(wanted, narrowest, width)
    yield from (paint("heading", line) for line in _row(heading, widths, ellipsis, plain))
    keys = [_shortened(row[0], widths[0], ellipsis) for row in cells] if wanted[0] > widths[0] else []
    # Keys that would look the same when shortened are wrapped instead, so that the rows can be told apart.
    alike = {key for key, count in Counter(keys).items() if count > 1}
    for row, key in zip_longest(cells, keys, fillvalue=""):
        yield from _row(row, widths, ellipsis, paint, whole=key in alike)
    if agreed or left_out is not None:
        yield ""
    if left_out is not None:
        yield from wrapped(f"Left out, as the terminal is too narrow: {left_out}", width)
    if agreed:
        told = ", ".join([f"{columns[index]} {value}" for index, value in agreed])
        number = f"both {of}s" if len(cells) == 2 else f"all {counted(len(cells), str(of))}"
        yield from wrapped(f"The same for {number}: {told}", width)


def _laid_out(
    columns: Sequence[str], rows: Sequence[Sequence[str]], shown: Sequence[int], width: int
) -> tuple[list[str], list[list[str]], list[int], list[int]]:
    """Return the heading and the rows of the columns `shown`, with the preferred and the smallest widths."""
    heading = [columns[index].upper() for index in shown]
    cells = [[row[index] for index in shown] for row in rows]
    return heading, cells, *_measured([heading, *cells], width)


def _parted(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[int], list[tuple[int, str]]]:
    """Return the columns whose rows differ, with the first one; and the others, each with its only value."""
    shown, agreed = [0], []
    for index in range(1, len(columns)):
        value = rows[0][index]
        if all(row[index] == value for row in rows):
            agreed.append((index, value))
        else:
            shown.append(index)
    return shown, agreed


def _measured(rows: Sequence[Sequence[str]], whole: int) -> tuple[list[int], list[int]]:
    """Return the preferred width of each column, and its smallest width that breaks no word."""
    wanted = [0] * len(rows[0])
    for row in rows:
        for index, cell in enumerate(row):
            # Nearly all cells are ASCII, and a list may have a hundred thousand rows.
            size = len(cell) if cell.isascii() else cell_len(cell)
            if size > wanted[index]:
                wanted[index] = size
    if sum(wanted) + _GAP * (len(wanted) - 1) <= whole:
        return wanted, wanted
    longest = (max(_longest_word(row[index]) for row in rows) for index in range(1, len(wanted)))
    narrowest = [max(size, min(most, _SHORT)) for size, most in zip(longest, wanted[1:], strict=True)]
    return wanted, [max(_longest_word(row[0]) for row in rows), *narrowest]


def _fitted(wanted: Sequence[int], narrowest: Sequence[int], whole: int) -> list[int]:
    """Return the widths: as narrow as need be, the first column shortened before a word of another one is broken."""
    widths = list(narrowest)
    room = whole - _GAP * (len(widths) - 1)
    if (missing := sum(widths) - room) > 0:
        widths[0] = max(widths[0] - missing, min(widths[0], _SHORTEST_KEY))
    while sum(widths) > room:
        widest = max(range(1, len(widths)), key=widths.__getitem__, default=0)
        if widths[widest] <= _SHORTEST:
            break
        widths[widest] -= 1
    spare = room - sum(widths)
    for index in sorted(range(len(widths)), key=lambda index: wanted[index] - widths[index]):
        more = max(0, min(wanted[index] - widths[index], spare))
        widths[index] += more
        spare -= more
    return widths


def _longest_word(cell: str) -> int:
    return max(map(cell_len, cell.split(" ")))


def _row(
    cells: Sequence[str], widths: Sequence[int], ellipsis: str, paint: Paint, *, whole: bool = False
) -> Iterator[str]:
    if all(len(cell) <= width and cell.isascii() for cell, width in zip(cells, widths, strict=True)):
        padded = [paint(cell, cell.ljust(width)) for cell, width in zip(cells, widths, strict=True)]
        yield (" " * _GAP).join(padded).rstrip()
        return
    key = (
        [_shortened(cells[0], widths[0], ellipsis)]
        if " " not in cells[0] and not whole
        else wrapped(cells[0], widths[0])
    )
    columns = [key, *(wrapped(cell, width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
    for parts in zip_longest(*columns, fillvalue=""):
        padded = [
            paint(cell, set_cell_size(part, width)) for cell, part, width in zip(cells, parts, widths, strict=True)
        ]
        yield (" " * _GAP).join(padded).rstrip()


def _shortened(text: str, width: int, ellipsis: str) -> str:
    """Shorten a text in the middle, as addresses differ in their beginning and in the end of the domain."""
    if cell_len(text) <= width:
        return text
    room = width - len(ellipsis)
    head, tail = room - room // 2, room // 2
    # Wide characters take two cells each.
    while head and cell_len(text[:head]) > room - room // 2:
        head -= 1
    while tail and cell_len(text[len(text) - tail :]) > room // 2:
        tail -= 1
    return f"{text[:head]}{ellipsis}{text[len(text) - tail :]}"


def wrapped(text: str, width: int, *, break_words: bool = True) -> list[str]:
    """Wrap a text between words; a word that is wider than a line is broken, or left whole."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        while break_words and cell_len(word) > width:
            taken = 1
            while cell_len(word[: taken + 1]) <= width:
                taken += 1
            lines[-1] = word[:taken]
            lines.append("")
            word = word[taken:]
        lines[-1] = word
    return lines


def _blocks(columns: Sequence[str], rows: Iterable[Sequence[str]], width: int, paint: Paint) -> Iterator[str]:
    """Yield a block for each row: its first cell, then the other cells with the names of their columns."""
    indent = max(map(cell_len, columns[1:]), default=0) + len("  : ")
    for row in rows:
        yield paint("heading", row[0])
        for column, cell in zip(columns[1:], row[1:], strict=True):
            label, margin = f"  {column}:", indent
            if cell and indent + _longest_word(cell) > width:
                yield label
                label, margin = "", len("    ")
            for line in wrapped(cell, max(width - margin, 1), break_words=False) if cell else ():
                yield f"{label.ljust(margin)}{line}"
                label = ""
