"""The owner, mode, ACLs and extended attributes of a file that replaces another one."""

from __future__ import annotations

import os
import stat
import time
from typing import NamedTuple


class Attributes(NamedTuple):
    """The attributes of a written file.

    A new file gets `mode`; an existing one too with `exact`, and else keeps its mode limited to the bits in `max_mode`.
    `owner` is user and group, -1 for unchanged. With `bump_mtime` its mtime is at least a whole second after the old one, for
    readers that compare only whole seconds and the size.
    """

    mode: int = 0o644
    exact: bool = False
    max_mode: int = 0o7777
    owner: tuple[int, int] = (-1, -1)
    bump_mtime: bool = False

    def mode_for(self, mode: int | None) -> int:
        """Return the mode to set on a file that has `mode`, or None if it is new."""
        return self.mode if mode is None or self.exact else mode & self.max_mode


KEEP_ATTRIBUTES = Attributes()


def set_attributes(descriptor: int, attributes: Attributes, old: os.stat_result | None) -> None:
    """Set owner, mode and mtime of the new file, as `attributes` demand. Raises OSError."""
    if attributes.owner != (-1, -1):
        os.fchown(descriptor, *attributes.owner)
    os.fchmod(descriptor, attributes.mode_for(None if old is None else stat.S_IMODE(old.st_mode)))
    if attributes.bump_mtime and old is not None:
        second = max(int(time.time()), int(old.st_mtime) + 1)
        os.utime(descriptor, (second, second))
