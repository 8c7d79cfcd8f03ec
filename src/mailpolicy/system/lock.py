"""The writers' lock of a file: `NAME.lock` beside it, which is never removed, as rename replaces the file itself."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mailpolicy.errors import StillLocked, WriteFailed
from mailpolicy.system import replacing
from mailpolicy.system.files import sentence
from mailpolicy.system.notes import foreign, is_ours
from mailpolicy.system.resolve import Place
from mailpolicy.system.trust import Trusted

_POLL = 0.01  # seconds between two tries


def opened(place: Place, trusted: Trusted) -> int:
    """Open the lock of a place's file, made if there is none yet. Raises Refused and WriteFailed."""
    name, shown = f"{place.name}.lock", f"{place.target}.lock"
    if len(place.missing) > 1:
        raise WriteFailed(
            f"there is no directory {os.path.dirname(place.target)}, nothing was written", file=place.path
        )
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        while True:
            with suppress(
                FileNotFoundError
            ):  # first without O_CREAT, which a sticky directory forbids for another's file
                descriptor = os.open(name, flags, dir_fd=place.folder)
                break
            with suppress(FileExistsError):
                descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=place.folder)
                replacing.drop_acl(descriptor)
                break
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise foreign(shown) from None
        raise WriteFailed(f"the lock cannot be made: {sentence(error)}, nothing was written", file=shown) from None
    try:
        with nothing_written(shown):
            _fit_lock(place, trusted, descriptor, shown)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _fit_lock(place: Place, trusted: Trusted, descriptor: int, shown: str) -> None:
    """Refuse a lock that somebody planted; give one of ours the owner of its file, and its group if that may write."""
    lock, owner = os.fstat(descriptor), place.look()
    if not is_ours(lock, lock.st_nlink, owner, trusted, lock=True):
        raise foreign(shown)
    if owner is None:
        return
    mode = 0o660 if owner.st_mode & stat.S_IWGRP else 0o600
    with suppress(OSError):  # a lock that others cannot open is theirs to mend
        if os.geteuid() == 0 and (lock.st_uid, lock.st_gid) != (owner.st_uid, owner.st_gid):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        elif mode == 0o660 and lock.st_gid != owner.st_gid:
            os.fchown(descriptor, -1, owner.st_gid)
        if stat.S_IMODE(lock.st_mode) != mode:
            os.fchmod(descriptor, mode)


def acquire(descriptor: int, place: Place, timeout: float, deadline: float) -> None:
    """Wait until the lock is ours, at most until `deadline` of the monotonic clock. Raises StillLocked and WriteFailed."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StillLocked(
                    f"another writer has held the lock for {timeout:g} s, nothing was written, try again",
                    file=place.path,
                ) from None
            time.sleep(_POLL)
        except OSError as error:
            raise WriteFailed(f"cannot be locked: {sentence(error)}", file=f"{place.target}.lock") from None


@contextmanager
def nothing_written(path: str) -> Iterator[None]:
    """Turn errors of the operating system into WriteFailed, before anything is written."""
    try:
        yield
    except OSError as error:
        raise WriteFailed(f"{sentence(error)}, nothing was written", file=path) from None
