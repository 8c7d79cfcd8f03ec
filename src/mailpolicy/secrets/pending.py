"""The marker `NAME.pending` beside the store: names of secrets that a running change of keyring and store touches.

If the change is killed between the two, the marker remains and the next edit warns. It does not show how far the change
came. It holds names only, never a secret.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailpolicy.errors import Advice, MailpolicyError
from mailpolicy.system.held import Held, without_lock
from mailpolicy.system.trust import ROOT_ONLY, Trusted

_SUFFIX = "pending"


def user_names(path: str, trusted: Trusted = ROOT_ONLY) -> list[str]:
    """Return the user names touched by interrupted changes of the store at `path`. Raises Refused and WriteFailed."""
    with without_lock(path, trusted, check_trust=False) as store:
        return read(store)


def read(store: Held) -> list[str]:
    """Return the user names touched by interrupted changes of a store. Raises Refused and WriteFailed."""
    return store.marker(_SUFFIX).lines()


def warnings(path: str, trusted: Trusted = ROOT_ONLY) -> list[str | Advice]:
    """Return a warning for each interrupted change of the store at `path`."""
    try:
        return [warning(name) for name in user_names(path, trusted)]
    except MailpolicyError as error:
        return [f"warning: cannot check for interrupted changes: {error}"]


def warning(name: str) -> Advice:
    """Return the warning about one interrupted change."""
    text = f"warning: an earlier change was interrupted; the secret {name} may be out of date"
    return Advice(text, ("mailpolicy", "validate", "--secrets"))


def add(store: Held, touched: Iterable[str]) -> None:
    """Add the names of secrets that a change will touch. Raises Refused and WriteFailed."""
    present = read(store)
    if new := [name for name in touched if name not in present]:
        store.marker(_SUFFIX).write([*present, *new], shared=True)


def remove(store: Held, touched: Iterable[str]) -> None:
    """Remove the names of secrets whose change is complete. Raises Refused and WriteFailed."""
    finished, present = set(touched), read(store)
    left = [name for name in present if name not in finished]
    if left and left != present:
        store.marker(_SUFFIX).write(left, shared=True)
    elif present and not left:
        store.marker(_SUFFIX).remove()
