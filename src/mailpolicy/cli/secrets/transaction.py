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
from mailpolicy.cli.secrets.passwords import PasswordSource, piped, prompted
from mailpolicy.cli.secrets.pending import locked_store, strike_out, unfinished
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


class _Turn(NamedTuple):
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
    secret = piped(out, source)
    store = Store.to_edit(out.context.file, (owner.address,) if owner.address else (), out.cache)
    planned = planner(store.policy())
    refuse_unsafe(out, store)
    after = planned_policy(store, planned)
    bound = bindings.secret_of(after, owner)
    if not bound.destination:
        absence = bindings.absences([bound], None)[bound]
        raise Refused(f"nothing was changed: {absence.text}", code="no-smart-host", fix=absence.command)
    moves = bindings.moved(store.policy(), after)
    vault = credentials(out)
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        out.message(f"{owner} would be set, if the keyring accepts it (not checked by a dry run)")
        would_send(out, {before: new for before, new in moves.items() if before.owner != owner})
        return tell(out, trial, dry_run=True)
    old = vault.get(bound.user)  # unlocks the keyring, so that nobody types a password in vain
    kept = vault.get_many([before.user for before in moves])
    former = [before for before in moves if before.user in kept]
    carried = {before: moves[before] for before in former if before.owner != owner}
    ask_to_send(out, carried, yes=yes)
    if secret is None:
        secret = prompted(owner.prompt)
    new_secret = old != secret
    put = {moves[before].user: kept[before.user] for before in carried} | ({bound.user: secret} if new_secret else {})
    turn = _Turn(put, [before.user for before in former])
    outcome, left, failed = _carry_out_with(out, store, planner, planned, vault, turn)
    outcome.plan.lines.append(Line(owner.subject, owner.item, "in the keyring", new_secret))
    if new_secret:
        outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
    _add_moved(outcome.plan, carried, left)
    return _settle(out, store, outcome, {bound.user, *turn.users}, left, failed)


def edit_then_forget(
    out: Output, store: Store, planner: Planner, secrets: Collection[Secret], *, dry_run: bool, yes: bool = True
) -> int:
    """Edit the store, then delete the secrets of the owners of `secrets`, for every destination."""
    if not secrets:
        return tell(out, carry_out(out, store, planner, dry_run=dry_run, yes=yes), dry_run=dry_run)
    refuse_unsafe(out, store)
    planned = planner(store.policy())
    vault = credentials(out)  # reads host.toml, so that a dry run reports its errors too; the keyring is not opened
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        would_delete(out, secrets)
        return tell(out, trial, dry_run=True)
    found = _there(out, vault, secrets)
    there = {secret.user: secret for secret in found or ()}
    if there and not yes:
        yes = ask_to_delete(out, planned, list(there.values()))
    turn = _Turn(drop=list(there))
    outcome, left, failed = _carry_out_with(out, store, planner, planned, vault, turn, yes=yes)
    for user, secret in there.items():
        if user not in left:
            owner = secret.owner
            outcome.plan.lines.append(Line(owner.subject, owner.item, "removed from the keyring", True))
            outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
    touched = [secret.user for secret in secrets] if found is not None else []
    return _settle(out, store, outcome, {*touched, *there}, left, failed)


def edit_then_move(out: Output, store: Store, planner: Planner, moves: dict[Secret, Secret], *, dry_run: bool) -> int:
    """Copy secrets to other owners, edit the store, delete the old ones; for every destination."""
    refuse_unsafe(out, store)
    planned = planner(store.policy())
    vault = credentials(out)
    if dry_run:
        return tell(out, carry_out(out, store, planner, dry_run=True), dry_run=True)
    owners = {before.owner: after.owner for before, after in moves.items()}
    there = {before: before._replace(owner=owners[before.owner]) for before in _there(out, vault, moves) or ()}
    return _move(out, store, planner, planned, vault, there)


def edit_then_carry(out: Output, store: Store, planner: Planner, *, dry_run: bool, yes: bool) -> int:
    """Edit the store and move the secrets whose destination it changes, after asking."""
    refuse_unsafe(out, store)
    planned = planner(store.policy())
    moves = bindings.moved(store.policy(), planned_policy(store, planned))
    if not moves:
        return tell(out, carry_out(out, store, planner, dry_run=dry_run), dry_run=dry_run)
    vault = credentials(out)
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        would_send(out, moves)
        return tell(out, trial, dry_run=True)
    there = _there(out, vault, moves) or ()
    carried = {before: moves[before] for before in there if before in moves}
    ask_to_send(out, carried, yes=yes)
    return _move(out, store, planner, planned, vault, carried)


