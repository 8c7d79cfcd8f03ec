"""The writers' lock of a file: `NAME.lock` beside it.

The lock is a file of its own because an edit replaces the locked file by a rename. It is never removed, since a writer
that waits for a removed lock would not exclude the next one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mailpolicy.errors import StillLocked, WriteFailed
from mailpolicy.system.files import describe_error
from mailpolicy.system.markers import foreign_file, is_own
from mailpolicy.system.preserved import drop_acl
from mailpolicy.system.resolve import Place
from mailpolicy.system.trust import Trusted

_POLL = 0.01  # seconds between attempts


def open_lock(place: Place, trusted: Trusted) -> int:
    """Open the lock file of a resolved path, creating it if needed. Raises Refused and WriteFailed."""
    name, shown = f"{place.name}.lock", f"{place.target}.lock"
    if len(place.missing) > 1:
        raise WriteFailed(
            f"there is no directory {os.path.dirname(place.target)}; nothing was written", file=place.path
        )
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        while True:
            # First without O_CREAT: in a sticky directory the kernel forbids it for another user's file.
            with suppress(FileNotFoundError):
                descriptor = os.open(name, flags, dir_fd=place.folder)
                break
            with suppress(FileExistsError):
                descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=place.folder)
                drop_acl(descriptor)
                break
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise foreign_file(shown) from None
        raise WriteFailed(f"cannot create the lock: {describe_error(error)}; nothing was written", file=shown) from None
    try:
        with write_errors(shown):
            _share_lock(place, trusted, descriptor, shown)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _share_lock(place: Place, trusted: Trusted, descriptor: int, shown: str) -> None:
    """Give the lock the owner of its file, and its group if that may write. Raises Refused for a planted lock."""
    lock, guarded = os.fstat(descriptor), place.lstat()
    if not is_own(lock, lock.st_nlink, guarded, trusted, lock=True):
        raise foreign_file(shown)
    if guarded is None:
        return
    mode = 0o660 if guarded.st_mode & stat.S_IWGRP else 0o600
    with suppress(OSError):  # this run holds the lock; if others cannot open it, they are told
        if os.geteuid() == 0 and (lock.st_uid, lock.st_gid) != (guarded.st_uid, guarded.st_gid):
            os.fchown(descriptor, guarded.st_uid, guarded.st_gid)
        elif mode == 0o660 and lock.st_gid != guarded.st_gid:
            os.fchown(descriptor, -1, guarded.st_gid)
        if stat.S_IMODE(lock.st_mode) != mode:
            os.fchmod(descriptor, mode)


def acquire(descriptor: int, place: Place, timeout: float, deadline: float) -> None:
    """Take the lock, waiting until `deadline` on the monotonic clock. Raises StillLocked and WriteFailed."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StillLocked(
                    f"still locked by another writer after {timeout:g} s; nothing was written, try again",
                    file=place.path,
                ) from None
            time.sleep(_POLL)
        except OSError as error:
            raise WriteFailed(f"cannot be locked: {describe_error(error)}", file=f"{place.target}.lock") from None


@contextmanager
def write_errors(path: str) -> Iterator[None]:
    """Convert an OSError raised in the block, before anything is written, to WriteFailed."""
    try:
        yield
    except OSError as error:
        raise WriteFailed(f"{describe_error(error)}; nothing was written", file=path) from None
