"""Ending the sessions of accounts whose access narrowed: a server asks for the policy at login only.

Promises: whose session is ended is said; whose end is owed is noted in `PATH.kick` before the file is replaced, until it
was asked for and succeeded. Not promised: that a session which began in the second of the change is met.
"""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import NamedTuple

from mailpolicy import files
from mailpolicy.deploy import programs
from mailpolicy.files import Attributes

_NOTICED = 1.1  # seconds; Dovecot looks at the passwd-file at most once a second
# What doveadm kick says where the user has no session: 2.3 with its status, 2.4 in words.
_NOBODY = 68
_NO_SESSION = re.compile(r"0 connections kicked\b")
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
    """Whose sessions may be open that an earlier change of the file at `path` no longer allows."""
    note = _note(path)
    if not os.path.lexists(note) or os.path.islink(note):
        return []
    return files.read_regular(note).decode("utf-8", "replace").split()


def owe(path: str, users: Iterable[str]) -> None:
    """Write down, before the file at `path` is replaced, whose sessions are to be ended; hold its lock."""
    _write(path, sorted({*owed(path), *users}))


def settle(path: str, users: Iterable[str], failed: Collection[str]) -> None:
    """Strike out those of `users` who need no end any more."""
    done = set(users) - set(failed)
    left = [user for user in owed(path) if user not in done]
    if left:
        _write(path, left)
    else:
        with suppress(FileNotFoundError):
            os.unlink(_note(path))


def _write(path: str, users: list[str]) -> None:
    files.replace(_note(path), "".join(f"{user}\n" for user in users).encode("utf-8"), Attributes(0o600))


def _note(path: str) -> str:
    return f"{os.path.realpath(path)}.kick"
