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

_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def open_beside(place: Place, trusted: Trusted, suffix: str, mode_of: Callable[[int], int], *, flags: int = 0) -> int:
    """Open NAME.SUFFIX for reading and writing; `mode_of` returns its mode from that of the file beside it.

    Raises Refused for a file that mailpolicy cannot have made, and OSError.
    """
    name, shown = f"{place.name}.{suffix}", f"{place.target}.{suffix}"
    flags |= os.O_RDWR | _FLAGS
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
        _share(place, trusted, descriptor, shown, mode_of)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read(place: Place, trusted: Trusted, suffix: str) -> bytes | None:
    """Return the content of NAME.SUFFIX, None if it does not exist. Raises Refused and OSError."""
    shown = f"{place.target}.{suffix}"
    if len(place.missing) > 1:
        return None
    try:
        descriptor = os.open(f"{place.name}.{suffix}", os.O_RDONLY | _FLAGS, dir_fd=place.folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise foreign_file(shown) from None
        raise
    try:
        _require_own(place, trusted, os.fstat(descriptor), shown)
        return read_all(descriptor, MAX_FILE_SIZE)
    finally:
        os.close(descriptor)


def _require_own(place: Place, trusted: Trusted, st: os.stat_result, shown: str) -> None:
    if not is_own(st, st.st_nlink, place.lstat(), trusted, lock=True):
        raise foreign_file(shown)


def _share(place: Place, trusted: Trusted, descriptor: int, shown: str, mode_of: Callable[[int], int]) -> None:
    """Give the file the owner of the one beside it, and its group if that has rights. Raises Refused for a planted one."""
    own, guarded = os.fstat(descriptor), place.lstat()
    _require_own(place, trusted, own, shown)
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
