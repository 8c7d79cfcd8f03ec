"""Ending the sessions of accounts whose access narrowed: a server asks for the policy at login only.

Promises: whose session is ended is said. Not promised: that a session which began in the second of the change is met.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Collection, Iterable

_NOTICED = 1.1  # seconds; Dovecot looks at the passwd-file at most once a second
_NOBODY = 68  # doveadm kick's status where the user has no session
_PATIENCE = 30.0  # seconds for one kick


def typed(users: Iterable[str], short: Collection[str]) -> list[str]:
    """The names that sessions of `users` go by: as they are, and without their domain where that is one of `short`."""
    found = []
    for user in users:
        local, _, domain = user.rpartition("@")
        found += [user, local] if domain in short else [user]
    return found


def kick(command: tuple[str, ...], users: Iterable[str], told: Callable[[str], None]) -> list[str]:
    """End the sessions of `users` and return those that could not be asked about; `told` gets a sentence for each other.

    Waits until Dovecot has noticed the new file, as whoever is thrown out comes back at once.
    """
    listed = list(users)
    if listed:
        time.sleep(_NOTICED)
    failed = []
    for user in listed:
        try:
            ended = subprocess.run(
                [*command, user], stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            failed.append(shlex.join([*command, user]))
            continue
        if ended.returncode == 0:
            told(f"kicked: {user}")
        elif ended.returncode == _NOBODY:
            told(f"no session to kick: {user}")
        else:
            failed.append(shlex.join([*command, user]))
    return failed
