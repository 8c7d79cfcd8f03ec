"""Tables for a terminal.

Promises: every cell is text and nothing else, no markup and no control character gets through; a line ends between words
and never within one, so that an address or a FILE:LINE can be copied, unless it alone is wider than the terminal. Imported
on a terminal only, as rich costs start-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailpolicy.policy.names import printable

_GAP = 3  # between two columns of the box below


def drawn(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The table as the terminal shows it; where its words do not fit side by side, a block of lines for each row."""
    cells = [[printable(cell) for cell in row] for row in rows]
    console = Console(highlight=False, markup=False, emoji=False)
    widths = _widths([columns, *cells], console.width)
    with console.capture() as capture:
        if widths is None:
            console.print(_blocks(columns, cells, console.width), soft_wrap=True, end="")
        else:
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
            for column, width in zip(columns, widths, strict=True):
                table.add_column(Text("\n".join(_lines(column, width))), width=width, no_wrap=True, overflow="ignore")
            for row in cells:
                table.add_row(*(Text("\n".join(_lines(*cell))) for cell in zip(row, widths, strict=True)))
            console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _widths(rows: Sequence[Sequence[str]], whole: int) -> list[int] | None:
    """How wide each column is, long cells going on in a second line; None where some word would have to be broken."""
    columns = list(zip(*rows, strict=True))
    wanted = [max(map(cell_len, cells)) for cells in columns]
    widths = [max(_longest_word(cell) for cell in cells) for cells in columns]
    spare = whole - _GAP * (len(columns) - 1) - sum(widths)
    if spare < 0:
        return None
    for column in sorted(range(len(columns)), key=lambda column: wanted[column] - widths[column]):
        more = min(wanted[column] - widths[column], spare)
        widths[column] += more
        spare -= more
    return widths


def _longest_word(cell: str) -> int:
    return max(map(cell_len, cell.split(" ")))


def _lines(cell: str, width: int) -> list[str]:
    """The cell in lines of that width, parted at blanks; rich's own wrapping breaks words of wide characters."""
    first, *words = cell.split(" ")
    lines = [first]
    for word in words:
        if cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _blocks(columns: Sequence[str], rows: Iterable[Sequence[str]], whole: int) -> Text:
    """For each row its first cell, and below it each other one that is not empty beside the name of its column."""
    indent = max(map(cell_len, columns[1:]), default=0) + len("  : ")
    text = Text()
    for row in rows:
        text.append(f"{row[0]}\n", "bold")
        for column, cell in zip(columns[1:], row[1:], strict=True):
            if not cell:
                continue
            label, margin = f"  {column}:", indent
            if indent + _longest_word(cell) > whole:
                text.append(f"{label}\n")
                label, margin = "", len("    ")
            for line in _lines(cell, whole - margin):
                text.append(f"{label.ljust(margin)}{line}\n")
                label = ""
    return text
