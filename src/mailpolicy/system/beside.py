"""Open a file `NAME.SUFFIX` beside another, for its lock and its journal: made if needed, never through a link.

It belongs to the owner of the file beside it. One that is there and that mailpolicy cannot have made is refused.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress

from mailpolicy.system.files import MAX_FILE_SIZE, read_all
from mailpolicy.system.markers import foreign_file, is_own
from mailpolicy.system.preserved import drop_acl
from mailpolicy.system.resolve import Place
from mailpolicy.system.trust import Trusted

FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def open_beside(
    place: Place, trusted: Trusted, suffix: str, mode_of: Callable[[int], int], *, begins: bytes = b""
) -> int:
    """Open NAME.SUFFIX for reading and writing; `mode_of` returns its mode from that of the file beside it.

    It gets that mode only if it is empty or `begins` as files of its kind do. Raises Refused for a file that mailpolicy cannot
    have made, and OSError.
    """
    name, shown = f"{place.name}.{suffix}", f"{place.target}.{suffix}"
    flags = os.O_RDWR | FLAGS
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
        raise
    try:
        _require_own(place, trusted, descriptor, name, shown)
        # Who may write the folder can give this name to a file that root keeps from others: that one must not be opened to them.
        if os.fstat(descriptor).st_size == 0 or (begins and os.pread(descriptor, len(begins), 0) == begins):
            _share(place, descriptor, mode_of)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read(place: Place, trusted: Trusted, suffix: str) -> bytes | None:
    """Return the content of NAME.SUFFIX, None if it does not exist. Raises Refused and OSError."""
    shown = f"{place.target}.{suffix}"
    if len(place.missing) > 1:
        return None
    name = f"{place.name}.{suffix}"
    try:
        descriptor = os.open(name, os.O_RDONLY | FLAGS, dir_fd=place.folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise foreign_file(shown) from None
        raise
    try:
        _require_own(place, trusted, descriptor, name, shown)
        return read_all(descriptor, MAX_FILE_SIZE)
    finally:
        os.close(descriptor)


def _require_own(place: Place, trusted: Trusted, descriptor: int, name: str, shown: str) -> None:
    st, there = os.fstat(descriptor), place.lstat(name)
    # A hard link to another file that was removed right after it was opened leaves one name too, but not this one.
    if there is None or not os.path.samestat(st, there):
        raise foreign_file(shown)
    if not is_own(st, max(st.st_nlink, there.st_nlink), place.lstat(), trusted, lock=True):
        raise foreign_file(shown)


def _share(place: Place, descriptor: int, mode_of: Callable[[int], int]) -> None:
    """Give the file the owner of the one beside it, and its group if that has rights."""
    own, guarded = os.fstat(descriptor), place.lstat()
    if guarded is None:
        return
    mode = mode_of(stat.S_IMODE(guarded.st_mode))
    with suppress(OSError):  # this run has it open; if others cannot open it, they are told
        if os.geteuid() == 0 and (own.st_uid, own.st_gid) != (guarded.st_uid, guarded.st_gid):
            os.fchown(descriptor, guarded.st_uid, guarded.st_gid)
        elif mode & 0o070 and own.st_gid != guarded.st_gid:
            os.fchown(descriptor, -1, guarded.st_gid)
        if stat.S_IMODE(own.st_mode) != mode:
            os.fchmod(descriptor, mode)
