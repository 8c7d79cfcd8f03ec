"""The keyring and the store change together or not at all.

Promises: the keyring is unlocked and the new secret is read before the store is locked; what a crash leaves between
the two is written down beside the store first. No secret in any output.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from mailpolicy import files, pending, trust
from mailpolicy.cli.editing import carry_out, tell
from mailpolicy.cli.output import Output, require_format
from mailpolicy.cli.passwords import PasswordSource, piped, prompted
from mailpolicy.cli.secrets import credentials
from mailpolicy.credentials import Credentials, Owner
from mailpolicy.edit.plan import Change, Line, Planner
from mailpolicy.edit.transaction import Outcome
from mailpolicy.errors import KeyringError, MailpolicyError, NotConfirmed, StoreError
from mailpolicy.store import Store


def set_secret(out: Output, planner: Planner, user: str, source: PasswordSource, *, dry_run: bool) -> int:
    """Carry out a plan and give `user` the secret that `source` has, or that is typed."""
    owner = Owner.of(user)
    whose = owner.address or "server"
    require_format(out.around, "text", "json")
    secret = piped(out, source)
    store = Store.to_edit(out.around.file, (owner.address,) if owner.address else (), out.cache)
    planned = planner(store.policy())
    trust.refuse_unsafe(store.path)
    vault = credentials(out)
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        out.message(f"the {owner.item} of {whose} would be set")
        return tell(out, trial, dry_run=True)
    old = vault.get(user)  # unlocks the keyring, before anybody types a password for nothing
    if secret is None:
        secret = prompted(owner.prompt)
    new_secret = old != secret
    with ExitStack() as stack:
        write_down = stack.enter_context(_unfinished(out, store, vault))
        if planned.operations and new_secret:
            with files.locked(store.path, out.around.lock_timeout):
                write_down([user])
        if new_secret:
            stack.enter_context(vault.changed(user, secret))
        outcome = _in_place(out, store, planner)
    if isinstance(outcome, NotConfirmed):
        raise outcome
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
    trust.refuse_unsafe(store.path)
    planner(store.policy())
    vault = credentials(out)  # a host.toml that is refused is refused in a dry run too; the keyring is not asked
    if dry_run:
        return tell(out, carry_out(out, store, planner, dry_run=True), dry_run=True)
    found = _there(out, vault, users)
    there = found or []
    with _unfinished(out, store, vault) as write_down:
        outcome = carry_out(out, store, planner, yes=yes, first=lambda: write_down(there))
    kept: MailpolicyError | None = None
    for user in there:
        left = _forget(vault, user)
        kept = kept or left
        if left is None:
            owner = Owner.of(user)
            outcome.plan.lines.append(Line(owner.address or "server", owner.item, "removed from the keyring", True))
            outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
            _strike_out(out, store, [user])
    if found is not None:
        _strike_out(out, store, [user for user in users if user not in there])
    status = _tell_without(out, outcome, users)
    if kept is not None:
        raise kept
    return status


def edit_then_move(out: Output, store: Store, planner: Planner, moves: dict[str, str], *, dry_run: bool) -> int:
    """Copy secrets to other user names, edit the store, delete the old ones."""
    trust.refuse_unsafe(store.path)
    vault = credentials(out)
    if dry_run:
        return tell(out, carry_out(out, store, planner, dry_run=True), dry_run=True)
    there = _there(out, vault, moves)
    if not there:
        return tell(out, carry_out(out, store, planner))
    kept_secrets = vault.several(there)
    touched = [user for before in there for user in (before, moves[before])]
    with _unfinished(out, store, vault) as write_down:
        with files.locked(store.path, out.around.lock_timeout):
            write_down(touched)
        with ExitStack() as stack:
            for before, secret in kept_secrets.items():
                stack.enter_context(vault.changed(moves[before], secret))
            outcome = _in_place(out, store, planner)
    if isinstance(outcome, NotConfirmed):
        raise outcome
    failed: MailpolicyError | None = None
    for before in there:
        left = _forget(vault, before)
        failed = failed or left
        _strike_out(out, store, [moves[before]] if left else [before, moves[before]])
        owner = Owner.of(moves[before])
        outcome.plan.lines.append(
            Line(
                owner.address or "server", owner.item, "copied in the keyring" if left else "moved in the keyring", True
            )
        )
        outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
    status = _tell_without(out, outcome, touched)
    if failed is not None:
        raise failed
    return status


def _forget(vault: Credentials, user: str) -> MailpolicyError | None:
    """Delete a secret after the store was changed; the error where it stays."""
    try:
        vault.delete(user)
    except MailpolicyError as error:
        message = f"the store is changed, the secret {user} is left in the keyring: {error.message}"
        return type(error)(message, code=error.code)
    return None


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


def _in_place(out: Output, store: Store, planner: Planner) -> Outcome | NotConfirmed:
    """The edit. A store that is in place and not confirmed keeps its new secret, so that error is returned."""
    try:
        return carry_out(out, store, planner)
    except NotConfirmed as error:
        return error


@contextmanager
def _unfinished(out: Output, store: Store, vault: Credentials) -> Iterator[Callable[[Iterable[str]], None]]:
    """What writes down, under the store's lock, the secrets that are about to be touched.

    Where the block raises they are struck out again, unless the keyring or the store is not what it was.
    """
    fresh: list[str] = []

    def write_down(users: Iterable[str]) -> None:
        known = pending.names(store.path)
        fresh.extend(user for user in users if user not in known)
        pending.note(store.path, fresh)

    try:
        yield write_down
    except NotConfirmed:
        raise
    except BaseException as error:
        if vault.unsettled:
            _under_lock(out, store, lambda: pending.note(store.path, sorted(vault.unsettled)))
        # A signal may have come when the new store was in place already.
        elif isinstance(error, MailpolicyError) or _as_it_was(store):
            _strike_out(out, store, fresh)
        raise


def _as_it_was(store: Store) -> bool:
    with suppress(StoreError):
        return store.again() is store
    return False


def _strike_out(out: Output, store: Store, users: list[str]) -> None:
    if pending.notes(store.path):  # nearly always there are none, and then no lock is needed
        _under_lock(out, store, lambda: pending.clear(store.path, users))


def _under_lock(out: Output, store: Store, action: Callable[[], None]) -> None:
    """Do what must not fail the command any more."""
    try:
        with files.locked(store.path, out.around.lock_timeout):
            action()
    except MailpolicyError as error:
        out.message(f"warning: {error.message}")


def _tell_without(out: Output, outcome: Outcome, users: Iterable[str]) -> int:
    """Tell about an edit, but not that the secrets which it has just settled are unsettled."""
    settled = {pending.sentence(user) for user in users}
    outcome.plan.notes[:] = [note for note in outcome.plan.notes if note not in settled]
    return tell(out, outcome)
