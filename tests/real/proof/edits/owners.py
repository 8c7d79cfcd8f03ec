"""Whose each line of a store is, found by the rules of docs/design.md and without the program's own scanner.

A comment block that touches a header from above is that table's. One among the keys of a table, or touching the last of them
from below and not the next header, is that table's too. All others are the file's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

import tomli

_KEY = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^="'#])*)=""")
HEADER, KEY, COMMENT, BLANK = "header", "key", "comment", "blank"
Path = tuple[str, ...]


class Line(NamedTuple):
    """A header, a comment, a blank line, or a whole `key = value`, and the path of what it belongs to."""

    kind: str
    owner: Path
    text: str


def owned_lines(text: str) -> list[Line]:
    found: list[Line] = []
    lines = text.removeprefix("\ufeff").split("\n")
    if lines[-1] == "":
        lines.pop()
    table: Path = ()
    number = 0
    while number < len(lines):
        line, number = lines[number], number + 1
        stripped = line.strip()
        if not stripped:
            found.append(Line(BLANK, (), line))
        elif stripped.startswith("#"):
            found.append(Line(COMMENT, (), line))
        elif stripped.startswith("["):
            table = _header(line)
            found.append(Line(HEADER, table, line))
        else:
            while (key := _statement(line)) is None:
                line, number = f"{line}\n{lines[number]}", number + 1
            found.append(Line(KEY, (*table, *key), line))
    return _with_owners(found)


def _with_owners(found: list[Line]) -> list[Line]:
    table: Path = ()
    last = -1  # the last header or key
    touching: list[int] = []  # comments since then that no blank line parts from it
    since: list[int] = []  # all comments since then
    block: list[int] = []  # the comments just above
    for number, line in enumerate(found):
        match line.kind:
            case "blank":
                block = []
            case "comment":
                since.append(number)
                block.append(number)
                if last == number - 1 - len(touching):
                    touching.append(number)
            case "header":
                for comment in touching if touching != block else ():
                    found[comment] = found[comment]._replace(owner=table)
                table = line.owner
                for comment in block:
                    found[comment] = found[comment]._replace(owner=table)
            case _:
                for comment in since if last >= 0 else ():
                    found[comment] = found[comment]._replace(owner=table)
        if line.kind in (HEADER, KEY):
            last, touching, since, block = number, [], [], []
    for comment in touching:
        found[comment] = found[comment]._replace(owner=table)
    return found


@lru_cache(maxsize=100_000)
def _header(line: str) -> Path:
    return _only_path(tomli.loads(f"{line}\n"))


@lru_cache(maxsize=100_000)
def _statement(text: str) -> Path | None:
    """The path of a key, or None if its value goes on in the next line."""
    try:
        tomli.loads(f"{text}\n")
    except tomli.TOMLDecodeError:
        return None
    key = _KEY.match(text)
    assert key is not None
    return _only_path(tomli.loads(f"{key[1]}= 0"))


def _only_path(tree: Any) -> Path:
    path: list[str] = []
    while isinstance(tree, dict) and tree:
        ((name, tree),) = tree.items()
        path.append(name)
    return tuple(path)
