"""Mistakes in strings: a quote that is left open, a backslash that escapes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailpolicy.store.mistakes.stop import OPEN, STRING, Mistake, Stop

_MOST_ENDS = 3  # tried one after the other; each costs a parse


def backslash(stop: Stop) -> Iterator[Mistake]:
    """Yield the backslash of a Windows path, or any other that does not start an escape."""
    token = stop.token
    if token is None or token.kind not in (STRING, OPEN) or stop.text[token.start] != '"':
        return
    at = stop.text.rfind("\\", token.start, min(stop.pos, token.end))
    if at < 0:
        return
    message = (
        "this backslash does not start an escape: write \\\\ for a backslash, or put the text between single quotes"
    )
    string = stop.shown(token)
    yield Mistake(at, message, token.start, token.end, string.replace("\\", "/"))
    yield Mistake(at, message, token.start, token.end, re.sub(r'\\(?!")', "/", string))


def left_open(stop: Stop) -> Iterator[Mistake]:
    """Yield a quote that is not closed: on its line, or at all if it is one of three."""
    token = stop.token
    if token is None or token.kind != OPEN:
        return
    start, end = stop.line
    mark = stop.text[token.start]
    column = token.start - start + 1
    if stop.text.startswith(mark * 3, token.start):
        message = (
            f"the quotes {mark * 3} opened in column {column} are not closed: write {mark * 3} at the end of the text"
        )
        # Where it should end nobody knows, so nothing behind it is read.
        yield Mistake(token.start, message, token.start, token.end, '""' + "\n" * stop.shown(token).count("\n"))
        return
    message = f"the quote opened in column {column} is not closed on this line: write {mark} at the end of the text"
    for length in _ends(stop.text[token.start + 1 : end], is_key=stop.key is not None):
        close = token.start + 1 + length
        yield Mistake(token.start, message, close, close, mark, unfinished=True)


def _ends(line: str, *, is_key: bool) -> Iterator[int]:
    """Yield the possible ends of a text whose line goes on after it: before commas and brackets, before a comment."""
    if is_key:
        yield len(line.partition("=")[0].rstrip(" \t"))
    comment = line.find(" #")
    for part in (line[:comment], line) if comment >= 0 else (line,):
        end = len(part.rstrip(" \t]},"))
        yield from range(end, min(end + _MOST_ENDS, len(part)))
        yield len(part)


def closed_late(stop: Stop) -> Iterator[Mistake]:
    """Yield a quote that is left open in a list, so that the next one, meant to open, closes it."""
    last = stop.last
    if last is None or last.kind != STRING or last.end != stop.pos or not stop.in_list:
        return
    comma = stop.text.find(",", last.start, last.end)
    if comma < 0:
        return
    mark = stop.text[last.start]
    message = f"the quote opened here is not closed before the comma: write {mark} at the end of the text"
    yield Mistake(last.start, message, comma, comma, mark)
