"""What the commands that run a script in a database need, so that they end with an error if the script does.

Seen with psql 15, mariadb 10.11 and sqlite3 3.40: without these psql and `source` in mariadb end with 0 after an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple


class _Client(NamedTuple):
    needed: re.Pattern[str]  # what the words after the program must contain
    advice: str
    careless: re.Pattern[str] = re.compile(r"(?!)")  # what they must not contain


_STOPS_PSQL = _Client(
    re.compile(r"\0(-v\0?|--set[=\0]|--variable[=\0])ON_ERROR_STOP=(1|on|true|yes)\0"),
    'add "-v", "ON_ERROR_STOP=1" to reload, as psql ends with 0 after an error',
)
_STOPS_MARIADB = _Client(
    re.compile(r"^(?!.*source )|\0--abort-source-on-error\0"),
    'add "--abort-source-on-error" to reload, as source ends with 0 after an error, and no --force',
    re.compile(r"\0(-f|--force|--skip-abort-source-on-error)\0"),
)
_STOPS_SQLITE = _Client(re.compile(r"\0--?bail\0"), 'add "-bail" to reload, as sqlite3 goes on after an error')
_CLIENTS = {"psql": _STOPS_PSQL, "mariadb": _STOPS_MARIADB, "mysql": _STOPS_MARIADB, "sqlite3": _STOPS_SQLITE}


def explain_unnoticed(command: Sequence[str]) -> str | None:
    """Return what to add to a command, so that an error in a script is noticed; None if it is, or that is unknown."""
    for place, word in enumerate(command):
        client = _CLIENTS.get(os.path.basename(word))
        if client is not None:
            words = "\0".join(("", *command[place + 1 :], ""))
            noticed = client.needed.search(words) and not client.careless.search(words)
            return None if noticed else client.advice
    return None
