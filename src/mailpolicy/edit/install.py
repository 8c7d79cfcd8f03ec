"""A whole store put in the place of another: compare, ask, lock, compare again where the file moved, replace.

Promises: the bytes that were judged are the bytes that are installed; mode, owner and links of the old file stay; what
is equal is not written. Not promised: anything about secrets, which no store holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mailpolicy.edit.text import diff
from mailpolicy.errors import Advice, FileMissing
from mailpolicy.policy.access import EMPTY, Comparison
from mailpolicy.policy.changes import AccessChange, Redirection
from mailpolicy.secrets import pending
from mailpolicy.store.store import Store, StoreInvalid
from mailpolicy.system.files import read_all
from mailpolicy.system.held import Held, Moved, locked, without_lock
from mailpolicy.system.trust import ROOT_ONLY, Trusted


class Installation(NamedTuple):
    """What an installation comes to; `old` is None where no store is there yet."""

    path: str
    old: Store | None
    new: Store
    comparison: Comparison
    changes: list[AccessChange | Redirection]
    notes: list[str | Advice]
    comparable: bool = True  # false where the old store has errors, so that it is compared with none

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.old is None or self.old.data != self.new.data

    @property
    def diff(self) -> str:
        """The unified diff of the two texts."""
        old, new = (_text(store) for store in (self.old, self.new))
        return diff.unified(self.path, old, diff.between(old, new))


Judge = Callable[[Installation], None]


def install(
    path: str,
    new: Store,
    *,
    allow: Judge,
    confirm: Judge,
    dry_run: bool = False,
    lock_timeout: float = 10.0,
    trusted: Trusted = ROOT_ONLY,
) -> Installation:
    """Put `new` in the place of the store at `path`. `lock_timeout` is in seconds.

    `allow` may raise to stop it, and is asked again where the old store changed meanwhile; `confirm` may raise before
    the lock is taken. Raises StoreError, Refused, StillLocked, WriteFailed, NotConfirmed.
    """
    planned = _planned(path, new, _old(path, trusted), trusted)
    if not planned.changed:
        return planned
    allow(planned)
    if dry_run:
        return planned
    confirm(planned)
    for again in (True, True, False):
        try:
            with locked(path, lock_timeout, trusted, make_folders=0o755) as held:
                return _put(held, planned, allow)
        except Moved:
            if not again:
                raise
    raise AssertionError("the last try returns or raises")


def _put(held: Held, planned: Installation, allow: Judge) -> Installation:
    with held.opened() as descriptor:
        old = Store(held.path, read_all(descriptor)) if descriptor is not None else None
    held.refuse_links()
    current = _planned(held.path, planned.new, old, held.trusted)
    if current.changed:
        if _content(current) != _content(planned):
            allow(current)
        held.replace(planned.new.data)
    return current


def _old(path: str, trusted: Trusted) -> Store | None:
    """Return the store in place, None if there is none. Raises StoreError, and Refused if it must not be replaced."""
    with without_lock(path, trusted) as place:
        place.refuse_links()
    try:
        return Store.read(path, trusted=trusted)
    except FileMissing:
        return None


def _planned(path: str, new: Store, old: Store | None, trusted: Trusted) -> Installation:
    policy = new.policy()
    notes = pending.warnings(path, trusted)
    before, comparable = EMPTY, True
    try:
        before = old.policy() if old is not None else EMPTY
    except StoreInvalid as error:
        comparable = False
        notes.append(
            f"the store in place has errors and decides nothing, so access is compared with none: {error.findings[0]}"
        )
    comparison = Comparison(before, policy)
    return Installation(path, old, new, comparison, comparison.changes(), notes, comparable)


def _content(installation: Installation) -> bytes | None:
    return installation.old.data if installation.old is not None else None


def _text(store: Store | None) -> str:
    """The whole text with its byte order mark; what is not UTF-8 is shown escaped."""
    return store.data.decode("utf-8", "backslashreplace") if store is not None else ""
