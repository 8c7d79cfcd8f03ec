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


def names(path: str, trusted: Trusted = ROOT_ONLY) -> list[str]:
    """Return the user names touched by interrupted changes of the store at `path`. Raises Refused and WriteFailed."""
    with without_lock(path, trusted, check_trust=False) as store:
        return names_beside(store)


def names_beside(store: Held) -> list[str]:
    """Return the user names touched by interrupted changes of a store. Raises Refused and WriteFailed."""
    return store.marker(_SUFFIX).lines()


def notes(path: str, trusted: Trusted = ROOT_ONLY) -> list[str | Advice]:
    """Return a warning for each interrupted change of the store at `path`."""
    try:
        return [sentence(name) for name in names(path, trusted)]
    except MailpolicyError as error:
        return [f"warning: cannot check for interrupted changes: {error}"]


def sentence(name: str) -> Advice:
    """Return the warning about one interrupted change."""
    text = f"warning: an earlier change was interrupted; the secret {name} may be out of date"
    return Advice(text, ("mailpolicy", "validate", "--secrets"))


def note(store: Held, touched: Iterable[str]) -> None:
    """Add the names of secrets that a change will touch. Raises Refused and WriteFailed."""
    known = names_beside(store)
    if new := [name for name in touched if name not in known]:
        store.marker(_SUFFIX).write([*known, *new], shared=True)


def clear(store: Held, touched: Iterable[str]) -> None:
    """Remove the names of secrets whose change is complete. Raises Refused and WriteFailed."""
    finished, known = set(touched), names_beside(store)
    left = [name for name in known if name not in finished]
    if left and left != known:
        store.marker(_SUFFIX).write(left, shared=True)
    elif known and not left:
        store.marker(_SUFFIX).remove()
