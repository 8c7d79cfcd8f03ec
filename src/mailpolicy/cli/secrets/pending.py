"""Keep the marker of pending changes while keyring and store are changed together.

If the process is killed in between, the marker remains, and the next edit and `validate --secrets` report it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from mailpolicy.cli.output import Output
from mailpolicy.edit.plan import Plan
from mailpolicy.errors import MailpolicyError, NotConfirmed
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import Credentials
from mailpolicy.store.store import Store
from mailpolicy.system.held import Held, locked, without_lock

_NOTING = 10.0  # seconds to wait for the lock for what is noted afterwards


def refuse_unsafe(out: Output, store: Store) -> None:
    """Raise Refused, before a keyring is asked, if the store must not be edited."""
    with without_lock(store.path, out.trusted) as place:
        place.refuse_links()


@contextmanager
def changing_secrets(out: Output, store: Store, plan: Plan | None = None) -> Iterator[Store]:
    """Hold `NAME.pending.lock` and yield the store as it is now: only one command at a time changes secrets.

    What it read of the keyring so stays true until it has deleted what it copied, without the store being locked while a
    keyring takes its time. Who may not write beside the store, and has a `plan` that changes only the keyring or none, goes
    on without the lock. Raises StillLocked, StoreError, Refused and WriteFailed.
    """
    with without_lock(store.path, out.trusted) as place:
        waited = place.waited_for(
            pending.LOCK,
            out.context.lock_timeout,
            "another command that changes passwords",
            optional=plan is None or not plan.operations,
        )
        with waited:
            with place.opened() as descriptor:
                now = store.reread(descriptor)
            yield now


class PendingChange:
    """A running change of store and keyring: the names it added to the marker, and whether the store was replaced."""

    def __init__(self, store: Store) -> None:
        self._path = store.path
        self._before: int | None = None
        self.added: list[str] = []

    def record(self, store: Held, users: Iterable[str]) -> None:
        """Add the names of secrets to the marker before they are touched."""
        present = set(pending.read(store))
        self.added.extend(user for user in users if user not in present)
        pending.add(store, self.added)

    def before_replace(self, store: Held) -> None:
        """Remember the store's inode right before the store is replaced."""
        st = store.lstat()
        self._before = st.st_ino if st is not None else None

    def store_replaced(self) -> bool:
        """Return whether the store was replaced, even if the sync failed or a signal came right after.

        If that is unknown the answer is yes: then nothing is rolled back and the marker stays.
        """
        if self._before is None:
            return False
        try:
            return os.stat(self._path).st_ino != self._before
        except FileNotFoundError:
            return False
        except OSError:
            return True


@contextmanager
def pending_change(
    out: Output, store: Store, keyring: Credentials, *, deletes_nothing: bool
) -> Iterator[PendingChange]:
    """Run the block as one change of store and keyring; `deletes_nothing` if it deletes no secret afterwards.

    If the block raises, the names are removed from the marker again, unless keyring or store were left changed. They are
    removed too if both were changed completely and only the sync failed.
    """
    change = PendingChange(store)
    try:
        yield change
    except NotConfirmed:
        if deletes_nothing and change.store_replaced() and not keyring.uncertain:
            clear_pending(out, store, change.added)
        raise
    except BaseException:
        if keyring.uncertain:
            # These may be the old or the new secrets. Another command may have removed the marker, so write it again.
            failure = "so it could not be noted that secrets may be out of date"
            _with_lock(out, store, lambda held: pending.add(held, sorted(keyring.uncertain)), failure)
            if not change.store_replaced():
                clear_pending(out, store, [user for user in change.added if user not in keyring.uncertain])
        elif not change.store_replaced():
            clear_pending(out, store, change.added)
        raise


def clear_pending(out: Output, store: Store, users: list[str]) -> None:
    """Remove names whose change is complete from the marker."""
    if pending.warnings(store.path, out.trusted, apart_from=()):  # nearly always empty, and then no lock is needed
        failure = "the note of this change could not be removed, so the next edit will call it interrupted"
        _with_lock(out, store, lambda held: pending.remove(held, users), failure)


def _with_lock(out: Output, store: Store, action: Callable[[Held], None], failure: str) -> None:
    """Run an action under the store's lock, and warn with `failure` instead of raising: the command's own work is done.

    For that reason a short --lock-timeout does not count here.
    """
    try:
        with locked(store.path, max(out.context.lock_timeout, _NOTING), out.trusted) as held:
            action(held)
    except MailpolicyError as error:
        out.message(f"warning: {error.ending(failure)}")


def locked_store(out: Output, store: Store) -> AbstractContextManager[Held]:
    """Hold the lock of the store."""
    return locked(store.path, out.context.lock_timeout, out.trusted)
