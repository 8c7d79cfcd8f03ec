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
from mailpolicy.system.beside import FLAGS, open_beside
from mailpolicy.system.files import describe_error, require_regular
from mailpolicy.system.resolve import Place
from mailpolicy.system.trust import Trusted

_POLL = 0.01  # seconds between attempts
_LONGEST_NAME = 1000  # bytes


def open_lock(place: Place, trusted: Trusted, suffix: str = "lock") -> int:
    """Open the lock file of a resolved path, creating it if needed.

    Raises StoreError if the path is no regular file, Refused and WriteFailed.
    """
    shown = f"{place.target}.{suffix}"
    if len(place.missing) > 1:
        raise WriteFailed(
            f"there is no directory {os.path.dirname(place.target)}; nothing was written", file=place.path
        )
    try:
        if (st := place.lstat()) is not None:
            require_regular(place.path, st)  # beside a device or a folder a lock would be litter
        return open_beside(place, trusted, suffix, lambda mode: 0o660 if mode & stat.S_IWGRP else 0o600)
    except OSError as error:
        raise WriteFailed(f"cannot create the lock: {describe_error(error)}; nothing was written", file=shown) from None


def acquire(
    descriptor: int, place: Place, suffix: str, timeout: float, deadline: float, others: str = "another writer"
) -> None:
    """Take the lock NAME.SUFFIX, waiting until `deadline` on the monotonic clock. Raises StillLocked and WriteFailed."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StillLocked(
                    f"still locked by {others} after {timeout:g} s; nothing was written, try again",
                    file=place.path,
                ) from None
            time.sleep(_POLL)
        except OSError as error:
            raise _unlockable(error, place, suffix) from None


def _unlockable(error: OSError, place: Place, suffix: str) -> WriteFailed:
    return WriteFailed(
        f"cannot be locked: {describe_error(error)}; nothing was written", file=f"{place.target}.{suffix}"
    )


@contextmanager
def waited_for(
    place: Place, trusted: Trusted, suffix: str, timeout: float, others: str, *, optional: bool = False
) -> Iterator[None]:
    """Hold the lock NAME.SUFFIX, waiting for `others` up to `timeout` seconds.

    An `optional` lock is not held by who may not write there. Raises StillLocked, Refused and WriteFailed.
    """
    descriptor = None
    try:
        descriptor = open_lock(place, trusted, suffix)
    except WriteFailed as error:
        why = error.__context__
        if not (optional and isinstance(why, OSError) and why.errno in (errno.EACCES, errno.EPERM, errno.EROFS)):
            raise
    try:
        if descriptor is not None:
            acquire(descriptor, place, suffix, timeout, time.monotonic() + timeout, others)
        yield
    finally:
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)


def is_held(place: Place, suffix: str) -> bool:
    """Return whether somebody, perhaps this process, holds the lock NAME.SUFFIX; False where that cannot be found out."""
    try:
        descriptor = os.open(f"{place.name}.{suffix}", os.O_RDONLY | FLAGS, dir_fd=place.folder)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    finally:
        with suppress(OSError):
            os.close(descriptor)
    return False


@contextmanager
def reserved(place: Place, trusted: Trusted, suffix: str, who: str) -> Iterator[None]:
    """Hold the lock NAME.SUFFIX without waiting for it; `who` stands in it for others. Raises StillLocked, Refused, WriteFailed."""
    descriptor = open_lock(place, trusted, suffix)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, _LONGEST_NAME, 0).decode("utf-8", "replace") or "somebody"
            raise StillLocked(f"is being edited by {holder}; nothing was written", file=place.path) from None
        except OSError as error:
            raise _unlockable(error, place, suffix) from None
        with write_errors(f"{place.target}.{suffix}"):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, who.encode("utf-8", "replace")[:_LONGEST_NAME], 0)
        try:
            yield
        finally:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
    finally:
        with suppress(OSError):  # the lock is released even if close reports an error
            os.close(descriptor)


@contextmanager
def write_errors(path: str) -> Iterator[None]:
    """Convert an OSError raised in the block, before anything is written, to WriteFailed."""
    try:
        yield
    except OSError as error:
        raise WriteFailed(f"{describe_error(error)}; nothing was written", file=path) from None
