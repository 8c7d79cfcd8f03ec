"""Tables and pages on a terminal, through the user's pager."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import islice

from mailpolicy.cli.context import Context
from mailpolicy.cli.pager import paged
from mailpolicy.render import colour, page, table

Write = Callable[[str], None]

_AT_ONCE = 500  # lines


def show_table(
    context: Context,
    write: Write,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    of: str | None = None,
    optional: str | None = None,
    *,
    whole: bool = False,
) -> None:
    """Write a table as wide as the terminal; a list, of things that `of` names, through the pager.

    With `whole` all columns are shown, and of a table that is too wide each row becomes a block of lines.
    """
    ellipsis = "\u2026" if (sys.stdout.encoding or "").lower().startswith("utf") else "..."
    named = None if whole else of
    lines = table.table(columns, rows, _width(), of=named, optional=optional, ellipsis=ellipsis, paint=_paint(context))
    _show(context.pager if of is not None else None, write, lines)


def show_page(context: Context, write: Write, sections: Iterable[page.Section]) -> None:
    """Write a page of facts."""
    _show(context.pager, write, page.page(sections, _width(), _paint(context)))


def show_text(context: Context, write: Write, text: str) -> None:
    """Write a text as it is, through the pager."""
    _show(context.pager, write, iter(text.split("\n")))


def _width() -> int:
    return max(shutil.get_terminal_size().columns, 40)


def _paint(context: Context) -> table.Paint:
    return colour.painted if context.color else table.plain


def _show(pager: str | None, write: Write, lines: Iterator[str]) -> None:
    with paged(pager, os.environ) if pager is not None else nullcontext():
        while part := list(islice(lines, _AT_ONCE)):
            write("".join([f"{line}\n" for line in part]))
