"""What is written down beside the store about a change of keyring and store while it is on its way.

Promises: what a crash leaves between the two is noticed by the next edit and by `validate --secrets`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from mailpolicy.cli.output import Output
from mailpolicy.errors import MailpolicyError, NotConfirmed
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import Credentials
from mailpolicy.store.store import Store
from mailpolicy.system.held import Held, locked


class Unfinished:
    """A change of store and keyring on its way: what is written down about it, and whether the store is new already."""

    def __init__(self, store: Store) -> None:
        self._path = store.path
        self._before: int | None = None
        self.fresh: list[str] = []

    def write_down(self, store: Held, users: Iterable[str]) -> None:
        """Note the secrets that are about to be touched."""
        known = pending.names_beside(store)
        self.fresh.extend(user for user in users if user not in known)
        pending.note(store, self.fresh)

    def begin(self, store: Held) -> None:
        """The store is about to be replaced."""
        facts = store.facts()
        self._before = facts.st_ino if facts is not None else None

    def in_place(self) -> bool:
        """Whether it was replaced, also if the disk did not confirm that or a signal came right after.

        If that cannot be seen it counts as replaced: then nothing is taken back, and the note stays.
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
def unfinished(out: Output, store: Store, vault: Credentials, *, keeps: bool) -> Iterator[Unfinished]:
    """A change for the time of the block; `keeps` if it deletes no secret afterwards.

    If the block raises, what was written down is struck out again, unless the keyring or the store is not what it was. It
    is struck out too if both are as they were meant and only the disk did not confirm it.
    """
    change = Unfinished(store)
    try:
        yield change
    except NotConfirmed:
        if keeps and change.in_place() and not vault.unsettled:
            strike_out(out, store, change.fresh)
        raise
    except BaseException:
        if vault.unsettled:
            _under_lock(out, store, lambda held: pending.note(held, sorted(vault.unsettled)))
            if not change.in_place():
                strike_out(out, store, [user for user in change.fresh if user not in vault.unsettled])
        elif not change.in_place():
            strike_out(out, store, change.fresh)
        raise


def strike_out(out: Output, store: Store, users: list[str]) -> None:
    """Strike out what is whole again."""
    if pending.notes(store.path, out.trusted):  # nearly always there are none, and then no lock is needed
        _under_lock(out, store, lambda held: pending.clear(held, users))


def _under_lock(out: Output, store: Store, action: Callable[[Held], None]) -> None:
    """Do what must not fail the command any more."""
    try:
        with locked_store(out, store) as held:
            action(held)
    except MailpolicyError as error:
        out.message(f"warning: {error}")


def locked_store(out: Output, store: Store) -> AbstractContextManager[Held]:
    """The store under its lock."""
    return locked(store.path, out.context.lock_timeout, out.trusted)
