"""Where the indexes of large stores may be kept, and when a file's stamp can be trusted to tell of every change.

Promises: a folder or a file that another user owns or can write is as good as none; nothing here ever fails a command.
Not promised: that anything is kept.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from mailpolicy.errors import StoreError
from mailpolicy.system.trust import fix_for_root

# Below this many bytes parsing is quicker than looking up where to read: about a thousand accounts.
SMALLEST = 96 * 1024

_SECOND = 1_000_000_000
_TICK = 20_000_000  # ns: twice the coarsest tick (HZ=100) with which Linux stamps files
_COARSE = 5  # CLOCK_REALTIME_COARSE of Linux, which Python has no name for


def stamping_clock() -> int:
    """The time in ns since 1970 by the clock that stamps files."""
    return time.clock_gettime_ns(_COARSE) if sys.platform == "linux" else time.time_ns()


def nobody_writes(descriptor: int) -> bool:
    """Whether no process has the file open for writing, which only its owner and root can find out.

    Linux grants a read lease exactly then. It is given back at once, and its signal is one that is ignored, should
    somebody open the file in between.
    """
    import fcntl
    import signal

    if sys.platform != "linux":
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    return True


def _silent(_: str) -> None:
    return


class Stamp(NamedTuple):
    """What tells one state of a file from another without reading it."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class Cache(NamedTuple):
    """A folder for indexes. `note` is told why one is not used or not written; what follows it asks the system."""

    folder: str
    note: Callable[[str], None] = _silent
    stat: Callable[[int], os.stat_result] = os.fstat
    clock: Callable[[], int] = stamping_clock
    smallest: int = SMALLEST
    unwritten: Callable[[int], bool] = nobody_writes

    def stamp(self, descriptor: int) -> Stamp:
        """The stamp of an open file."""
        facts = self.stat(descriptor)
        return Stamp(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)

    def settled(self, stamp: Stamp) -> bool:
        """Whether a change from now on would give the file another stamp.

        Within one tick of the clock that stamps files two changes get the same times, as git knows of its own index;
        so what was stamped a moment ago, or in the future, tells nothing yet. Some file systems keep whole seconds.
        """
        return self.clock() - max(stamp.mtime_ns, stamp.ctime_ns) > _margin(stamp)

    def at_rest(self, descriptor: int, stamp: Stamp) -> bool:
        """Whether what is read from now on is the whole of what has the stamp, if the file still has it afterwards.

        A write gives the file its time when it begins: one that takes long could be under way without showing.
        """
        if not self.settled(stamp):
            return False
        if not self.unwritten(descriptor):
            self.note("no index is written: somebody may be writing the store, or only its owner could tell")
            return False
        return True

    def settle(self, stamp: Stamp) -> bool:
        """Wait until a file that was just written is settled; not where that takes long."""
        remaining = max(stamp.mtime_ns, stamp.ctime_ns) + _margin(stamp) - self.clock()
        if remaining > 2 * _TICK:
            return False
        deadline = time.monotonic_ns() + 4 * _TICK
        while not self.settled(stamp):
            if time.monotonic_ns() > deadline:
                return False
            time.sleep(0.002)
        return True

    def trusted(self) -> bool:
        """Whether the folder is there, and nobody but this user can put anything into it."""
        try:
            facts = os.lstat(self.folder)
        except (OSError, ValueError):
            return False
        return _is_own(facts) and stat.S_ISDIR(facts.st_mode) and self._root_may()

    def prepared(self) -> bool:
        """Whether the folder may be used, made first where only it and the one above it are missing."""
        with suppress(OSError, ValueError):
            above = os.path.dirname(self.folder)
            if not os.path.lexists(above) and os.geteuid() != 0:
                os.mkdir(above, 0o700)
            if not os.path.lexists(self.folder) and self._root_may():
                os.mkdir(self.folder, 0o700)
        return self.trusted()

    def _root_may(self) -> bool:
        if os.geteuid() != 0:
            return True
        with suppress(StoreError):
            return fix_for_root(self.folder) is None
        return False


def is_own_file(path: str) -> bool:
    """Whether a regular file is there that belongs to this user and that nobody else can write."""
    try:
        facts = os.lstat(path)
    except (OSError, ValueError):
        return False
    return _is_own(facts) and stat.S_ISREG(facts.st_mode)


def _is_own(facts: os.stat_result) -> bool:
    return facts.st_uid == os.geteuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _margin(stamp: Stamp) -> int:
    whole_seconds = stamp.mtime_ns % _SECOND == 0 or stamp.ctime_ns % _SECOND == 0
    return 2 * _SECOND if whole_seconds else _TICK
