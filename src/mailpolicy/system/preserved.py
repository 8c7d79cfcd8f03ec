"""Carry the owner, mode, ACLs and extended attributes of a file over to the one that replaces it."""

from __future__ import annotations

import errno
import os
import stat

from mailpolicy.errors import WriteFailed
from mailpolicy.system.files import READ
from mailpolicy.system.resolve import Place

_ACL = "system.posix_acl_access"


_MAY_NOT = (errno.EPERM, errno.EINVAL)  # the second: this user namespace does not have that owner or group
_NO_SUPPORT = (errno.ENOTSUP, errno.ENOSYS)


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
        except OSError as error:
            if error.errno not in _MAY_NOT:
                raise
            try:
                os.fchown(descriptor, -1, old.st_gid)
            except OSError as second:
                if second.errno not in _MAY_NOT:
                    raise
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