def _move(
    out: Output, store: Store, planner: Planner, planned: Plan, vault: Credentials, moves: Mapping[Secret, Secret]
) -> int:
    """Copy secrets to other user names, edit the store, delete the old ones."""
    if not moves:
        return tell(out, carry_out(out, store, planner))
    kept = vault.get_many([before.user for before in moves])
    turn = _Turn({moves[before].user: kept[before.user] for before in moves}, [before.user for before in moves])
    outcome, left, failed = _carry_out_with(out, store, planner, planned, vault, turn)
    _add_moved(outcome.plan, moves, left)
    return _settle(out, store, outcome, turn.users, left, failed)


def _add_moved(plan: Plan, moves: Mapping[Secret, Secret], left: Collection[str]) -> None:
    for before, after in moves.items():
        done = "copied in the keyring" if before.user in left else "moved in the keyring"
        if before.destination != after.destination:
            done += f", now for {after.destination}"
        plan.lines.append(Line(after.owner.subject, after.owner.item, done, True))
        plan.changes.append(Change(after.owner.address, after.owner.key, None, None))


def _carry_out_with(
    out: Output,
    store: Store,
    planner: Planner,
    planned: Plan,
    vault: Credentials,
    turn: _Turn,
    *,
    yes: bool = True,
) -> tuple[Outcome, Collection[str], MailpolicyError | None]:
    """Set secrets, edit the store, delete secrets.

    Return the outcome of the edit, the user names that could not be deleted, and the error of the deletion, which is not
    raised because the edit is done and must be reported.
    """
    with unfinished(out, store, vault, keeps=not turn.drop) as change, ExitStack() as stack:
        # The marker must exist before the first secret is set. The lock is released again, because setting secrets may
        # take long; the edit below takes its own.
        if turn.put and planned.operations:
            with locked_store(out, store) as held:
                change.write_down(held, turn.users)
        if turn.put:
            stack.enter_context(vault.set_with_rollback(turn.put, needed=change.in_place))

        def first(held: Held) -> None:
            # Again, because an edit in between may have removed the marker; a plan without operations has none yet.
            change.write_down(held, turn.users)
            change.begin(held)

        outcome = carry_out(out, store, planner, yes=yes, first=first)
    left, failed = _forget(vault, turn.drop)
    return outcome, left, failed


def _settle(
    out: Output,
    store: Store,
    outcome: Outcome,
    touched: Collection[str],
    left: Collection[str],
    failed: MailpolicyError | None,
) -> int:
    """Remove the names of complete changes from the marker and print the outcome; then raise `failed`, if any."""
    strike_out(out, store, [user for user in touched if user not in left])
    # The edit read the marker of this very change and noted it as interrupted.
    settled = {pending.warning(user) for user in touched}
    outcome.plan.notes[:] = [note for note in outcome.plan.notes if note not in settled]
    if failed is not None and out.context.format == "json":  # the edit and its error go into one object
        failed.content = {**edit_object(out, outcome, dry_run=False), **failed.content}
        raise failed
    status = tell(out, outcome)
    if failed is not None:
        raise failed
    return status


def _forget(vault: Credentials, users: Collection[str]) -> tuple[Collection[str], MailpolicyError | None]:
    """Delete secrets after the store was changed; return those that remain and the error, if any."""
    try:
        vault.delete_many(users)
    except NotConfirmed as error:
        return (), error
    except MailpolicyError as error:
        left: Collection[str] = users  # unless the keyring still answers
        with suppress(MailpolicyError):
            left = vault.get_many(users)
        if not left:
            return (), error
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        name = next(iter(left))
        secret = Secret.of(name)
        return left, KeyringError(
            f"the store was changed, but the secret {name}{more} is still in the keyring: {error}",
            code=error.code,
            fix=secret.owner.command(keep=False) if secret is not None else None,
        )
    return (), None


def _there(out: Output, vault: Credentials, secrets: Collection[Secret]) -> list[Secret] | None:
    """Return the keyring's secrets of these owners: for every destination if it can list them, else only these.

    Returns None, with a note, if there is no keyring and none is configured.
    """
    try:
        users = vault.names()
        if users is not None:
            owned = bindings.elsewhere(users, {secret.owner for secret in secrets})
            return [secret for found in owned.values() for secret in found]
        kept = vault.get_many([secret.user for secret in secrets])
        return [secret for secret in secrets if secret.user in kept]
    except KeyringError as error:
        if error.code != "no-keyring" or vault.is_configured:
            raise
        out.message("note: no keyring is available, so no password was looked for")
        return None


def refuse_unsafe(out: Output, store: Store) -> None:
    """Raise Refused, before a keyring is asked, if the store must not be edited."""
    with without_lock(store.path, out.trusted) as place:
        place.refuse_links()
