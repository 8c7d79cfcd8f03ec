"""The marker `NAME.pending` beside the store: names of secrets that a running change of keyring and store touches.

If the change is killed between the two, the marker remains and the next edit warns. It does not show how far the change
came. It holds names only, never a secret.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mailpolicy.errors import Advice, MailpolicyError
from mailpolicy.policy.bindings import is_user_name
from mailpolicy.policy.names import counted
from mailpolicy.system.held import Held, without_lock
from mailpolicy.system.markers import foreign_file
from mailpolicy.system.trust import ROOT_ONLY, Trusted

_SUFFIX = "pending"
LOCK = "pending.lock"  # held by the command that changes secrets


def user_names(path: str, trusted: Trusted = ROOT_ONLY) -> list[str]:
    """Return the user names touched by changes of the store at `path`, going on or interrupted. Raises Refused and WriteFailed."""
    with without_lock(path, trusted, check_trust=False) as store:
        return read(store)


def read(store: Held) -> list[str]:
    """Return the user names touched by interrupted changes of a store. Raises Refused and WriteFailed."""
    marker = store.marker(_SUFFIX)
    # Who may write the folder can give this name to any file of root's there, which must not be shown, and not be copied.
    if not all(map(is_user_name, lines := marker.lines())):
        raise foreign_file(marker.path)
    return lines


def interrupted(path: str, trusted: Trusted = ROOT_ONLY) -> list[str]:
    """Return the user names that interrupted changes have left here, none while a change is going on. Raises as `user_names`."""
    with without_lock(path, trusted, check_trust=False) as store:
        # Read again if nobody is at it: a change may just have ended.
        return read(store) if read(store) and not store.is_locked(LOCK) else []


class Interrupted(Advice):
    """The warning about interrupted changes."""


def warnings(
    path: str, trusted: Trusted = ROOT_ONLY, *, apart_from: Collection[str] | None = None
) -> list[str | Advice]:
    """Return the warning about interrupted changes of the store at `path`, if there were any.

    `apart_from` is given by a change that goes on: its own names.
    """
    try:
        noted = interrupted(path, trusted) if apart_from is None else user_names(path, trusted)
        found = [name for name in noted if name not in (apart_from or ())]
    except MailpolicyError as error:
        return [f"warning: cannot check for interrupted changes: {error}"]
    if not found:
        return []
    secrets = f"the secret {found[0]}" if len(found) == 1 else counted(len(found), "secret")
    text = f"warning: an earlier change was interrupted; {secrets} may be out of date"
    return [Interrupted(text, ("mailpolicy", "validate", "--secrets"))]


def add(store: Held, touched: Iterable[str]) -> None:
    """Add the names of secrets that a change will touch. Raises Refused and WriteFailed."""
    present = dict.fromkeys(read(store))
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
