"""Mistakes in keys and headers: missing quotes, wrong separators between key and value, duplicates."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import tomli

from mailpolicy.diagnostics import KeyPath, dotted
from mailpolicy.policy.names import NameRejected, account_address, short
from mailpolicy.store import locate
from mailpolicy.store.mistakes.stop import STRING, WORD, Mistake, Stop
from mailpolicy.store.tables import ACCOUNT

_BARE = re.compile("[A-Za-z0-9_-]+")
_QUOTES_AND_BRACKETS = frozenset("\"'[]\\")
_EQUALS = re.compile("[ \t]*=")
# An address with what may stand before and after it in a dotted key.
_ADDRESS = re.compile(rf"(accounts\.|)([^\s@]+@[^\s@]+?)((?:\.sources\.[A-Za-z0-9_-]+)?(?:\.(?:{'|'.join(ACCOUNT)}))?)")
_SEPARATOR = re.compile(":=|:|=>|->|==")


class _Header(NamedTuple):
    """The header on a line: its brackets, and the start and the text of what stands between them."""

    opening: str
    start: int
    name: str
    closing: str


def _header(text: str, start: int, end: int) -> _Header | None:
    """Return the header on the line from `start` to `end`, closed or not, without the comment behind it."""
    bracket = text.find("[", start, end)
    if bracket < 0:
        return None
    opening = "[[" if text.startswith("[[", bracket, end) else "["
    inside = text[bracket + len(opening) : end].partition("#")[0].rstrip(" \t")
    name = inside.rstrip("]")
    return _Header(opening, bracket + len(opening), name, inside[len(name) :])


def address(stop: Stop) -> Iterator[Mistake]:
    """Yield an address that is a key or part of one, without quotes."""
    if stop.in_header:
        start, end = stop.line
        header = _header(stop.text, start, end)
        right = _with_address_quoted(header.name.strip()) if header is not None else None
        if header is not None and right is not None:
            right = f"{header.opening}{right}{']' * len(header.opening)}"
            yield Mistake(header.start, f"an address must be in quotes: write {right}", start, end, right)
    elif stop.token is not None and stop.token.kind == WORD and stop.key == []:
        start = stop.token.start
        written = stop.shown(stop.token).rstrip(":")
        right = _with_address_quoted(written)
        if right is not None:
            yield Mistake(start, f"an address must be in quotes: write {right}", start, start + len(written), right)


def _with_address_quoted(key: str) -> str | None:
    """Return a dotted key with its address in quotes; None if it has none, or more than that: it may be a password."""
    found = _ADDRESS.fullmatch(key)
    if found is None:
        return None
    try:
        account_address(found[2])
    except NameRejected:
        return None
    return f'{found[1]}"{found[2]}"{found[3]}'


def unquoted(stop: Stop) -> Iterator[Mistake]:
    """Yield a key with a character that only a key in quotes may have."""
    message = "a key with other characters than A-Z a-z 0-9 _ - must be in quotes"
    if stop.in_header:
        start, end = stop.line
        header = _header(stop.text, start, end)
        if header is None or not header.closing or set(header.name) & _QUOTES_AND_BRACKETS:
            return
        parts = [part.strip() for part in header.name.split(".")]
        right = _quoted(parts)
        if right is not None:
            at = next(stop.text.index(part, header.start) for part in parts if not _BARE.fullmatch(part))
            right = f"{header.opening}{right}{header.closing}"
            yield Mistake(at, f"{message}: write {short(right)}", start, end, right)
    elif stop.token is not None and stop.token.kind == WORD and stop.key == []:
        text = stop.shown(stop.token)
        right = _quoted(text.split("."))
        if right is not None and _EQUALS.match(stop.text, stop.token.end) and ":" not in text:
            # The key is not repeated: it may be a line of another file, with a password.
            yield Mistake(stop.token.start, message, stop.token.start, stop.token.end, right)


def _quoted(parts: list[str]) -> str | None:
    """Return a dotted key with those parts in quotes that need them; None if there are none, or if a part is empty."""
    if not all(parts) or all(_BARE.fullmatch(part) for part in parts):
        return None
    return ".".join([part if _BARE.fullmatch(part) else f'"{part}"' for part in parts])


def separator(stop: Stop) -> Iterator[Mistake]:
    """Yield text between a key and its value that is not a single =, or a missing =."""
    last = stop.last
    found = _SEPARATOR.match(stop.text, stop.pos)
    if stop.key is not None and found is not None and found[0] != "==" and (stop.key or stop.pos > stop.start):
        message = f"write = between a key and its value, not {found[0]}"
        yield Mistake(stop.pos, message, stop.pos, found.end(), "=")
    elif stop.character in ("=", ">") and last is not None and last.kind == "=":
        wrong = f"={stop.text[last.end : stop.pos]}{stop.character}"
        yield Mistake(last.start, f"write = between a key and its value, not {wrong}", stop.pos, stop.pos + 1, " ")
    elif stop.key and (last is None or last.kind in (WORD, STRING)):
        if stop.at_end:
            at = stop.key[-1].end
            yield Mistake(at, "a key needs a value: write = and the value", at, at, " = 0", unfinished=True)
        elif stop.text[stop.pos - 1 : stop.pos] in (" ", "\t") and stop.character not in ("=", ".", ",", "]", "}"):
            message = "the = between a key and its value is missing: write it here"
            yield Mistake(stop.pos, message, stop.pos, stop.pos, "= ")


def unclosed_header(stop: Stop) -> Iterator[Mistake]:
    """Yield a header without its closing bracket."""
    last = stop.last
    if last is None or not stop.in_header or not stop.brackets:
        return
    closing = "]" * len(stop.brackets)
    one_stands = stop.character == "]" and "]" not in stop.text[stop.pos + 1 : stop.line[1]]
    if stop.at_end or one_stands:
        message = f"the header is not closed: write {closing} at its end"
        yield Mistake(last.end, message, last.end, last.end + one_stands, closing, unfinished=True)


def twice(stop: Stop) -> Iterator[Mistake]:
    """Yield a table or a key that is there already."""
    end = stop.line_around(stop.pos)[1]
    statement = stop.text[stop.start : end]
    try:
        tomli.loads(statement)
    except ValueError:
        return  # it cannot be read even alone
    entry = deque(_written(stop.text[:end]), maxlen=1).pop()
    first = _first(_written(stop.text[: stop.start]), entry.path)
    if first is None:
        return
    line = stop.text.count("\n", 0, first.start) + 1
    header = entry.kind == locate.HEADER
    written = short(stop.text[entry.start : entry.end if header else entry.value].rstrip("= \t"))
    other = short(stop.text[first.start : first.end])
    if first.kind == locate.KEY and len(first.path) < len(_named(entry.path)):
        message = (
            f"{written} adds to {short(dotted(first.path))}, which has its value on line {line}: write all of it there"
        )
    elif not header:
        message = f"{written} is already on line {line}: keep one of the two"
    elif first.kind == locate.KEY:
        message = f"{written} is already given by {short(dotted(first.path))} on line {line}: put both into one table"
    elif written.startswith("[[") != other.startswith("[["):
        message = f"{written} is written {other} on line {line}: write both the same way"
    else:
        message = f"{written} is already on line {line}: put both into one table"
    instead = another(stop) if header else "\n" * statement.count("\n")
    yield Mistake(entry.start, message, stop.start, end, instead)


def another(stop: Stop) -> str:
    """Return a header that no other line has."""
    return f'["line {stop.number}"]'


def _written(text: str) -> Iterator[locate.Entry]:
    """Yield the headers of a text and the keys below them, not those within values."""
    return (entry for entry in locate.entries(text) if entry.kind in (locate.HEADER, locate.KEY))


def _first(entries: Iterable[locate.Entry], path: KeyPath) -> locate.Entry | None:
    """Return the first entry that writes a key or something below it, or a value above it, which cannot be added to."""
    named = _named(path)
    for entry in entries:
        if entry.path[: len(named)] == named or (entry.kind == locate.KEY and path[: len(entry.path)] == entry.path):
            return entry
    return None


def _named(path: KeyPath) -> KeyPath:
    """Return the path as its header names it: without the index in an array of tables."""
    return path[:-1] if isinstance(path[-1], int) else path


def twice_inline(stop: Stop) -> Iterator[Mistake]:
    """Yield a key that an inline table has twice."""
    if not stop.brackets or stop.brackets[-1].kind != "{" or stop.character not in (",", "}"):
        return
    depth, keys, tokens = 0, [], [token for token in stop.tokens if token.start > stop.brackets[-1].start]
    for token, after in pairwise(tokens):
        depth += (token.kind in "[{") - (token.kind in "]}")
        if depth == 0 and after.kind == "=" and token.kind in (WORD, STRING):
            keys.append((stop.shown(token).strip("\"'"), token.start))
    if keys and keys[-1][0] in [name for name, _ in keys[:-1]]:
        name, at = keys[-1]
        yield Mistake(
            at,
            f"{short(name)} is already in this inline table: keep one of the two",
            at,
            stop.pos,
            f'"line {stop.number}" = 0',
        )
