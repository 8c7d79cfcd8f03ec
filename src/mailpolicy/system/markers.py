"""Markers: files `NAME.SUFFIX` beside a file that list the work left over from an interrupted run.

A marker decides what the next run does, so only a regular file made by mailpolicy is read or replaced; anything else in
its place is refused and left alone. A marker is written under the lock of its file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from mailpolicy.errors import Refused, WriteFailed
from mailpolicy.system import replacing
from mailpolicy.system.attributes import Attributes
from mailpolicy.system.files import describe_error
from mailpolicy.system.resolve import Place, Step
from mailpolicy.system.trust import ROOT_ONLY, Trusted, fix_for_step, unsafe

_LARGEST = 1 << 26  # bytes


class Marker:
    """The marker NAME.SUFFIX beside a file."""

    def __init__(self, place: Place, suffix: str, trusted: Trusted = ROOT_ONLY) -> None:
        self._place = place
        self._name = f"{place.name}.{suffix}"
        self._trusted = trusted

    @property
    def path(self) -> str:
        """Return the path of the marker."""
        return os.path.join(self._place.folder_path, self._name)

    def exists(self) -> bool:
        """Return whether the marker exists. Raises Refused if something else is there, and WriteFailed."""
        return self._lstat() is not None

    def lines(self) -> list[str]:
        """Return the lines of the marker, none if it does not exist. Raises Refused and WriteFailed."""
        if self._lstat() is None:
            return []
        try:
            content = replacing.read_sibling(self._place, self._name, self._require_own)
        except OSError as error:
            raise WriteFailed(describe_error(error), file=self.path) from None
        return [line for line in content.decode("utf-8", "replace").split("\n") if line]

    def write(self, lines: Iterable[str], *, shared: bool = False) -> None:
        """Replace the marker; with `shared`, readers of the file can read it too. Raises Refused and WriteFailed."""
        old, beside = self._lstat(), self._lstat_file()
        attributes = Attributes(0o600)
        if shared and beside is not None:
            attributes = Attributes(stat.S_IMODE(beside.st_mode) & 0o666, exact=True, owner=(-1, beside.st_gid))
        content = "".join(f"{line}\n" for line in lines).encode("utf-8")
        try:
            # The file itself is replaced next, and its own sync reports a disk that does not confirm.
            with suppress(replacing.InPlace):
                replacing.replace(self._place, self._name, old, content, attributes, None)
        except OSError as error:
            raise WriteFailed(f"{describe_error(error)}; nothing was written", file=self.path) from None

    def remove(self) -> None:
        """Remove the marker if it exists. Raises Refused and WriteFailed."""
        if self._lstat() is None:
            return
        try:
            with suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=self._place.folder)
        except OSError as error:
            raise WriteFailed(f"cannot be removed: {describe_error(error)}", file=self.path) from None

    def _lstat(self) -> os.stat_result | None:
        try:
            st = self._place.lstat(self._name)
        except OSError as error:
            raise WriteFailed(describe_error(error), file=self.path) from None
        if st is not None:
            self._require_own(st)
        return st

    def _lstat_file(self) -> os.stat_result | None:
        """Return the stat result of the file that the marker is beside. Raises WriteFailed."""
        try:
            return self._place.lstat()
        except OSError as error:
            raise WriteFailed(describe_error(error), file=self._place.target) from None

    def _require_own(self, st: os.stat_result) -> None:
        names = replacing.link_count(self._place, st)
        if st.st_size > _LARGEST or not is_own(st, names, self._lstat_file(), self._trusted):
            raise foreign_file(self.path)
        if os.geteuid() == 0 and (fix := fix_for_step(Step(self.path, st), self._trusted)) is not None:
            raise unsafe(self.path, fix)


def is_own(
    st: os.stat_result, names: int, beside: os.stat_result | None, trusted: Trusted, *, lock: bool = False
) -> bool:
    """Return whether mailpolicy can have made this file, with `names` hard links, next to the file `beside`.

    It must be a regular file with one name. For root, its owner must be root or a trusted user; a lock may also belong to
    the owner of its file, to whom it is given. Other users share markers with the owner of the file, and with its group if
    the group may write the file.
    """
    if not stat.S_ISREG(st.st_mode) or names != 1:
        return False
    makers = {0, os.geteuid(), *trusted.users}
    # For root the owner of the file is no maker of a marker, whose lines decide what root does next.
    if beside is not None and (lock or os.geteuid() != 0):
        makers.add(beside.st_uid)
    if st.st_uid in makers:
        return True
    shared = beside is not None and bool(beside.st_mode & stat.S_IWGRP) and st.st_gid == beside.st_gid
    return shared and os.geteuid() != 0


def foreign_file(path: str) -> Refused:
    """Return the refusal to touch a file that mailpolicy did not make."""
    return Refused(
        "this file is in the way and was not made by mailpolicy: check it, then remove it",
        file=path,
        code="foreign-file",
        fix=("rm", path),
    )
