"""The folder that indexes are kept in, and the file stamps that tell whether a store has changed since.

A folder or file that another user owns or can write is treated as missing. Nothing here makes a command fail.
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

# Parsing a smaller store, of up to about a thousand accounts, is quicker than using an index.
MIN_STORE_BYTES = 96 * 1024

_SECOND_NS = 1_000_000_000
_TICK_NS = 20_000_000  # twice the coarsest tick (HZ=100) of the clock by which Linux stamps files
_CLOCK_REALTIME_COARSE = 5  # its number on Linux; Python has no name for it


def stamping_clock() -> int:
    """Return the time in ns since 1970 by the clock that stamps files."""
    return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE) if sys.platform == "linux" else time.time_ns()


def has_no_writer(descriptor: int) -> bool:
    """Return whether no process has the file open for writing. Only the file's owner and root can get True."""
    import fcntl
    import signal

    if sys.platform != "linux":
        return False
    try:
        # Linux grants a read lease only if nobody has the file open for writing. If somebody opens it before the lease
        # is given back, the kernel sends us a signal: SIGURG, because it is ignored by default.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    return True


def _discard(_: str) -> None:
    return


class Stamp(NamedTuple):
    """The metadata by which one state of a file is told from another without reading it."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class Cache(NamedTuple):
    """A folder for indexes. `note` is called with the reason if one is not used or not written.

    The other fields are the system calls it makes, which tests replace.
    """

    folder: str
    note: Callable[[str], None] = _discard
    stat: Callable[[int], os.stat_result] = os.fstat
    clock: Callable[[], int] = stamping_clock
    min_size: int = MIN_STORE_BYTES
    no_writer: Callable[[int], bool] = has_no_writer

    def stamp(self, descriptor: int) -> Stamp:
        """Return the stamp of an open file."""
        facts = self.stat(descriptor)
        return Stamp(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)

    def is_reliable(self, stamp: Stamp) -> bool:
        """Return whether any change from now on would give the file another stamp.

        Two changes within one tick of the clock get the same times (git calls such an entry "racily clean"), so a stamp
        from a moment ago, or from the future, proves nothing yet.
        """
        return self.clock() - max(stamp.mtime_ns, stamp.ctime_ns) > _reliable_after(stamp)

    def is_stable(self, descriptor: int, stamp: Stamp) -> bool:
        """Return whether a read from now on gives the content of this stamp, if the stamp is the same afterwards."""
        if not self.is_reliable(stamp):
            return False
        # A write sets the file's time when it begins, so a long one could still be under way.
        if not self.no_writer(descriptor):
            self.note("no index is written: another process may be writing the store (only its owner can find out)")
            return False
        return True

    def wait_until_reliable(self, stamp: Stamp) -> bool:
        """Wait until the stamp of a file that was just written is reliable. Returns False if that would take long."""
        remaining = max(stamp.mtime_ns, stamp.ctime_ns) + _reliable_after(stamp) - self.clock()
        if remaining > 2 * _TICK_NS:
            return False
        deadline = time.monotonic_ns() + 4 * _TICK_NS  # in case the clock that stamps files stands still
        while not self.is_reliable(stamp):
            if time.monotonic_ns() > deadline:
                return False
            time.sleep(0.002)
        return True

    def folder_is_trusted(self) -> bool:
        """Return whether the folder exists and only this user can put files into it."""
        try:
            facts = os.lstat(self.folder)
        except (OSError, ValueError):
            return False
        return _is_own(facts) and stat.S_ISDIR(facts.st_mode) and self._allowed_as_root()

    def ensure_folder(self) -> bool:
        """Create the folder, and its parent, if missing. Returns whether it can be used."""
        with suppress(OSError, ValueError):
            above = os.path.dirname(self.folder)
            if not os.path.lexists(above) and os.geteuid() != 0:
                os.mkdir(above, 0o700)
            if not os.path.lexists(self.folder) and self._allowed_as_root():
                os.mkdir(self.folder, 0o700)
        return self.folder_is_trusted()

    def _allowed_as_root(self) -> bool:
        if os.geteuid() != 0:
            return True
        with suppress(StoreError):
            return fix_for_root(self.folder) is None
        return False


def is_own_file(path: str) -> bool:
    """Return whether `path` is a regular file that this user owns and nobody else can write."""
    try:
        facts = os.lstat(path)
    except (OSError, ValueError):
        return False
    return _is_own(facts) and stat.S_ISREG(facts.st_mode)


def _is_own(facts: os.stat_result) -> bool:
    return facts.st_uid == os.geteuid() and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _reliable_after(stamp: Stamp) -> int:
    """Return the age in ns from which on a stamp is reliable; some file systems keep whole seconds only."""
    whole_seconds = stamp.mtime_ns % _SECOND_NS == 0 or stamp.ctime_ns % _SECOND_NS == 0
    return 2 * _SECOND_NS if whole_seconds else _TICK_NS
