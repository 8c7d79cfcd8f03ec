"""Check whether Dovecot's auth process can read the passwd-file; files with an ACL are taken to be readable."""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from mailpolicy.system.resolve import real_path


class _AuthProcess(NamedTuple):
    name: str
    uid: int
    gids: frozenset[int]

    def lacks(self, path: str, bit: int) -> bool:
        """Return whether the mode of `path` withholds the permission `bit`."""
        st = os.stat(path)
        if self.uid == 0 or _has_access_list(path):
            return False
        shift = 6 if st.st_uid == self.uid else 3 if st.st_gid in self.gids else 0
        return not st.st_mode >> shift & bit


def explain_unreadable(
    path: str, exported: Collection[str], text: str, value: Callable[[str], str | None]
) -> str | None:
    """Return why Dovecot cannot read the passwd-file at `path`, None if it can or that is unknown.

    `exported` lists the files that exports make, `text` is the output of `doveconf -n`, and `value` looks up one setting.
    """
    full = real_path(path)
    try:
        if not os.path.exists(full):
            if full in map(real_path, exported):
                return None  # reported by the export itself
            return f'Dovecot reads {path}, which does not exist: add an export with target = "dovecot" and this path'
        reader = _auth_process(text, value)
        if reader is None:
            return None
        folders = [full]
        while (parent := os.path.dirname(folders[-1])) != folders[-1]:
            folders.append(parent)
        for folder in reversed(folders[1:]):
            if reader.lacks(folder, 1):
                return f"Dovecot's auth process (user {reader.name}) cannot read {path}: it cannot enter {folder}"
        if reader.lacks(full, 4):
            return (
                f"Dovecot's auth process (user {reader.name}) cannot read {path}: "
                f'set owner = ":GROUP" in its export, with a group of that user'
            )
    except OSError:  # without permission to look, the answer is unknown
        return None
    return None


def _auth_process(text: str, value: Callable[[str], str | None]) -> _AuthProcess | None:
    """Return the user and groups of Dovecot's service auth, None if they are unknown on this machine."""
    block = re.search(r"^service auth {\n((?:  .*\n)*)}", text, re.M)
    settings = dict(re.findall(r"^  (user|group|extra_groups) = ?(.*)$", block[1] if block else "", re.M))

    def full(text: str) -> str:
        name = re.fullmatch(r"\$(?:SET:)?(default_internal_(?:user|group))", text)
        return (value(name[1]) or "") if name else text

    user = full(settings.get("user", "$default_internal_user"))
    groups = [full(group) for key in ("group", "extra_groups") for group in re.split(r"[\s,]+", settings.get(key, ""))]
    try:
        account = pwd.getpwnam(user or "root")
        gids = {grp.getgrnam(group).gr_gid for group in groups if group}
    except KeyError:
        return None
    return _AuthProcess(
        account.pw_name, account.pw_uid, frozenset(gids | {*os.getgrouplist(account.pw_name, account.pw_gid)})
    )


def _has_access_list(path: str) -> bool:
    try:
        return "system.posix_acl_access" in os.listxattr(path)
    except OSError:  # the file system has none
        return False
