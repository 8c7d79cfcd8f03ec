"""Ending the sessions of accounts whose access narrowed: a server asks for the policy at login only.

Promises: whose session is ended is said; whose end is owed is noted in `PATH.kick` before the file is replaced, until it
was asked for and succeeded. Not promised: that a session which began in the second of the change is met.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from mailpolicy.deploy import programs
from mailpolicy.system.held import Held, locked, without_lock
from mailpolicy.system.trust import Trusted

_NOTICED = 1.1  # seconds; Dovecot looks at the passwd-file at most once a second
# What doveadm kick says if the user has no session: 2.3 with its status, 2.4 in words.
_NOBODY = 68
_NO_SESSION = re.compile(r"0 connections kicked\b")
_SUFFIX = "kick"
_USER = re.compile(r"[A-Za-z0-9_]\S*")
_PATIENCE = 30.0  # seconds for one kick


def typed(users: Iterable[str], short: Collection[str]) -> list[str]:
    """The names that sessions of `users` go by: as they are, and without their domain where that is one of `short`."""
    found = []
    for user in users:
        local, _, domain = user.rpartition("@")
        found += [user, local] if domain in short else [user]
    return found


class Ended(NamedTuple):
    """Whose sessions were ended, and by user why others could not be."""

    kicked: list[str]
    failed: dict[str, str]


def kick(command: tuple[str, ...], users: Iterable[str], told: Callable[[str], None]) -> Ended:
    """End the sessions of `users`; `told` gets a sentence for each.

    Waits until Dovecot has noticed the new file, as whoever is thrown out comes back at once.
    """
    ended = Ended([], {})
    listed = list(users)
    if listed:
        time.sleep(_NOTICED)
    for user in listed:
        run = programs.run([*command, user], _PATIENCE)
        if run.status == _NOBODY or _NO_SESSION.match(run.out):
            told(f"no session to kick: {user}")
        elif run.failure is None:
            told(f"kicked: {user}")
            ended.kicked.append(user)
        else:
            ended.failed[user] = f"{shlex.join([*command, user])} {run.failure}"
    return ended


def owed(path: str) -> list[str]:
    """Return whose sessions may be open that an earlier change of the file at `path` no longer allows.

    Raises Refused and WriteFailed.
    """
    with without_lock(path, judged=False) as file:
        return _owed(file)


def owe(file: Held, users: Iterable[str]) -> None:
    """Write down, before a file is replaced, whose sessions are to be ended. Raises Refused and WriteFailed."""
    file.note(_SUFFIX).write(sorted({*_owed(file), *users}))


def settle(path: str, users: Iterable[str], failed: Collection[str], lock_timeout: float, trusted: Trusted) -> None:
    """Strike out those of `users` who need no end any more. Raises Refused, StillLocked and WriteFailed."""
    done = set(users) - set(failed)
    with locked(path, lock_timeout, trusted) as file:
        left = [user for user in _owed(file) if user not in done]
        if left:
            file.note(_SUFFIX).write(left)
        else:
            file.note(_SUFFIX).remove()


def _owed(file: Held) -> list[str]:
    # They become arguments of a command, so what is no user name is none that we wrote.
    return [name for name in file.note(_SUFFIX).lines() if _USER.fullmatch(name)]
