"""Whether root may obey a file: who else could write it, or put another one in its place.

Every directory and every link on the way is judged, the file itself too. The answer is the command that makes it safe;
nothing is said of who wrote the file before.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from mailpolicy.errors import Command, Refused, StoreError
from mailpolicy.system.resolve import Place, Step, resolved


class Trusted(NamedTuple):
    """Whom root trusts with a file besides itself: the `users` of a `group`, with the file and its folder.

    `owners` is given for a file that is replaced whole and not obeyed: who may own it. Its mode does not matter then.
    """

    group: int | None = None
    users: frozenset[int] = frozenset()
    owners: frozenset[int] | None = None


ROOT_ONLY = Trusted()


def group_named(name: str) -> Trusted:
    """Return the trust in the members of a group. Raises KeyError if there is no such group."""
    import grp
    import pwd

    group = grp.getgrnam(name)
    users = {user.pw_uid for user in pwd.getpwall() if user.pw_gid == group.gr_gid or user.pw_name in group.gr_mem}
    return Trusted(group.gr_gid, frozenset(users))


def cure(place: Place, trusted: Trusted = ROOT_ONLY) -> Command | None:
    """Return the command that makes a place safe for root, None if it is.

    Safe means that the file and every directory and link on the way belong to root, and that nobody else may write
    there, the group included. In a sticky directory such as /tmp nobody else can replace what belongs to root. Those who
    are `trusted` may own and write the file and the folder it is in, and nothing above.
    """
    shared = (place.target, place.folder_path)
    for step in place.steps:
        if trusted.owners is not None and step.path == place.target and not stat.S_ISLNK(step.facts.st_mode):
            if step.facts.st_uid not in {0, *trusted.owners}:
                return ("chown", "root", step.path)
        elif (found := _cure(step, trusted if step.path in shared else ROOT_ONLY)) is not None:
            return found
    return None


def _cure(step: Step, trusted: Trusted) -> Command | None:
    facts = step.facts
    if stat.S_ISLNK(facts.st_mode):
        return None if facts.st_uid == 0 else ("chown", "-h", "root", step.path)
    if facts.st_uid != 0 and facts.st_uid not in trusted.users:
        return ("chown", "root", step.path)
    if stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX:
        return None
    if facts.st_mode & stat.S_IWOTH:
        return ("chmod", "go-w" if facts.st_gid != trusted.group else "o-w", step.path)
    if facts.st_mode & stat.S_IWGRP and facts.st_gid != trusted.group:
        return ("chmod", "g-w", step.path)
    if facts.st_mode & stat.S_IWGRP and _has_acl(step.path):
        # With an ACL the group's bits are a mask, which says nothing of who may write.
        return ("setfacl", "-b", step.path)
    return None


def _has_acl(path: str) -> bool:
    if not hasattr(os, "getxattr"):  # elsewhere than on Linux
        return False
    try:
        return bool(os.getxattr(path, "system.posix_acl_access", follow_symlinks=False))
    except OSError as error:
        return error.errno not in (errno.ENODATA, errno.ENOTSUP)


def cure_for_root(path: str, trusted: Trusted = ROOT_ONLY) -> Command | None:
    """Return the command that makes `path` safe for root, None if it is. Raises StoreError.

    A file that does not exist is judged by its directories.
    """
    try:
        with resolved(path) as place:
            return cure(place, trusted)
    except (OSError, ValueError) as error:
        raise StoreError((getattr(error, "strerror", None) or "not a file name").lower(), file=path) from None


def cure_for_others(path: str) -> Command | None:
    """Return the command that keeps others than owners and groups from changing a file, None if they cannot.

    For a user whom a group may help. Raises StoreError.
    """
    try:
        with resolved(path) as place:
            steps = [step for step in place.steps if not stat.S_ISLNK(step.facts.st_mode)]
    except (OSError, ValueError) as error:
        raise StoreError((getattr(error, "strerror", None) or "not a file name").lower(), file=path) from None
    for step in steps:
        sticky = stat.S_ISDIR(step.facts.st_mode) and step.facts.st_mode & stat.S_ISVTX
        if step.facts.st_mode & stat.S_IWOTH and not sticky:
            return ("chmod", "o-w", step.path)
    return None


def refuse_unsafe(place: Place, trusted: Trusted = ROOT_ONLY) -> None:
    """Raise Refused if root is asked to use a place that others can change too."""
    if os.geteuid() == 0 and (found := cure(place, trusted)) is not None:
        raise unsafe(place.path, found)


def unsafe(path: str, found: Command) -> Refused:
    """Return the refusal to use what users other than root can change."""
    where = "" if found[-1] == path else f"{found[-1]} "
    return Refused(
        f"{where}can be changed by users other than root, so root will not use it", file=path, code="unsafe", fix=found
    )
