"""Replace a store under its lock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from mailpolicy.system.held import Held, Moved, locked
from mailpolicy.system.trust import Trusted

_RETRIES = 2
T = TypeVar("T")


def under_lock(
    path: str, timeout: float, trusted: Trusted, replace: Callable[[Held], T], *, make_folders: int | None = None
) -> T:
    """Call `replace` with the locked store and return its result.

    If the path leads to another file by the time of the replacement, it starts again there. `timeout` is in seconds.
    """
    for _ in range(_RETRIES):
        with suppress(Moved), locked(path, timeout, trusted, make_folders=make_folders) as held:
            return replace(held)
    with locked(path, timeout, trusted, make_folders=make_folders) as held:
        return replace(held)
