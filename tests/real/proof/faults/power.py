"""What a disk can hold after a power loss, from the record of all that a command changed in a folder.

A file's content is safe once it was synced; before that it is the old one, the new one, or a part of it. A name (made, renamed,
removed) is safe once its folder was synced; before that each change may have reached the disk or not, in whatever order, as
journalling file systems reorder what does not depend on each other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

FOLDER = -1
Names = dict[str, int]
State = dict[str, bytes]
"""The files of a folder by their names below it."""


class Operation(NamedTuple):
    """One recorded call: what it did, to which inode and names, and what was written where."""

    what: str
    inode: int
    one: str
    two: str
    offset: int
    data: bytes


class Content:
    """What a file holds now, and what of it was synced."""

    def __init__(self, synced: bytes) -> None:
        self.synced = self.now = synced

    def after_a_loss(self) -> list[bytes]:
        """Return what may be found, without repetition."""
        if self.now == self.synced:
            return [self.synced]
        half = self.now[: (len(self.synced) + len(self.now)) // 2]
        return list(dict.fromkeys([self.synced, self.now, half, b"\0" * len(self.now)]))


class Disk:
    """A folder as the operations change it."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._contents: list[Content] = []
        self._of_inode: dict[int, int] = {
            os.stat(folder).st_ino: FOLDER
        }  # a number is used again once its file is gone
        self._synced: Names = {}
        for path in folder.rglob("*"):
            if path.is_file():
                self._synced[self._name(str(path))] = self._new(path.stat().st_ino, path.read_bytes())
        self._now = dict(self._synced)
        self._pending: list[dict[str, int | None]] = []  # changes of names since the last sync of the folder

    def _new(self, inode: int, content: bytes) -> int:
        self._contents.append(Content(content))
        self._of_inode[inode] = len(self._contents) - 1
        return self._of_inode[inode]

    def _name(self, path: str) -> str:
        return os.path.relpath(path, self._folder) if path else ""

    def apply(self, operation: Operation) -> None:
        """Do what was done."""
        what, inode, one, two = operation.what, operation.inode, self._name(operation.one), self._name(operation.two)
        if what == "create":
            self._change({one: self._new(inode, b"")})
        elif what == "rename":
            self._change(
                {one: None, two: self._now[one]} if one in self._now else {}
            )  # a folder's name is not followed
        elif what == "link":
            self._change({two: self._now[one]})
        elif what == "unlink":
            self._change({one: None})
        elif what == "sync":
            self._sync(self._of_inode.get(inode, FOLDER))
        elif what != "mkdir":
            content = self._contents[self._of_inode[inode]]
            end = operation.offset + len(operation.data)
            kept = content.now[: operation.offset].ljust(operation.offset, b"\0")
            content.now = kept + operation.data + (content.now[end:] if what == "write" else b"")

    def _change(self, change: dict[str, int | None]) -> None:
        self._pending.append(change)
        _apply(self._now, change)

    def _sync(self, which: int) -> None:
        if which == FOLDER:
            self._synced, self._pending = dict(self._now), []
        else:
            self._contents[which].synced = self._contents[which].now

    def after_a_loss(self) -> Iterator[State]:
        """Yield everything that may be found after a power loss now."""
        for reached in product((True, False), repeat=len(self._pending)):
            names = dict(self._synced)
            for change, did in zip(self._pending, reached, strict=True):
                if did:
                    _apply(names, change)
            unsure = sorted(set(names.values()))
            for contents in product(*(self._contents[content].after_a_loss() for content in unsure)):
                found = dict(zip(unsure, contents, strict=True))
                yield {name: found[content] for name, content in names.items()}


def _apply(names: Names, change: dict[str, int | None]) -> None:
    for name, content in change.items():
        if content is None:
            names.pop(name, None)
        else:
            names[name] = content


def operations(path: Path) -> list[Operation]:
    """Return what interpose.c recorded in a file."""
    found, rest = [], path.read_bytes()
    while rest:
        head, _, rest = rest.partition(b"\n")
        what, inode, one, two, offset, size = head.decode().split("\t")
        found.append(Operation(what, int(inode), one, two, int(offset), rest[: int(size)]))
        rest = rest[int(size) :]
    return found
