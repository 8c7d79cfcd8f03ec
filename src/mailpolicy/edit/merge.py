"""Merge two changes of one store, table by table; an account is one unit with all its tables."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from mailpolicy.edit.history import changes, words
from mailpolicy.edit.operations import Path
from mailpolicy.store import outline
from mailpolicy.store.locate import header_key
from mailpolicy.store.store import Store

_HEADER = re.compile(r"^[ \t]*\[", re.MULTILINE)
_TOP = "version"  # stands for the lines before the first table

Units = Mapping[Path, str]  # the lines of each table with the comment that touches it, in their order


class Merge:
    """Two changes of one store, `mine` and `theirs`, to be made one."""

    def __init__(self, base: Store, mine: Store, theirs: Store) -> None:
        self._stores = (base, mine, theirs)
        self._base, self._mine, self._theirs = map(_units, self._stores)

    @property
    def is_possible(self) -> bool:
        """Return whether the texts can be parted: none has errors, and none is written in a way that does not part tables."""
        _, mine, theirs = self._stores
        return None not in (self._base, self._mine, self._theirs) and mine.bom == theirs.bom

    @property
    def clashes(self) -> list[Path]:
        """Return the tables that both changed, each in another way."""
        base, mine, theirs = self._base or {}, self._mine or {}, self._theirs or {}
        return [
            path
            for path in dict.fromkeys((*base, *mine, *theirs))
            if base.get(path) != mine.get(path) != theirs.get(path) != base.get(path)
        ]

    def result(self, *, mine_wins: bool = False) -> Store | None:
        """Return a store with both changes, or None if that cannot be. In a clash only `mine_wins` can decide."""
        clashes = self.clashes
        if not self.is_possible or (clashes and not mine_wins):
            return None
        base, mine, theirs = self._base or {}, self._mine or {}, self._theirs or {}
        changed = {path for path in (*base, *mine) if base.get(path) != mine.get(path)}
        _, my_store, _ = self._stores
        text = _joined(_placed(theirs, mine, changed))
        found = Store(my_store.path, my_store.bom + text.encode("utf-8"))
        return found if found.is_valid and self._is_proved(found.tree, clashes) else None

    def _is_proved(self, tree: Mapping[str, Any], clashes: Collection[Path]) -> bool:
        """Return whether a tree has the changes of both, and no other."""
        base, mine, theirs = (store.tree for store in self._stores)
        wanted, other, found = (_changes(base, one) for one in (mine, theirs, tree))
        lost = {path for path in other if any(path[: len(unit)] == unit for unit in clashes)}
        return found == {path: change for path, change in other.items() if path not in lost} | wanted


def named(path: Path) -> str:
    """Return the name of a unit in a message."""
    who, key = words.subject(path)
    return who if key in (who, "account", "template", "network") else f"{who} {key}"


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[Path, changes.TreeChange]:
    return {change.path: change for change in changes.find(old, new)}


def _units(store: Store) -> Units | None:
    """Return the units of a store; None if it has errors, or does not part them."""
    if not store.is_valid or (found := outline.outline(store.text)) is None:
        return None
    text = store.text
    starts: list[tuple[int, Path]] = [(piece.start, ("accounts", piece.key)) for piece in found.accounts if piece.key]
    for piece in found.head:
        for match in _HEADER.finditer(text[piece.start : piece.end]):
            if (path := header_key(text, piece.start + match.end() - 1)) is None:
                return None
            starts.append((piece.start + match.start(), path))
    begins = [(_with_comment(text, start), path) for start, path in sorted(starts)]
    if len({path for _, path in begins}) < len(begins):
        return None
    begins.insert(0, (0, (_TOP,)))
    ends = [start for start, _ in begins[1:]] + [len(text)]
    return {path: text[start:end] for (start, path), end in zip(begins, ends, strict=True)}


def _with_comment(text: str, start: int) -> int:
    """Return where the comment begins that touches a header, with the blank lines before it."""
    for belongs in (lambda line: line.startswith("#"), lambda line: not line):
        while start and belongs(text[(before := text.rfind("\n", 0, start - 1) + 1) : start].strip()):
            start = before
    return start


def _placed(frame: Units, put: Units, changed: Collection[Path]) -> list[str]:
    """Return the units of `frame`, the changed ones as they are in `put`: another text, removed, or behind the same one."""
    result = [(path, put.get(path, text) if path in changed else text) for path, text in frame.items()]
    result = [(path, text) for path, text in result if path not in changed or path in put]
    previous: Path | None = None
    for path, text in put.items():
        if path in changed and path not in frame:
            places = [index for index, (one, _) in enumerate(result) if one == previous]
            result.insert(places[-1] + 1 if places else len(result), (path, text))
        previous = path
    return [text for _, text in result]


def _joined(texts: list[str]) -> str:
    """Return the text; a unit that was the last of its file may lack its line ending."""
    newline = "\r\n" if any("\r\n" in text for text in texts) else "\n"
    texts = [text for text in texts if text]
    return "".join([*(text if text.endswith("\n") else text + newline for text in texts[:-1]), *texts[-1:]])
