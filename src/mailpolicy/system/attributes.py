"""The owner, mode, ACLs and extended attributes of a file that replaces another one."""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import NamedTuple

from mailpolicy.errors import WriteFailed
from mailpolicy.system.files import READ
from mailpolicy.system.resolve import Place

_ACL = "system.posix_acl_access"
_NO_SUPPORT = (errno.ENOTSUP, errno.ENOSYS)


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


def drop_acl(descriptor: int) -> None:
    """Remove the ACL that a new file inherited from its folder. Raises OSError."""
    if not hasattr(os, "removexattr"):
        return
    try:
        os.removexattr(descriptor, _ACL)
    except OSError as error:
        if error.errno not in (errno.ENODATA, *_NO_SUPPORT):
            raise
        return
    os.fchmod(descriptor, 0o600)  # the group bits held the mask of the ACL, and would now grant the group access


def copy_attributes(place: Place, name: str, descriptor: int, old: os.stat_result | None) -> None:
    """Give the new file the owner, mode, ACLs and extended attributes of the old one."""
    if old is None:
        return
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        # Only root may give a file away; a member of the file's group can still keep the group.
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except PermissionError:
            try:
                os.fchown(descriptor, -1, old.st_gid)
            except PermissionError:
                # With another group the file would become readable to strangers, or unreadable to its own group.
                raise WriteFailed(
                    f"this user cannot keep the file's group {old.st_gid}; the old file is intact: edit it as its owner",
                    file=os.path.join(place.folder_path, name),
                ) from None
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    for key, value in _extended_attributes(place, name):
        try:
            os.setxattr(descriptor, key, value)
        except OSError as error:
            # Labels in security.* and trusted.* follow the kernel's policy, and a plain user may not copy them.
            if not (key.startswith(("security.", "trusted.")) and error.errno in (errno.EPERM, errno.ENOTSUP)):
                raise


def _extended_attributes(place: Place, name: str) -> list[tuple[str, bytes]]:
    if not hasattr(os, "listxattr"):
        return []
    descriptor = os.open(name, READ | os.O_NOFOLLOW, dir_fd=place.folder)
    try:
        return [(key, os.getxattr(descriptor, key)) for key in os.listxattr(descriptor)]
    except OSError as error:
        if error.errno in _NO_SUPPORT:
            return []
        raise
    finally:
        os.close(descriptor)


def set_attributes(descriptor: int, attributes: Attributes, old: os.stat_result | None) -> None:
    """Set owner, mode and mtime of the new file, as `attributes` demand. Raises OSError."""
    if attributes.owner != (-1, -1):
        os.fchown(descriptor, *attributes.owner)
    os.fchmod(descriptor, attributes.mode_for(None if old is None else stat.S_IMODE(old.st_mode)))
    if attributes.bump_mtime and old is not None:
        second = max(int(time.time()), int(old.st_mtime) + 1)
        os.utime(descriptor, (second, second))
