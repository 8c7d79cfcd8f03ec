"""Change keyring and store together, or neither.

The order is: unlock the keyring and read the new secret, add the names to the marker beside the store, set new secrets,
replace the store, delete old secrets, clear the marker. Nothing waits for a person while the store is locked. New secrets
are restored if the store was not replaced. If the process is killed, the marker remains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress
from typing import NamedTuple

from mailpolicy.cli.editing import carry_out, edit_object, tell
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import credentials
from mailpolicy.cli.secrets.passwords import PasswordSource, prompt, read_given
from mailpolicy.cli.secrets.pending import clear_pending, locked_store, pending_change
from mailpolicy.cli.secrets.questions import ask_to_delete, ask_to_send, would_delete, would_send
from mailpolicy.edit.plan import Change, Line, Plan, Planner
from mailpolicy.edit.transaction import Outcome, planned_policy
from mailpolicy.errors import KeyringError, MailpolicyError, NotConfirmed, Refused
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Owner, Secret
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import Credentials
from mailpolicy.store.store import Store
from mailpolicy.system.held import Held, without_lock


class _SecretsChange(NamedTuple):
    """The change of the keyring that goes with an edit: secrets to set, by user name, and user names to delete."""

    put: Mapping[str, str] = {}
    drop: Collection[str] = ()

    @property
    def users(self) -> list[str]:
        """Return all user names that are touched."""
        return [*self.drop, *self.put]


def set_secret(
    out: Output, planner: Planner, owner: Owner, source: PasswordSource, *, dry_run: bool, yes: bool = False
) -> int:
    """Carry out a plan and set the secret of `owner`, read from `source` or prompted for."""
    secret = read_given(out, source)
    store = Store.to_edit(out.context.file, (owner.address,) if owner.address else (), out.cache)
    planned = planner(store.policy())
    refuse_unsafe(out, store)
    after = planned_policy(store, planned)
    bound = bindings.secret_of(after, owner)
    if not bound.destination:
        absence = bindings.absences([bound], None)[bound]
        raise Refused(f"nothing was changed: {absence.text}", code="no-smart-host", fix=absence.command)
    moves = bindings.moved(store.policy(), after)
    keyring = credentials(out)
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        out.message(f"{owner} would be set, if the keyring accepts it (not checked by a dry run)")
        would_send(out, {before: new for before, new in moves.items() if before.owner != owner})
        return tell(out, trial, dry_run=True)
    old = keyring.get(bound.user)  # unlocks the keyring, so that nobody types a password in vain
    kept = keyring.get_many([before.user for before in moves])
    former = [before for before in moves if before.user in kept]
    carried = {before: moves[before] for before in former if before.owner != owner}
    ask_to_send(out, carried, yes=yes)
    if secret is None:
        secret = prompt(owner.prompt)
    new_secret = old != secret
    put = {moves[before].user: kept[before.user] for before in carried} | ({bound.user: secret} if new_secret else {})
    secrets_change = _SecretsChange(put, [before.user for before in former])
    outcome, remaining, deletion_error = _apply(out, store, planner, planned, keyring, secrets_change)
    outcome.plan.lines.append(Line(owner.subject, owner.item, "in the keyring", new_secret))
    if new_secret:
        outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
    _add_move_lines(outcome.plan, carried, remaining)
    return _report(out, store, outcome, {bound.user, *secrets_change.users}, remaining, deletion_error)


def edit_then_delete_secrets(
    out: Output, store: Store, planner: Planner, secrets: Collection[Secret], *, dry_run: bool, yes: bool = True
) -> int:
    """Edit the store, then delete the secrets of the owners of `secrets`, for every destination."""
    if not secrets:
        return tell(out, carry_out(out, store, planner, dry_run=dry_run, yes=yes), dry_run=dry_run)
    refuse_unsafe(out, store)
    planned = planner(store.policy())
    keyring = credentials(out)  # reads host.toml, so that a dry run reports its errors too; the keyring is not opened
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        would_delete(out, secrets)
        return tell(out, trial, dry_run=True)
    found = _existing(out, keyring, secrets)
    there = {secret.user: secret for secret in found or ()}
    if there and not yes:
        yes = ask_to_delete(out, planned, list(there.values()))
    secrets_change = _SecretsChange(drop=list(there))
    outcome, remaining, deletion_error = _apply(out, store, planner, planned, keyring, secrets_change, yes=yes)
    for user, secret in there.items():
        if user not in remaining:
            owner = secret.owner
            outcome.plan.lines.append(Line(owner.subject, owner.item, "removed from the keyring", True))
            outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
    touched = [secret.user for secret in secrets] if found is not None else []
    return _report(out, store, outcome, {*touched, *there}, remaining, deletion_error)


def edit_then_move_secrets(
    out: Output, store: Store, planner: Planner, moves: dict[Secret, Secret], *, dry_run: bool
) -> int:
    """Copy secrets to other owners, edit the store, delete the old ones; for every destination."""
    refuse_unsafe(out, store)
    planned = planner(store.policy())
    keyring = credentials(out)
    if dry_run:
        return tell(out, carry_out(out, store, planner, dry_run=True), dry_run=True)
    owners = {before.owner: after.owner for before, after in moves.items()}
    there = {before: before._replace(owner=owners[before.owner]) for before in _existing(out, keyring, moves) or ()}
    return _apply_moves(out, store, planner, planned, keyring, there)


def edit_then_rebind_secrets(out: Output, store: Store, planner: Planner, *, dry_run: bool, yes: bool) -> int:
    """Edit the store and move the secrets whose destination it changes, after asking."""
    refuse_unsafe(out, store)
    planned = planner(store.policy())
    moves = bindings.moved(store.policy(), planned_policy(store, planned))
    if not moves:
        return tell(out, carry_out(out, store, planner, dry_run=dry_run), dry_run=dry_run)
    keyring = credentials(out)
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        would_send(out, moves)
        return tell(out, trial, dry_run=True)
    there = _existing(out, keyring, moves) or ()
    carried = {before: moves[before] for before in there if before in moves}
    ask_to_send(out, carried, yes=yes)
    return _apply_moves(out, store, planner, planned, keyring, carried)


def _apply_moves(
    out: Output, store: Store, planner: Planner, planned: Plan, keyring: Credentials, moves: Mapping[Secret, Secret]
) -> int:
    """Copy secrets to other user names, edit the store, delete the old ones."""
    if not moves:
        return tell(out, carry_out(out, store, planner))
    kept = keyring.get_many([before.user for before in moves])
    secrets_change = _SecretsChange(
        {moves[before].user: kept[before.user] for before in moves}, [before.user for before in moves]
    )
    outcome, remaining, deletion_error = _apply(out, store, planner, planned, keyring, secrets_change)
    _add_move_lines(outcome.plan, moves, remaining)
    return _report(out, store, outcome, secrets_change.users, remaining, deletion_error)


def _add_move_lines(plan: Plan, moves: Mapping[Secret, Secret], remaining: Collection[str]) -> None:
    for before, after in moves.items():
        done = "copied in the keyring" if before.user in remaining else "moved in the keyring"
        if before.destination != after.destination:
            done += f", now for {after.destination}"
        plan.lines.append(Line(after.owner.subject, after.owner.item, done, True))
        plan.changes.append(Change(after.owner.address, after.owner.key, None, None))


def _apply(
    out: Output,
    store: Store,
    planner: Planner,
    planned: Plan,
    keyring: Credentials,
    secrets_change: _SecretsChange,
    *,
    yes: bool = True,
) -> tuple[Outcome, Collection[str], MailpolicyError | None]:
    """Set secrets, edit the store, delete secrets.

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
            # Again, because an edit in between may have removed the marker; a plan without operations has none yet.
            change.record(held, secrets_change.users)
            change.before_replace(held)

        outcome = carry_out(out, store, planner, yes=yes, first=first)
    remaining, deletion_error = _delete(keyring, secrets_change.drop)
    return outcome, remaining, deletion_error


