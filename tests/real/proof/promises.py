"""The promises that are proved here, and how much is tried: a short form with the other real tests, all of it in `make prove`."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum

PROVE = os.environ.get("MAILPOLICY_PROVE") == "1"


def scaled(all_of_it: int, short: int) -> int:
    """Return how much of something is tried: all of it in `make prove`, else the short form."""
    return all_of_it if PROVE else short


class Promise(Enum):
    """A promise, in the order of the table in docs/reliability.md."""

    WHOLE = "no torn file, no lost secret"
    POWER = "a power loss leaves the old file or the new one"
    DISKS = "full and odd disks"
    UPDATES = "no lost update, no torn read"
    INDEX = "the index never answers for an old file"
    EDITS = "edits never corrupt"
    READERS = "readers survive any input"
    SECRETS = "secrets never leak"
    NAMES = "hostile names"
    KEYRINGS = "keyrings that misbehave"
    PRIVILEGES = "root beside a hostile user"


Tried = Callable[[Promise, int, str], None]
"""Say how many of what were tried for a promise: `tried(Promise.WHOLE, 812, "failing system calls")`."""
