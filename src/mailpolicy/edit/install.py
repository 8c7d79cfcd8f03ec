"""Replace a store by another file: compare their access, ask, lock, compare again if the old store has changed, write.

The bytes that were validated are the ones written; the old file's mode, owner and links stay. Equal content is not
written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.edit.locking import recorded, under_lock
from mailpolicy.edit.text import diff
from mailpolicy.errors import Advice, FileMissing
from mailpolicy.policy.access import EMPTY, Comparison
from mailpolicy.policy.changes import AccessChange, Redirection
from mailpolicy.secrets import pending
from mailpolicy.store.store import Store, StoreInvalid
from mailpolicy.system.files import read_all
from mailpolicy.system.held import Held, without_lock
from mailpolicy.system.trust import ROOT_ONLY, Trusted

if TYPE_CHECKING:
    from mailpolicy.edit.history.journal import Journal  # loaded only if host.toml asks for a journal
    from mailpolicy.policy.dates import Clock
    from mailpolicy.review.guard import Guard  # loaded only if host.toml names cases


class Installation(NamedTuple):
    """An installation, planned or done; `old` is None if there is no store yet."""

    path: str
    old: Store | None
    new: Store
    comparison: Comparison
    changes: list[AccessChange | Redirection]
    notes: list[str | Advice]
    comparable: bool = True  # False if the old store has errors and access was compared with an empty policy

    @property
    def changed(self) -> bool:
        """Return whether there is anything to write."""
        return self.old is None or self.old.data != self.new.data

    @property
    def diff(self) -> str:
        """Return the unified diff of the two texts."""
        old, new = (_text(store) for store in (self.old, self.new))
        return diff.unified_diff(self.path, old, diff.compare(old, new))


Check = Callable[[Installation], None]


def install(
    path: str,
    new: Store,
    now: Clock,
    *,
    allow: Check,
    confirm: Check,
    dry_run: bool = False,
    lock_timeout: float = 10.0,
    trusted: Trusted = ROOT_ONLY,
    guard: Guard | None = None,
    journal: Journal | None = None,
) -> Installation:
    """Put `new` in the place of the store at `path`. `lock_timeout` is in seconds; `guard` has the cases for the edit,
    and `journal` gets an entry.

    `allow` may raise to stop it, and is called again if the old store has changed meanwhile; `confirm` may raise before
    the lock is taken. Raises StoreError, Refused, StillLocked, WriteFailed and NotConfirmed.
    """
    planned = _planned(path, new, _current_store(path, trusted), trusted, now)
    if guard is not None:
        guard.read()  # cases that cannot be used refuse every edit
    if not planned.changed:
        return planned
    allow(planned)
    _refuse_broken_cases(planned, guard)
    if dry_run:
        return planned
    confirm(planned)
    return under_lock(
        path,
        lock_timeout,
        trusted,
        lambda held: _replace(held, planned, now, allow, guard, journal),
        make_folders=0o755,
    )


def _replace(
    held: Held, planned: Installation, now: Clock, allow: Check, guard: Guard | None, journal: Journal | None
) -> Installation:
    with held.opened() as descriptor:
        old = Store(held.path, read_all(descriptor)) if descriptor is not None else None
    held.refuse_links()
    current = _planned(held.path, planned.new, old, held.trusted, now)
    if current.changed:
        if _content(current) != _content(planned):  # the comparison that was allowed is out of date
            allow(current)
        _refuse_broken_cases(current, guard)
        with recorded(journal, held, old, planned.new.data, planned.new.tree):
            held.replace(planned.new.data)
    return current


def _refuse_broken_cases(planned: Installation, guard: Guard | None) -> None:
    if guard is not None:
        old = planned.comparison.old if planned.old is not None and planned.comparable else None
        guard.refuse_broken(old, planned.comparison.new)


def _current_store(path: str, trusted: Trusted) -> Store | None:
    """Return the store in place, or None if there is none. Raises StoreError, and Refused if it must not be replaced."""
    with without_lock(path, trusted) as place:
        place.refuse_links()
    try:
        return Store.read(path, trusted=trusted)
    except FileMissing:
        return None


def _planned(path: str, new: Store, old: Store | None, trusted: Trusted, now: Clock) -> Installation:
    policy = new.policy()
    notes = pending.warnings(path, trusted)
    # Against an empty policy all access of the new store counts as widened, so --fail-on widened refuses it.
    before, comparable = EMPTY, True
    try:
        before = old.policy() if old is not None else EMPTY
    except StoreInvalid as error:
        comparable = False
        notes.append(
            f"the current store has errors, so access is compared with that of an empty store: {error.findings[0]}"
        )
    comparison = Comparison(before, policy, now)
    return Installation(path, old, new, comparison, comparison.changes(), notes, comparable)


def _content(installation: Installation) -> bytes | None:
    return installation.old.data if installation.old is not None else None


def _text(store: Store | None) -> str:
    """Return the whole text with its byte order mark; bytes that are not UTF-8 are escaped."""
    return store.data.decode("utf-8", "backslashreplace") if store is not None else ""
