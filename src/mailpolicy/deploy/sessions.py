"""End the sessions of accounts whose access narrowed: servers check the policy only at login.

The accounts and services are recorded in the marker `PATH.kick` before the file is replaced, and removed once their
sessions were ended. A session that began within a second of the change may be missed.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from mailpolicy.system import programs
from mailpolicy.system.held import Held, locked, without_lock
from mailpolicy.system.trust import Trusted

_NOTICE_DELAY = 1.1  # seconds; Dovecot checks the passwd-file for changes at most once a second
# Results of doveadm kick for a user without a session: the exit status of 2.3, the output of 2.4.
_NO_USER = 68
_NO_SESSION = re.compile(r"0 connections kicked\b")
_SUFFIX = "kick"
_USER = re.compile(r"[A-Za-z0-9_]\S*")
_TIMEOUT = 30.0  # seconds for one kick


def login_names(users: Iterable[str], short: Collection[str]) -> list[str]:
    """Return the login names of users: their addresses, and their local parts in the domains `short`."""
    found = []
    for user in users:
        local, _, domain = user.rpartition("@")
        found += [user, local] if domain in short else [user]
    return found


class KickResult(NamedTuple):
    """The users whose sessions were ended, and the failures by user."""

    kicked: list[str]
    failed: dict[str, str]


def kick(command: tuple[str, ...], users: Iterable[str], report: Callable[[str], None]) -> KickResult:
    """End the sessions of `users`; `report` is called with a message for each.

    Waits first until Dovecot has noticed the new file, because clients reconnect at once.
    """
    result = KickResult([], {})
    listed = list(users)
    if listed:
        time.sleep(_NOTICE_DELAY)
    for user in listed:
        program = programs.run([*command, user], _TIMEOUT)
        if program.status == _NO_USER or _NO_SESSION.match(program.out):
            report(f"no session to kick: {user}")
        elif program.failure is None:
            report(f"kicked: {user}")
            result.kicked.append(user)
        else:
            result.failed[user] = f"{shlex.join([*command, user])} {program.failure}"
    return result


def pending(path: str) -> list[str]:
    """Return the record of the file at `path`: keys `SERVICE/USER`, or users. Raises Refused and WriteFailed."""
    with without_lock(path, check_trust=False) as file:
        return _pending(file)


def user_of(key: str) -> str:
    """Return the user of a line of the record; an earlier version recorded users without a service."""
    return key.rpartition("/")[2]


def record(file: Held, keys: Iterable[str]) -> None:
    """Record, before a file is replaced, whose sessions of which service must end. Raises Refused and WriteFailed."""
    file.marker(_SUFFIX).write(sorted({*_pending(file), *keys}))


def clear(path: str, done: Collection[str], lock_timeout: float, trusted: Trusted) -> None:
    """Remove these lines of the record. Raises Refused, StillLocked and WriteFailed."""
    with locked(path, lock_timeout, trusted) as file:
        left = [key for key in _pending(file) if key not in done]
        if left:
            file.marker(_SUFFIX).write(left)
        else:
            file.marker(_SUFFIX).remove()


def _pending(file: Held) -> list[str]:
    # These become arguments of a command; a line that is not a user name was not written by us.
    return [key for key in file.marker(_SUFFIX).lines() if _USER.fullmatch(user_of(key))]
