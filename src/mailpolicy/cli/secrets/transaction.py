"""Change keyring and store together, or neither.

The order is: unlock the keyring and read the new secret, take the lock of changes of secrets, add the names to the marker
beside the store, set new secrets, replace the store, delete old secrets, clear the marker. Nobody is asked anything under a
lock, and the keyring is never waited for while the store is locked. New secrets are rolled back if the store was not
replaced. If the process is killed, the marker remains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress
from typing import NamedTuple

from mailpolicy.cli.editing import carry_out, edit_object, print_outcome
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.pending import clear_pending, locked_store, pending_change
from mailpolicy.edit.plan import Plan, Planner
from mailpolicy.edit.transaction import EditResult
from mailpolicy.errors import KeyringError, MailpolicyError, NotConfirmed
from mailpolicy.policy.bindings import Secret
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import Credentials
from mailpolicy.store.store import Store
from mailpolicy.system.held import Held


class SecretsChange(NamedTuple):
    """The change of the keyring that goes with an edit: secrets to set, by user name, and user names to delete."""

    put: Mapping[str, str] = {}
    drop: Collection[str] = ()

    @property
    def users(self) -> list[str]:
        """Return all user names that are touched."""
        return [*self.drop, *self.put]


def apply(
    out: Output,
    store: Store,
    planner: Planner,
    planned: Plan,
    keyring: Credentials,
    secrets_change: SecretsChange,
    *,
    yes: bool = True,
) -> tuple[EditResult, Collection[str], MailpolicyError | None]:
    """Set secrets, edit the store, delete secrets; what needs consent has it, by the plan or by `yes`.

    Return the outcome of the edit, the user names that could not be deleted, and the error of the deletion, which is not
    raised because the edit is done and must be reported.
    """
    with pending_change(out, store, keyring, deletes_nothing=not secrets_change.drop) as change, ExitStack() as stack:
        # The marker must exist before the first secret is set. The lock is released again, because setting secrets may
        # take long; the edit below takes its own.
        if secrets_change.put and planned.operations:
            with locked_store(out, store) as held:
                change.record(held, secrets_change.users)
        if secrets_change.put:
            stack.enter_context(keyring.set_with_rollback(secrets_change.put, needed=change.store_replaced))

        def first(held: Held) -> None:
            # Deletions are recorded only here. Secrets to set are recorded again, as another command may have removed the
            # marker since.
            change.record(held, secrets_change.users)
            change.before_replace(held)

        outcome = carry_out(out, store, planner, yes=yes, agreed=planned, first=first)
    # Last, because a secret that is missing does more harm than one that is left over.
    remaining, deletion_error = _delete(keyring, secrets_change, store_changed=outcome.rewrite is not None)
    return outcome, remaining, deletion_error


def settle(
    out: Output, store: Store, outcome: EditResult, touched: Collection[str], remaining: Collection[str]
) -> None:
    """Remove the names of complete changes from the marker, and note what others have left there."""
    clear_pending(out, store, [user for user in touched if user not in remaining])
    # The edit read the marker of this very change and noted it as interrupted.
    notes = [note for note in outcome.plan.notes if not isinstance(note, pending.Interrupted)]
    own = {*touched, *remaining}
    outcome.plan.notes[:] = [*notes, *pending.warnings(store.path, out.trusted, apart_from=own)]


def report(out: Output, outcome: EditResult, deletion_error: MailpolicyError | None) -> int:
    """Print the outcome; then raise `deletion_error`, if any."""
    out.change_made = outcome.changed
    if deletion_error is not None and out.context.format == "json":  # the edit and its error go into one object
        deletion_error.content = {**edit_object(out, outcome, dry_run=False), **deletion_error.content}
        raise deletion_error
    status = print_outcome(out, outcome)
    if deletion_error is not None:
        raise deletion_error
    return status


def _delete(
    keyring: Credentials, secrets_change: SecretsChange, *, store_changed: bool
) -> tuple[Collection[str], MailpolicyError | None]:
    """Delete secrets after an edit of the store; return those that remain and the error, if any."""
    users = secrets_change.drop
    try:
        keyring.delete_many(users)
    except NotConfirmed as error:
        return (), error
    except MailpolicyError as error:
        remaining: Collection[str] = users  # unless the keyring still answers
        with suppress(MailpolicyError):
            remaining = keyring.get_many(users)
        if not remaining:
            return (), error
        more = f" and {len(remaining) - 1} more" if len(remaining) > 1 else ""
        name = next(iter(remaining))
        secret = Secret.parse(name)
        carried = {kept.owner for user in secrets_change.put if (kept := Secret.parse(user)) is not None}
        return remaining, KeyringError(
            f"{'the store was changed, but ' if store_changed else ''}the secret {name}{more} is still in the keyring: {error}",
            code=error.code,
            fix=secret.owner.cleanup(replaced=secret.owner in carried) if secret is not None else None,
        )
    return (), None
