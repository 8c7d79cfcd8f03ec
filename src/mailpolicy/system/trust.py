"""Decide whether root may obey a file: could other users write or replace it?

The file and every directory and link on the way are checked. The answer is the command that makes the path safe; the
content may still have been written by others before.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from mailpolicy.errors import Command, Refused, StoreError
from mailpolicy.system.resolve import Place, Step, resolved


class Trusted(NamedTuple):
    """The users besides root that may write a file and its folder: the members `users` of `group`.

    `owners` is for files that are replaced and never obeyed: these users may own the file, and its mode is not checked.
    """

    group: int | None = None
    users: frozenset[int] = frozenset()
    owners: frozenset[int] | None = None


ROOT_ONLY = Trusted()


def group_named(name: str) -> Trusted:
    """Return a Trusted with the members of a group. Raises KeyError if there is no such group."""
    import grp
    import pwd

    group = grp.getgrnam(name)
    users = {user.pw_uid for user in pwd.getpwall() if user.pw_gid == group.gr_gid or user.pw_name in group.gr_mem}
    return Trusted(group.gr_gid, frozenset(users))


def fix_for(place: Place, trusted: Trusted = ROOT_ONLY) -> Command | None:
    """Return the command that makes a path safe for root, None if it is safe.

    Safe means that the file and every directory and link on the way belong to root and are writable by nobody else, the
    group included. A sticky directory such as /tmp is safe: others cannot replace root's files in it. `trusted` users may
    own and write the file and its folder, but nothing above.
    """
    shared = (place.target, place.folder_path)
    for step in place.steps:
        if trusted.owners is not None and step.path == place.target and not stat.S_ISLNK(step.st.st_mode):
            if step.st.st_uid not in {0, *trusted.owners}:
                return ("chown", "root", step.path)
        elif (fix := fix_for_step(step, trusted if step.path in shared else ROOT_ONLY)) is not None:
            return fix
    return None


def fix_for_step(step: Step, trusted: Trusted) -> Command | None:
    """Return the command that makes one file, directory or link safe for root, None if it is safe."""
    st = step.st
    if stat.S_ISLNK(st.st_mode):
        return None if st.st_uid == 0 else ("chown", "-h", "root", step.path)
    if st.st_uid != 0 and st.st_uid not in trusted.users:
        return ("chown", "root", step.path)
    if stat.S_ISDIR(st.st_mode) and st.st_mode & stat.S_ISVTX:
        return None
    if st.st_mode & stat.S_IWOTH:
        return ("chmod", "go-w" if st.st_gid != trusted.group else "o-w", step.path)
    if st.st_mode & stat.S_IWGRP and st.st_gid != trusted.group:
        return ("chmod", "g-w", step.path)
    if st.st_mode & stat.S_IWGRP and _has_acl(step.path):
        # With an ACL the group bits are only its mask: the ACL may let any user write.
        return ("setfacl", "-b", step.path)
    return None


def _has_acl(path: str) -> bool:
    if not hasattr(os, "getxattr"):  # not on Linux
        return False
    try:
        return bool(os.getxattr(path, "system.posix_acl_access", follow_symlinks=False))
    except OSError as error:
        return error.errno not in (errno.ENODATA, errno.ENOTSUP)


@contextmanager
def _resolved(path: str) -> Iterator[Place]:
    try:
        with resolved(path) as place:
            yield place
    except (OSError, ValueError) as error:
        raise StoreError((getattr(error, "strerror", None) or "not a file name").lower(), file=path) from None


def fix_for_root(path: str, trusted: Trusted = ROOT_ONLY) -> Command | None:
    """Return the command that makes `path` safe for root, None if it is safe. Raises StoreError.

    If the file does not exist, only its directories are checked.
    """
    with _resolved(path) as place:
        return fix_for(place, trusted)


def fix_for_others(path: str) -> Command | None:
    """Return the command that keeps users outside of owner and group from changing a file, None if they cannot.

    For users other than root, who may share a file with a group. Raises StoreError.
    """
    with _resolved(path) as place:
        steps = [step for step in place.steps if not stat.S_ISLNK(step.st.st_mode)]
    for step in steps:
        sticky = stat.S_ISDIR(step.st.st_mode) and step.st.st_mode & stat.S_ISVTX
        if step.st.st_mode & stat.S_IWOTH and not sticky:
            return ("chmod", "o-w", step.path)
    return None


def refuse_unsafe(place: Place, trusted: Trusted = ROOT_ONLY) -> None:
    """Raise Refused if this process is root and other users can change the path."""
    if os.geteuid() == 0 and (fix := fix_for(place, trusted)) is not None:
        raise unsafe(place.path, fix)


def unsafe(path: str, fix: Command) -> Refused:
    """Return the refusal to use a path that users other than root can change."""
    subject = "" if fix[-1] == path else f"{fix[-1]} "
    return Refused(
        f"{subject}can be changed by users other than root, so root will not use it",
        file=path,
        code="unsafe",
        fix=fix,
    )
