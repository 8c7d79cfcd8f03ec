"""Whether root may obey a file: who else could have written it, or put another in its place.

Promises: the answer is the command that makes it safe. Not promised: anything about who wrote it before.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mailpolicy.errors import Command, Refused


def unsafe_for_root(path: str, *, group: bool = False) -> Command | None:
    """The command that makes `path` safe to be obeyed by root, or None where it is safe.

    Safe means: the file and every directory above it belong to root and others may not write there; with `group` the
    group may not either. A sticky directory such as /tmp is safe for what root owns in it. A file that is not there is
    judged by its directories.
    """
    forbidden = stat.S_IWOTH | (stat.S_IWGRP if group else 0)
    for start in dict.fromkeys((os.path.abspath(path), os.path.realpath(path))):
        for place in (Path(start), *Path(start).parents):
            try:
                link, facts = os.lstat(place), os.stat(place)
            except OSError:
                continue
            if stat.S_ISLNK(link.st_mode) and link.st_uid != 0:
                return ("chown", "-h", "root", str(place))
            if facts.st_uid != 0:
                return ("chown", "root", str(place))
            sticky = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX
            if facts.st_mode & forbidden and not sticky:
                return ("chmod", "go-w" if group else "o-w", str(place))
    return None


def refuse_unsafe(path: str) -> None:
    """Raise Refused where root is asked to obey or change a store that others can change too."""
    if os.geteuid() == 0 and (fix := unsafe_for_root(path)) is not None:
        raise Refused(
            "others than root can write here, and root would obey what they wrote",
            file=path,
            code="unsafe",
            fix=fix,
        )
