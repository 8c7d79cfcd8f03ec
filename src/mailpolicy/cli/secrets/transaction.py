"""The keyring and the store change together or not at all.

Promises: the keyring is unlocked and the new secret is read before the store is locked; what a crash leaves between
the two is written down beside the store first. A secret that an edit would send elsewhere is carried along only after a
question. No secret in any output.
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
from mailpolicy.edit.plan import Change, Plan, Planner, Result
from mailpolicy.edit.transaction import EditResult, planned_policy
from mailpolicy.errors import KeyringError, MailpolicyError, NotConfirmed, Refused
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Owner, Secret
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import Credentials
from mailpolicy.store.store import Store
from mailpolicy.system.held import Held, without_lock


class _Turn(NamedTuple):
    """What becomes of the keyring beside an edit: secrets that are set, by user name, and secrets that are deleted."""

    put: Mapping[str, str] = {}
    drop: Collection[str] = ()

    @property
    def users(self) -> list[str]:
        """All user names that are touched."""
        return [*self.drop, *self.put]


def set_secret(
    out: Output, planner: Planner, owner: Owner, source: PasswordSource, *, dry_run: bool, yes: bool = False
) -> int:
    """Carry out a plan and give `owner` the secret that `source` has, or that is typed."""
    secret = piped(out, source)
    store = Store.read_for_edit(out.context.file, (owner.address,) if owner.address else (), out.cache)
    planned = planner(store.policy())
    refuse_unsafe(out, store)
    after = planned_policy(store, planned)
    bound = bindings.secret_of(after, owner)
    if not bound.destination:
        absence = bindings.explain_missing([bound], None)[bound]
        raise Refused(f"nothing was changed: {absence.text}", code="no-smart-host", fix=absence.command)
    moves = bindings.redirected(store.policy(), after)
    vault = credentials(out)
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        out.message(f"{owner} would be set, if the keyring takes it: a dry run does not ask it")
        would_send(out, {before: new for before, new in moves.items() if before.owner != owner})
        return tell(out, trial, dry_run=True)
    old = vault.get(bound.user)  # unlocks the keyring, before anybody types a password for nothing
    kept = vault.several([before.user for before in moves])
    former = [before for before in moves if before.user in kept]
    carried = {before: moves[before] for before in former if before.owner != owner}
    ask_to_send(out, carried, yes=yes)
    if secret is None:
        secret = prompted(owner.prompt)
    new_secret = old != secret
    put = {moves[before].user: kept[before.user] for before in carried} | ({bound.user: secret} if new_secret else {})
    turn = _Turn(put, [before.user for before in former])
    outcome, left, failed = _carry_out_with(out, store, planner, planned, vault, turn)
    outcome.plan.results.append(Result(owner.subject, owner.item, "in the keyring", new_secret))
    if new_secret:
        outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
    _add_moved(outcome.plan, carried, left)
    return _settle(out, store, outcome, {bound.user, *turn.users}, left, failed)


def edit_then_forget(
    out: Output, store: Store, planner: Planner, secrets: Collection[Secret], *, dry_run: bool, yes: bool = True
) -> int:
    """Edit the store, then delete the secrets of the owners of `secrets`, whatever their destination."""
    if not secrets:
        return tell(out, carry_out(out, store, planner, dry_run=dry_run, yes=yes), dry_run=dry_run)
    refuse_unsafe(out, store)
    planned = planner(store.policy())
    vault = credentials(out)  # a host.toml that is refused is refused in a dry run too; the keyring is not asked
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
            outcome.plan.results.append(Result(owner.subject, owner.item, "removed from the keyring", True))
            outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
    touched = [secret.user for secret in secrets] if found is not None else []
    return _settle(out, store, outcome, {*touched, *there}, left, failed)


def edit_then_move(out: Output, store: Store, planner: Planner, moves: dict[Secret, Secret], *, dry_run: bool) -> int:
    """Copy secrets to other owners, edit the store, delete the old ones; those of other destinations go along."""
    refuse_unsafe(out, store)
    planned = planner(store.policy())
    vault = credentials(out)
    if dry_run:
        return tell(out, carry_out(out, store, planner, dry_run=True), dry_run=True)
    owners = {before.owner: after.owner for before, after in moves.items()}
    there = {before: before._replace(owner=owners[before.owner]) for before in _there(out, vault, moves) or ()}
    return _move(out, store, planner, planned, vault, there)


def edit_then_carry(out: Output, store: Store, planner: Planner, *, dry_run: bool, yes: bool) -> int:
    """Edit the store, and carry along the secrets that it then sends elsewhere, after a question."""
    refuse_unsafe(out, store)
    planned = planner(store.policy())
    moves = bindings.redirected(store.policy(), planned_policy(store, planned))
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
    kept = vault.several([before.user for before in moves])
    turn = _Turn({moves[before].user: kept[before.user] for before in moves}, [before.user for before in moves])
    outcome, left, failed = _carry_out_with(out, store, planner, planned, vault, turn)
    _add_moved(outcome.plan, moves, left)
    return _settle(out, store, outcome, turn.users, left, failed)


def _add_moved(plan: Plan, moves: Mapping[Secret, Secret], left: Collection[str]) -> None:
    for before, after in moves.items():
        done = "copied in the keyring" if before.user in left else "moved in the keyring"
        if before.destination != after.destination:
            done += f", now for {after.destination}"
        plan.results.append(Result(after.owner.subject, after.owner.item, done, True))
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
) -> tuple[EditResult, Collection[str], MailpolicyError | None]:
    """Set secrets, edit the store, delete secrets: what came of the edit, which secrets stayed, and what went wrong."""
    with unfinished(out, store, vault, keeps=not turn.drop) as change, ExitStack() as stack:
        if turn.put and planned.operations:
            with locked_store(out, store) as held:
                change.write_down(held, turn.users)
        if turn.put:
            stack.enter_context(vault.changed(turn.put, needed=change.in_place))

        def first(held: Held) -> None:
            change.write_down(held, turn.users)
            change.begin(held)

        outcome = carry_out(out, store, planner, yes=yes, first=first)
    left, failed = _forget(vault, turn.drop)
    return outcome, left, failed


def _settle(
    out: Output,
    store: Store,
    outcome: EditResult,
    touched: Collection[str],
    left: Collection[str],
    failed: MailpolicyError | None,
) -> int:
    """Strike out what is whole again, and tell what was done; then what went wrong is raised."""
    strike_out(out, store, [user for user in touched if user not in left])
    settled = {pending.sentence(user) for user in touched}
    outcome.plan.notes[:] = [note for note in outcome.plan.notes if note not in settled]
    if failed is not None and out.context.format == "json":  # one object tells both
        failed.content = {**edit_object(out, outcome, dry_run=False), **failed.content}
        raise failed
    status = tell(out, outcome)
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
        name = next(iter(left))
        secret = Secret.parse(name)
        return left, KeyringError(
            f"the store is changed, the secret {name}{more} is left in the keyring: {error}",
            code=error.code,
            fix=secret.owner.command(keep=False) if secret is not None else None,
        )
    return (), None


def _there(out: Output, vault: Credentials, secrets: Collection[Secret]) -> list[Secret] | None:
    """The keyring's secrets of these owners: of every destination if it can list them, else these, those that are there.

    None, with a note, where there is no keyring to ask and none was named.
    """
    try:
        users = vault.names()
        if users is not None:
            owned = bindings.secrets_by_owner(users, {secret.owner for secret in secrets})
            return [secret for found in owned.values() for secret in found]
        kept = vault.several([secret.user for secret in secrets])
        return [secret for secret in secrets if secret.user in kept]
    except KeyringError as error:
        if error.code != "no-keyring" or vault.named:
            raise
        out.message("note: there is no keyring here, so no password was looked for")
        return None


def refuse_unsafe(out: Output, store: Store) -> None:
    """Raise Refused, before a keyring is asked, if the store must not be edited."""
    with without_lock(store.path, out.trusted) as place:
        place.refuse_links()
