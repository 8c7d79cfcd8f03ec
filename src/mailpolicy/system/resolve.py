"""Paths followed link by link, with the folder they lead to held open.

A path that is resolved twice can lead to two places. So a path is resolved once, each step is kept to be judged, and the
file is then reached through the open folder only.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

_MOST_LINKS = 40  # as Linux follows

# A folder on the way needs to be searched, not listed; elsewhere than on Linux there is no way to say so.
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Step(NamedTuple):
    """A directory, a link or the file itself, as it was when the path went through it."""

    path: str
    facts: os.stat_result


class Place:
    """Where a path leads: a name in an open folder.

    `path` is the path as it was given, `target` the same without links, `steps` everything on the way that exists.
    `missing` are the names, the file's own last, that do not exist yet below `folder`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.steps: list[Step] = []
        self.missing: list[str] = []
        self.name = "."
        self._folders = [(os.open("/", _FOLDER), "/")]
        try:
            self._follow(_whole(path))
        except BaseException:
            self.close()
            raise

    @property
    def folder(self) -> int:
        """The descriptor of the folder, or of the deepest one that exists."""
        return self._folders[-1][0]

    @property
    def folder_path(self) -> str:
        """The path of `folder`, without links."""
        return self._folders[-1][1]

    @property
    def target(self) -> str:
        """The path of the file, without links."""
        if self.name == ".":  # the path is a folder's own
            return self.folder_path
        return os.path.join(self.folder_path, *(self.missing or [self.name]))

    def same_as(self, other: Place) -> bool:
        """Whether the other one has the same name in the very same folder."""
        if (self.name, self.missing) != (other.name, other.missing):
            return False
        return os.path.samestat(os.fstat(self.folder), os.fstat(other.folder))

    def look(self, name: str | None = None) -> os.stat_result | None:
        """Return the facts of the file, or of another one in the folder; None if it does not exist. Raises OSError."""
        if len(self.missing) > 1:
            return None
        try:
            return os.stat(self.name if name is None else name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def make_folders(self, mode: int) -> None:
        """Make the folders that are missing with this mode, whatever the umask. Raises OSError."""
        while len(self.missing) > 1:
            name = self.missing[0]
            try:
                os.mkdir(name, mode, dir_fd=self.folder)
                made = True
            except FileExistsError:  # by somebody else meanwhile
                made = False
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.folder)
            if made:
                os.fchmod(descriptor, mode)
            self._folders.append((descriptor, os.path.join(self.folder_path, name)))
            self.missing.pop(0)

    def close(self) -> None:
        """Let the folders go."""
        while self._folders:
            with suppress(OSError):  # nothing was written through them
                os.close(self._folders.pop()[0])

    def _follow(self, path: str) -> None:
        waiting, links = path.split("/")[::-1], 0
        while waiting:
            part = waiting.pop()
            last = not any(waiting)
            if part in ("", "."):
                continue
            if part == "..":
                if len(self._folders) > 1:
                    os.close(self._folders.pop()[0])
                continue
            if (facts := self.look(part)) is None:
                self._note_missing([part, *(name for name in waiting[::-1] if name not in ("", "."))])
                return
            step = Step(os.path.join(self.folder_path, part), facts)
            self.steps.append(step)
            if stat.S_ISLNK(facts.st_mode):
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                target = os.readlink(part, dir_fd=self.folder)
                if target.startswith("/"):
                    while len(self._folders) > 1:
                        os.close(self._folders.pop()[0])
                waiting += target.split("/")[::-1]
            elif last:
                self.name = part
            else:
                self._folders.append((os.open(part, _FOLDER, dir_fd=self.folder), step.path))

    def _note_missing(self, names: list[str]) -> None:
        if ".." in names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self.missing, self.name = names, names[-1]


@contextmanager
def resolved(path: str) -> Iterator[Place]:
    """Follow a path for the time of the block. Raises OSError, and ValueError for what is no file name."""
    place = Place(path)
    try:
        yield place
    finally:
        place.close()


def target_of(path: str) -> str:
    """Return the path without links. Raises OSError."""
    with resolved(path) as place:
        return place.target


def _whole(path: str) -> str:
    # Not os.path.abspath, which takes `..` for the folder above in the text where a link leads elsewhere.
    return path if path.startswith("/") else f"{os.getcwd()}/{path}"
