"""Resolve a path link by link and keep its folder open.

Resolving a path twice can give two different files. So it is resolved once, each step is recorded for the trust check,
and the file is then reached only through the open folder.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

_MAX_LINKS = 40  # the limit of Linux

# O_PATH, because a folder on the way may be searchable but not readable; only Linux has it.
_FOLDER_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Step(NamedTuple):
    """A directory, a link or the file itself, with its stat result at the time of the resolution."""

    path: str
    st: os.stat_result


class Place:
    """A resolved path: a name in an open folder.

    `path` is the path as given, `target` the same without links, `steps` lists everything on the way that exists, and
    `missing` the names below `folder` that do not exist yet, the file's own last.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.steps: list[Step] = []
        self.missing: list[str] = []
        self.name = "."
        self._folders = [(os.open("/", _FOLDER_FLAGS), "/")]
        try:
            self._follow(_absolute(path))
        except BaseException:
            self.close()
            raise

    @property
    def folder(self) -> int:
        """Return the descriptor of the file's folder, or of its deepest existing ancestor."""
        return self._folders[-1][0]

    @property
    def folder_path(self) -> str:
        """Return the path of `folder` without links."""
        return self._folders[-1][1]

    @property
    def target(self) -> str:
        """Return the path of the file without links."""
        if self.name == ".":  # the path ends at a folder
            return self.folder_path
        return os.path.join(self.folder_path, *(self.missing or [self.name]))

    def same_as(self, other: Place) -> bool:
        """Return whether both have the same name in the very same folder."""
        if (self.name, self.missing) != (other.name, other.missing):
            return False
        return os.path.samestat(os.fstat(self.folder), os.fstat(other.folder))

    def lstat(self, name: str | None = None) -> os.stat_result | None:
        """Return the stat result of the file, or of `name` beside it; None if it does not exist. Raises OSError."""
        if len(self.missing) > 1:
            return None
        try:
            return os.stat(self.name if name is None else name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def make_folders(self, mode: int) -> None:
        """Create the missing folders with this mode, regardless of the umask. Raises OSError."""
        while len(self.missing) > 1:
            name = self.missing[0]
            try:
                os.mkdir(name, mode, dir_fd=self.folder)
                made = True
            except FileExistsError:  # created by another process in the meantime
                made = False
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.folder)
            # mkdir applies the umask. A folder of another process keeps the mode that it was given there.
            if made:
                os.fchmod(descriptor, mode)
            self._folders.append((descriptor, os.path.join(self.folder_path, name)))
            self.missing.pop(0)

    def close(self) -> None:
        """Close the folders."""
        while self._folders:
            with suppress(OSError):  # nothing was written through these descriptors, so nothing can be lost
                os.close(self._folders.pop()[0])

    def _follow(self, path: str) -> None:
        remaining, links = path.split("/")[::-1], 0
        while remaining:
            part = remaining.pop()
            last = not any(remaining)
            if part in ("", "."):
                continue
            if part == "..":
                # Back to the folder we came from, which is the real parent because links were followed before.
                if len(self._folders) > 1:
                    os.close(self._folders.pop()[0])
                continue
            if (st := self.lstat(part)) is None:
                self._set_missing([part, *(name for name in remaining[::-1] if name not in ("", "."))])
                return
            step = Step(os.path.join(self.folder_path, part), st)
            self.steps.append(step)
            if stat.S_ISLNK(st.st_mode):
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                # The target is walked like the rest of the path, so that links inside it are recorded too.
                target = os.readlink(part, dir_fd=self.folder)
                if target.startswith("/"):
                    while len(self._folders) > 1:
                        os.close(self._folders.pop()[0])
                remaining += target.split("/")[::-1]
            elif last:
                self.name = part
            else:
                self._folders.append((os.open(part, _FOLDER_FLAGS, dir_fd=self.folder), step.path))

    def _set_missing(self, names: list[str]) -> None:
        if ".." in names:  # the kernel refuses to go through a folder that does not exist, even to leave it
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self.missing, self.name = names, names[-1]


@contextmanager
def resolved(path: str) -> Iterator[Place]:
    """Resolve a path and close its folders after the block. Raises OSError, and ValueError for an invalid name."""
    place = Place(path)
    try:
        yield place
    finally:
        place.close()


def real_path(path: str) -> str:
    """Return the path without links, as far as they can be followed: os.path.realpath, but without its errors."""
    try:
        return os.path.realpath(path)
    except OSError:  # until Python 3.13, if a link is exchanged while it is followed
        return os.path.abspath(path)


def target_of(path: str) -> str:
    """Return the path without links. Raises OSError."""
    with resolved(path) as place:
        return place.target


def _absolute(path: str) -> str:
    # Not os.path.abspath: it removes `..` textually, which is wrong behind a link.
    return path if path.startswith("/") else f"{os.getcwd()}/{path}"
