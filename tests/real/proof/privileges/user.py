"""A user who can write the folder that root works in, and who acts right before a call of root's that touches a file.

The user is uid 65534, and what that user may not do in a folder does not happen. Only hard links are made as root makes them, as
on a system without fs.protected_hardlinks.
"""

from __future__ import annotations

import builtins
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import mailpolicy
from tests.helpers import NOBODY

CANARY = "CANARY-7f3a91"  # stands in files of root's that nobody else may read, and that are not for mailpolicy
_CALLS = (
    "access", "chmod", "chown", "close", "fchmod", "fchown", "fstat", "fsync", "ftruncate", "getxattr", "link", "listdir",
    "listxattr", "lstat", "mkdir", "open", "pread", "pwrite", "readlink", "removexattr", "rename", "rmdir", "scandir", "setxattr",
    "stat", "statvfs", "unlink", "utime",
)  # fmt: skip
_TWO_PATHS = ("link", "rename")
_TEMPORARY = re.compile(r"(\..*\.new-)[0-9a-f]{16}")
_SOURCES = os.path.dirname(mailpolicy.__file__)
_TAKEN = "taken-by-the-user"


class Planted(Enum):
    """What the user puts in the place of a name."""

    LINK = "a link to a file of root's"
    FOLDER_LINK = "a link to a folder of root's"
    DANGLING = "a link to nothing in a folder of root's"
    HARD = "a hard link to a file of root's"
    FILE = "a file"
    FIFO = "a FIFO"
    FOLDER = "a folder"
    PRIVATE = "a file that root keeps in that folder from others"
    NOTHING = "nothing"


class Attack(NamedTuple):
    """What is planted, under which name, before which call; with `back` all is as before when that call has returned."""

    call: int
    name: str
    planted: Planted
    back: bool = False


class Call(NamedTuple):
    """A call that touches a file: its number, where in mailpolicy it is made, and the name in the shared folder that it is about."""

    number: int
    site: tuple[Any, ...]
    name: str | None


class Arena(NamedTuple):
    """The folder that is shared, the folder that is only root's, and what the user writes into files of that name."""

    shared: Path
    roots: Path
    contents: dict[str, bytes]

    def content(self, name: str) -> bytes:
        return self.contents.get(name, b"--all\n")


def general(name: str) -> str:
    """Return a name without what is random in it."""
    found = _TEMPORARY.fullmatch(name)
    return found[1] if found else name