def _report(
    out: Output,
    store: Store,
    outcome: Outcome,
    touched: Collection[str],
    remaining: Collection[str],
    deletion_error: MailpolicyError | None,
) -> int:
    """Remove the names of complete changes from the marker and print the outcome; then raise `deletion_error`, if any."""
    clear_pending(out, store, [user for user in touched if user not in remaining])
    # The edit read the marker of this very change and noted it as interrupted.
    own_warnings = {pending.warning(user) for user in touched}
    outcome.plan.notes[:] = [note for note in outcome.plan.notes if note not in own_warnings]
    if deletion_error is not None and out.context.format == "json":  # the edit and its error go into one object
        deletion_error.content = {**edit_object(out, outcome, dry_run=False), **deletion_error.content}
        raise deletion_error
    status = tell(out, outcome)
    if deletion_error is not None:
        raise deletion_error
    return status


def _delete(keyring: Credentials, users: Collection[str]) -> tuple[Collection[str], MailpolicyError | None]:
    """Delete secrets after the store was changed; return those that remain and the error, if any."""
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
        secret = Secret.of(name)
        return remaining, KeyringError(
            f"the store was changed, but the secret {name}{more} is still in the keyring: {error}",
            code=error.code,
            fix=secret.owner.command(keep=False) if secret is not None else None,
        )
    return (), None


def _existing(out: Output, keyring: Credentials, secrets: Collection[Secret]) -> list[Secret] | None:
    """Return the keyring's secrets of these owners: for every destination if it can list them, else only these.

    Returns None, with a note, if there is no keyring and none is configured.
    """
    try:
        users = keyring.names()
        if users is not None:
            owned = bindings.elsewhere(users, {secret.owner for secret in secrets})
            return [secret for found in owned.values() for secret in found]
        kept = keyring.get_many([secret.user for secret in secrets])
        return [secret for secret in secrets if secret.user in kept]
    except KeyringError as error:
        if error.code != "no-keyring" or keyring.is_configured:
            raise
        out.message("note: no keyring is available, so no password was looked for")
        return None


def refuse_unsafe(out: Output, store: Store) -> None:
    """Raise Refused, before a keyring is asked, if the store must not be edited."""
    with without_lock(store.path, out.trusted) as place:
        place.refuse_links()
