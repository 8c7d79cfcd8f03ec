"""Keys of very many accounts, where each is written plainly on a line of its own: found by looking, not by laying out.

Promises: the same splices as a layout of the whole text would give, several times sooner; what is not written plainly
is left to the layout.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from mailpolicy import slices
from mailpolicy.edit.hunks import Splice
from mailpolicy.edit.operations import Drop, Operation, Put

_HEADER = re.compile(r"[ \t]*+\[[^\]\n]*+\][ \t]*+(?:#[^\r\n]*+)?+(?=\r?\n|\Z)")  # no address has a bracket in it
# A line with its newline before it: a key with a plain value, or nothing, or a comment.
_LINE = re.compile(
    r"""\r?\n (?: ([ \t]*+) ([A-Za-z0-9_-]++) ([ \t]*+) =[ \t]*+ ([a-z]++ | [0-9]++ | "[^"\\\n]*+" | '[^'\n]*+')
               [ \t]*+ (?:\#[^\r\n]*+)?+
             | [ \t]*+ (?:\#[^\r\n]*+)?+ )
        (?=\r?\n|\Z)""",
    re.VERBOSE,
)
_SUBTABLE = re.compile(r"\r?\n[ \t]*+\[")


def splices(
    text: str,
    newline: str,
    operations: Sequence[Operation],
    literal: Callable[..., str],
    laid_out: Callable[[int, int, Sequence[Operation]], list[Splice]],
) -> list[Splice] | None:
    """The splices that put and drop keys of accounts, in the order of the text; None where a full layout must tell.

    `laid_out` writes the operations on an account whose lines, from one offset to another, are not plain.
    """
    asked: dict[str, list[Put | Drop]] = {}
    for operation in operations:
        if not isinstance(operation, Put | Drop) or len(operation.path) != 3 or operation.path[0] != "accounts":
            return None
        asked.setdefault(operation.path[1], []).append(operation)
    if newline == "\r\n" and text.count("\r\n") != text.count("\n"):  # each line has its own then
        return None
    if (found := slices.outline(text)) is None:
        return None
    made: list[Splice] = []
    for key, start, end, _ in found.accounts:
        wanted = asked.pop(key or "", None)
        if wanted is not None:
            written = _in_account(text, start, end, wanted, literal, newline)
            made += written if written is not None else laid_out(start, end, wanted)
    return made if not asked else None


def _in_account(
    text: str, start: int, end: int, operations: Iterable[Put | Drop], literal: Callable[..., str], newline: str
) -> list[Splice] | None:
    header = _HEADER.match(text, start, end)
    if header is None:
        return None
    statements: dict[str, re.Match[str]] = {}
    position = header.end()
    last: re.Match[str] | None = None
    while position < end and (line := _LINE.match(text, position, end)) is not None:
        position = line.end()
        if (name := line[2]) is not None:
            statements[name] = last = line
    if position < end and _SUBTABLE.match(text, position, end) is None:
        return None
    made: list[Splice] = []
    for operation in operations:
        line = statements.get(operation.path[2])
        if isinstance(operation, Drop):
            if line is None:
                return None
            made.append(Splice(line.start(), line.end(), ""))
        elif line is not None:
            made.append(Splice(*line.span(4), literal(operation.value, line[4])))
        elif last is not None:
            equals = " = " if last[3] else "="
            new = f"{newline}{last[1]}{operation.path[2]}{equals}{literal(operation.value)}"
            made.append(Splice(last.end(), last.end(), new))
        else:
            made.append(
                Splice(header.end(), header.end(), f"{newline}{operation.path[2]} = {literal(operation.value)}")
            )
    return sorted(made, key=lambda splice: (splice.start, splice.end))