class User:
    """The user, in the process of root's command."""

    def __init__(self, arena: Arena, attack: Attack | None) -> None:
        self.calls: list[Call] = []
        self.succeeded = False
        self._arena = arena
        self._attack = attack
        self._number = 0
        self._busy = False
        self._taken = False
        self._planted: str | None = None
        self._folder = -1

    def watch(self) -> None:
        """Be there at each call from now on."""
        self._folder = os.open(self._arena.shared, os.O_RDONLY | os.O_DIRECTORY)
        for name in _CALLS:
            setattr(os, name, self._watched(name, getattr(os, name)))
        builtins.open = self._watched("open", builtins.open)

    def _watched(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **settings: Any) -> Any:
            if self._busy:
                return original(*arguments, **settings)
            self._busy = True
            try:
                self._number += 1
                if self._attack is None:
                    self.calls.append(Call(self._number, self._site(name), self._about(name, arguments, settings)))
                elif self._number == self._attack.call:
                    self.succeeded = self._strike(self._attack)
            finally:
                self._busy = False
            try:
                return original(*arguments, **settings)
            finally:
                if self._attack is not None and self._attack.back and self._number == self._attack.call:
                    self._busy = True
                    self._restore()
                    self._busy = False

        return call

    def _site(self, name: str) -> tuple[Any, ...]:
        frames: list[Any] = [name]
        frame = sys._getframe(2)
        while frame is not None and len(frames) < 3:
            if frame.f_code.co_filename.startswith(_SOURCES):
                frames.append((os.path.basename(frame.f_code.co_filename), frame.f_lineno))
            frame = frame.f_back  # type: ignore[assignment]
        return tuple(frames)

    def _about(self, name: str, arguments: tuple[Any, ...], settings: dict[str, Any]) -> str | None:
        for folder, path in zip(
            ("src_dir_fd", "dst_dir_fd")[: 2 if name in _TWO_PATHS else 1], arguments, strict=False
        ):
            if isinstance(path, str | os.PathLike):
                path = os.fsdecode(path)
                base = settings.get("dir_fd", settings.get(folder))
                above, last = os.path.split(path)
                with suppress(OSError):
                    there = (
                        os.stat(above or ".", dir_fd=base) if not (base is not None and not above) else os.fstat(base)
                    )
                    if os.path.samestat(there, os.fstat(self._folder)):
                        return general(last)
        return None

    @contextmanager
    def _as_the_user(self) -> Iterator[None]:
        os.setgroups([NOBODY])
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups([0])

    def _strike(self, attack: Attack) -> bool:
        name = attack.name
        if name.endswith(".new-"):
            found = [entry for entry in os.listdir(self._folder) if general(entry) == name]
            if not found:
                return False
            name = found[0]
        try:
            with self._as_the_user():
                try:
                    os.rename(name, _TAKEN, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                    self._taken = True
                except FileNotFoundError:
                    if attack.planted is Planted.NOTHING:
                        return False
            self._plant(name, attack.planted)
        except OSError:
            self._planted = name
            self._restore()
            return False
        self._planted = name
        return True

    def _plant(self, name: str, planted: Planted) -> None:
        folder, roots = self._folder, self._arena.roots
        if planted is Planted.HARD:
            os.link(roots / "secret", name, dst_dir_fd=self._folder)
            return
        with self._as_the_user():
            match planted:
                case Planted.LINK:
                    os.symlink(roots / "secret", name, dir_fd=folder)
                case Planted.FOLDER_LINK:
                    os.symlink(roots / "folder", name, dir_fd=folder)
                case Planted.DANGLING:
                    os.symlink(roots / "folder" / "new", name, dir_fd=folder)
                case Planted.FILE:
                    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder)
                    os.write(descriptor, self._arena.content(name))
                    os.close(descriptor)
                case Planted.FIFO:
                    os.mkfifo(name, 0o666, dir_fd=folder)
                case Planted.FOLDER:
                    os.mkdir(name, 0o777, dir_fd=folder)
                case Planted.PRIVATE:
                    os.rename("private", name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def _restore(self) -> None:
        """Leave no trace of the attack but what root has made of it."""
        assert self._planted is not None or not self.succeeded
        if self._planted is None:
            return
        with self._as_the_user(), suppress(OSError):
            if self.succeeded and self._attack is not None:
                if self._attack.planted is Planted.PRIVATE:
                    os.rename(self._planted, "private", src_dir_fd=self._folder, dst_dir_fd=self._folder)
                elif self._attack.planted is not Planted.NOTHING:
                    remove = os.rmdir if self._attack.planted is Planted.FOLDER else os.unlink
                    remove(self._planted, dir_fd=self._folder)
        if self._taken:
            with self._as_the_user(), suppress(OSError):
                os.rename(_TAKEN, self._planted, src_dir_fd=self._folder, dst_dir_fd=self._folder)


def fingerprint(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return what must not change of the files below a folder of root's; links to them and their times of change may."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        st = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(st.st_mode) else b""
        attributes = [(key, os.getxattr(path, key)) for key in os.listxattr(path)]
        found[str(path)] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, content, attributes)
    return found


def readable(st: os.stat_result) -> bool:
    """Return whether the user may read a file with these attributes."""
    if st.st_uid == NOBODY:
        return bool(st.st_mode & stat.S_IRUSR)
    return bool(st.st_mode & (stat.S_IRGRP if st.st_gid == NOBODY else stat.S_IROTH))
