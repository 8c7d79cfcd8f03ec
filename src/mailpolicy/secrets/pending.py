"""Which secrets a change is about to touch, noted beside the store as `NAME.pending` until the change is whole.

A change of keyring and store that is killed between the two is noticed afterwards by this note, which cannot tell which
of the two was reached. It has names only, never a secret.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailpolicy.errors import Advice, MailpolicyError
from mailpolicy.system.held import Held, without_lock
from mailpolicy.system.trust import ROOT_ONLY, Trusted

_SUFFIX = "pending"


def names(path: str, trusted: Trusted = ROOT_ONLY) -> list[str]:
    """Return the secrets that unfinished changes of the store at `path` were about. Raises Refused and WriteFailed."""
    with without_lock(path, trusted, judged=False) as store:
        return names_beside(store)


def names_beside(store: Held) -> list[str]:
    """Return the secrets that unfinished changes of a store were about. Raises Refused and WriteFailed."""
    return store.note(_SUFFIX).lines()


def notes(path: str, trusted: Trusted = ROOT_ONLY) -> list[str | Advice]:
    """Return a sentence for each unfinished change, for whoever edits next."""
    try:
        return [sentence(name) for name in names(path, trusted)]
    except MailpolicyError as error:
        return [f"warning: cannot tell whether an earlier change was interrupted: {error}"]


def sentence(name: str) -> Advice:
    """Return what is said about one unfinished change."""
    text = f"warning: an earlier change was interrupted, the secret {name} may be out of date"
    return Advice(text, ("mailpolicy", "validate", "--secrets"))


def note(store: Held, touched: Iterable[str]) -> None:
    """Write down that these secrets are about to be touched. Raises Refused and WriteFailed."""
    known = names_beside(store)
    if new := [name for name in touched if name not in known]:
        store.note(_SUFFIX).write([*known, *new], shared=True)


def clear(store: Held, touched: Iterable[str]) -> None:
    """Strike out what is whole again. Raises Refused and WriteFailed."""
    finished, known = set(touched), names_beside(store)
    left = [name for name in known if name not in finished]
    if left and left != known:
        store.note(_SUFFIX).write(left, shared=True)
    elif known and not left:
        store.note(_SUFFIX).remove()
