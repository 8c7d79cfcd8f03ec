"""The keyring and the store change together or not at all.

Promises: the keyring is unlocked and the new secret is read before the store is locked; what a crash leaves between
the two is written down beside the store first. No secret in any output.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

from mailpolicy import pending
from mailpolicy.cli.editing import carry_out, tell
from mailpolicy.cli.output import Output, require_format
from mailpolicy.cli.passwords import PasswordSource, piped, prompted
from mailpolicy.cli.secrets import credentials
from mailpolicy.credentials import Credentials, Owner
from mailpolicy.edit.plan import Change, Line, Planner
from mailpolicy.edit.transaction import Outcome
from mailpolicy.errors import KeyringError, MailpolicyError, NotConfirmed
from mailpolicy.store import Store
from mailpolicy.system.held import Held, locked, without_lock


def set_secret(out: Output, planner: Planner, user: str, source: PasswordSource, *, dry_run: bool) -> int:
    """Carry out a plan and give `user` the secret that `source` has, or that is typed."""
    owner = Owner.of(user)
    whose = owner.address or "server"
    require_format(out.around, "text", "json")
    secret = piped(out, source)
    store = Store.to_edit(out.around.file, (owner.address,) if owner.address else (), out.cache)
    planned = planner(store.policy())
    _refuse_unsafe(out, store)
    vault = credentials(out)
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        out.message(f"the {owner.item} of {whose} would be set, if the keyring takes it: a dry run does not ask it")
        return tell(out, trial, dry_run=True)
    old = vault.get(user)  # unlocks the keyring, before anybody types a password for nothing
    if secret is None:
        secret = prompted(owner.prompt)
    new_secret = old != secret
    with ExitStack() as stack:
        change = stack.enter_context(_unfinished(out, store, vault))
        if planned.operations and new_secret:
            with _locked(out, store) as held:
                change.write_down(held, [user])
        if new_secret:
            stack.enter_context(vault.changed(user, secret, needed=change.in_place))
        outcome = carry_out(out, store, planner, first=change.begin)
    outcome.plan.lines.append(Line(whose, owner.item, "in the keyring", new_secret))
    if new_secret:
        outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
    _strike_out(out, store, [user])
    return _tell_without(out, outcome, [user])


def edit_then_forget(
    out: Output, store: Store, planner: Planner, users: list[str], *, dry_run: bool, yes: bool = True
) -> int:
    """Edit the store, then delete the secrets of `users`."""
    if not users:
        return tell(out, carry_out(out, store, planner, dry_run=dry_run, yes=yes), dry_run=dry_run)
    _refuse_unsafe(out, store)
    planner(store.policy())
    vault = credentials(out)  # a host.toml that is refused is refused in a dry run too; the keyring is not asked
    if dry_run:
        return tell(out, carry_out(out, store, planner, dry_run=True), dry_run=True)
    found = _there(out, vault, users)
    there = found or []
    with _unfinished(out, store, vault) as change:

        def first(held: Held) -> None:
            change.write_down(held, there)
            change.begin(held)

        outcome = carry_out(out, store, planner, yes=yes, first=first)
    left, failed = _forget(vault, there)
    for user in there:
        if user not in left:
            owner = Owner.of(user)
            outcome.plan.lines.append(Line(owner.address or "server", owner.item, "removed from the keyring", True))
            outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
    if found is not None and not isinstance(failed, NotConfirmed):
        _strike_out(out, store, [user for user in users if user not in left])
    status = _tell_without(out, outcome, users)
    if failed is not None:
        raise failed
    return status


def edit_then_move(out: Output, store: Store, planner: Planner, moves: dict[str, str], *, dry_run: bool) -> int:
    """Copy secrets to other user names, edit the store, delete the old ones."""
    _refuse_unsafe(out, store)
    vault = credentials(out)
    if dry_run:
        return tell(out, carry_out(out, store, planner, dry_run=True), dry_run=True)
    there = _there(out, vault, moves)
    if not there:
        return tell(out, carry_out(out, store, planner))
    kept_secrets = vault.several(there)
    touched = [user for before in there for user in (before, moves[before])]
    with _unfinished(out, store, vault) as change:
        with _locked(out, store) as held:
            change.write_down(held, touched)
        with ExitStack() as stack:
            for before, secret in kept_secrets.items():
                stack.enter_context(vault.changed(moves[before], secret, needed=change.in_place))
            outcome = carry_out(out, store, planner, first=change.begin)
    left, failed = _forget(vault, there)
    for before in there:
        owner = Owner.of(moves[before])
        done = "copied in the keyring" if before in left else "moved in the keyring"
        outcome.plan.lines.append(Line(owner.address or "server", owner.item, done, True))
        outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
    if not isinstance(failed, NotConfirmed):
        _strike_out(out, store, [user for user in touched if user not in left])
    status = _tell_without(out, outcome, touched)
    if failed is not None:
        raise failed
    return status


def _forget(vault: Credentials, users: Collection[str]) -> tuple[Collection[str], MailpolicyError | None]:
    """Delete secrets, all in one step, after the store was changed: those that stay, and what went wrong."""
    try:
        vault.delete_several(users)
    except NotConfirmed as error:
        return (), error
    except MailpolicyError as error:
        left: Collection[str] = users
        with suppress(MailpolicyError):
            left = vault.several(users)
        if not left:
            return (), error
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        message = f"the store is changed, the secret {next(iter(left))}{more} is left in the keyring: {error}"
        return left, type(error)(message, code=error.code)
    return (), None


def _there(out: Output, vault: Credentials, users: Collection[str]) -> list[str] | None:
    """Those of the secrets that the keyring has; None, with a note, where there is none to ask and none was named."""
    try:
        kept = vault.several(users)
        return [user for user in users if user in kept]
    except KeyringError as error:
        if error.code != "no-keyring" or vault.named:
            raise
        out.message("note: there is no keyring here, so no password was looked for")
        return None


def _refuse_unsafe(out: Output, store: Store) -> None:
    """Raise Refused, before a keyring is asked, if the store must not be edited."""
    with without_lock(store.path, out.trusted) as place:
        place.refuse_links()


def _locked(out: Output, store: Store) -> AbstractContextManager[Held]:
    return locked(store.path, out.around.lock_timeout, out.trusted)


class _Unfinished:
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
        """Whether it was replaced, also where the disk did not confirm that or a signal came right after."""
        with suppress(OSError):
            return self._before is not None and os.stat(self._path).st_ino != self._before
        return False


@contextmanager
def _unfinished(out: Output, store: Store, vault: Credentials) -> Iterator[_Unfinished]:
    """A change for the time of the block.

    Where that raises, what was written down is struck out again, unless the keyring or the store is not what it was.
    """
    change = _Unfinished(store)
    try:
        yield change
    except NotConfirmed:
        raise
    except BaseException:
        if vault.unsettled:
            _under_lock(out, store, lambda held: pending.note(held, sorted(vault.unsettled)))
            if not change.in_place():
                _strike_out(out, store, [user for user in change.fresh if user not in vault.unsettled])
        elif not change.in_place():
            _strike_out(out, store, change.fresh)
        raise


def _strike_out(out: Output, store: Store, users: list[str]) -> None:
    if pending.notes(store.path):  # nearly always there are none, and then no lock is needed
        _under_lock(out, store, lambda held: pending.clear(held, users))


def _under_lock(out: Output, store: Store, action: Callable[[Held], None]) -> None:
    """Do what must not fail the command any more."""
    try:
        with _locked(out, store) as held:
            action(held)
    except MailpolicyError as error:
        out.message(f"warning: {error}")


def _tell_without(out: Output, outcome: Outcome, users: Iterable[str]) -> int:
    """Tell about an edit, but not that the secrets which it has just settled are unsettled."""
    settled = {pending.sentence(user) for user in users}
    outcome.plan.notes[:] = [note for note in outcome.plan.notes if note not in settled]
    return tell(out, outcome)
