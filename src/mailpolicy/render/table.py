"""Tables for a terminal.

Promises: every cell is text and nothing else, no markup and no control character gets through. Imported on a terminal
only, as rich costs start-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailpolicy.names import printable


def drawn(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The table as the terminal shows it, as wide as the terminal at most; long cells go on in a second line."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
