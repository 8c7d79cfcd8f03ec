"""The changes of secrets that accompany an edit: set, delete, move to another owner or destination."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mailpolicy.cli.editing import carry_out, print_outcome, require_yes
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import credentials
from mailpolicy.cli.secrets.password_options import PasswordSource
from mailpolicy.cli.secrets.passwords import prompt, read_given
from mailpolicy.cli.secrets.questions import ask_to_delete, ask_to_send, would_delete, would_send
from mailpolicy.cli.secrets.transaction import SecretsChange, apply, report
from mailpolicy.edit.plan import Change, Plan, Planner, Result, planned
from mailpolicy.edit.transaction import planned_policy, refuse_broken_cases
from mailpolicy.errors import KeyringError, Refused
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Owner, Secret
from mailpolicy.secrets.credentials import Credentials
from mailpolicy.store.store import Store
from mailpolicy.system.held import without_lock


def set_secret(
    out: Output, planner: Planner, owner: Owner, source: PasswordSource, *, dry_run: bool, yes: bool = False
) -> int:
    """Carry out a plan and set the secret of `owner`, read from `source` or prompted for."""
    secret = read_given(out, source)
    store = Store.read_for_edit(out.context.file, (owner.address,) if owner.address else (), out.cache)
    plan = planned_edit(out, store, planner)
    after = planned_policy(store, plan)
    bound = bindings.secret_of(after, owner)
    if not bound.destination:
        absence = bindings.explain_missing([bound], None)[bound]
        raise Refused(f"nothing was changed: {absence.text}", code="no-smart-host", fix=absence.command)
    moves = bindings.redirected(store.policy(), after)
    keyring = credentials(out)
    # A dry run must not make the keyring ask for its password.
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        out.message(f"{owner} would be set, if the keyring accepts it (not checked by a dry run)")
        would_send(out, {before: new for before, new in moves.items() if before.owner != owner})
        return print_outcome(out, trial, dry_run=True)
    old = keyring.get(bound.user)  # unlocks the keyring, so that nobody types a password in vain
    kept = keyring.get_many([before.user for before in moves])
    former = [before for before in moves if before.user in kept]
    carried = {before: moves[before] for before in former if before.owner != owner}
    ask_to_send(out, carried, yes=yes)
    if secret is None:
        secret = prompt(owner.prompt)
    new_secret = old != secret
    put = {moves[before].user: kept[before.user] for before in carried} | ({bound.user: secret} if new_secret else {})
    secrets_change = SecretsChange(put, [before.user for before in former])
    outcome, remaining, deletion_error = apply(out, store, planner, plan, keyring, secrets_change)
    outcome.plan.results.append(Result(owner.subject, owner.item, "in the keyring", new_secret))
    if new_secret:
        outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
    _add_move_lines(outcome.plan, carried, remaining)
    return report(out, store, outcome, {bound.user, *secrets_change.users}, remaining, deletion_error)


def edit_then_delete_secrets(
    out: Output, store: Store, planner: Planner, secrets: Collection[Secret], *, dry_run: bool, yes: bool = True
) -> int:
    """Edit the store, then delete the secrets of the owners of `secrets`, for every destination."""
    if not secrets:
        return print_outcome(out, carry_out(out, store, planner, dry_run=dry_run, yes=yes), dry_run=dry_run)
    plan = planned_edit(out, store, planner)
    keyring = credentials(out)  # reads host.toml, so that a dry run reports its errors too; the keyring is not opened
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        would_delete(out, secrets)
        return print_outcome(out, trial, dry_run=True)
    found = _existing(out, keyring, secrets)
    there = {secret.user: secret for secret in found or ()}
    if there and not yes:
        yes = ask_to_delete(out, plan, list(there.values()))
    secrets_change = SecretsChange(drop=list(there))
    outcome, remaining, deletion_error = apply(out, store, planner, plan, keyring, secrets_change, yes=yes)
    _add_deletion_lines(outcome.plan, list(there.values()), remaining)
    touched = [secret.user for secret in secrets] if found is not None else []
    return report(out, store, outcome, {*touched, *there}, remaining, deletion_error)


def edit_then_move_secrets(
    out: Output, store: Store, planner: Planner, moves: dict[Secret, Secret], *, dry_run: bool, yes: bool = True
) -> int:
    """Copy secrets to other owners, edit the store, delete the old ones; for every destination."""
    plan = planned_edit(out, store, planner)
    keyring = credentials(out)
    if dry_run:
        return print_outcome(out, carry_out(out, store, planner, dry_run=True), dry_run=True)
    owners = {before.owner: after.owner for before, after in moves.items()}
    there = {before: before._replace(owner=owners[before.owner]) for before in _existing(out, keyring, moves) or ()}
    return _apply_moves(out, store, planner, plan, keyring, there, yes=yes)


def edit_then_rebind_secrets(out: Output, store: Store, planner: Planner, *, dry_run: bool, yes: bool) -> int:
    """Edit the store and move the secrets whose destination it changes, after asking."""
    plan = planned_edit(out, store, planner)
    moves = bindings.redirected(store.policy(), planned_policy(store, plan))
    if not moves:
        return print_outcome(out, carry_out(out, store, planner, dry_run=dry_run, yes=yes), dry_run=dry_run)
    keyring = credentials(out)
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        would_send(out, moves)
        return print_outcome(out, trial, dry_run=True)
    there = _existing(out, keyring, moves) or ()
    carried = {before: moves[before] for before in there if before in moves}
    ask_to_send(out, carried, yes=yes)
    return _apply_moves(out, store, planner, plan, keyring, carried, yes=yes)


def edit_then_follow(
    out: Output,
    store: Store,
    planner: Planner,
    renamed: Mapping[str, str] | None = None,
    *,
    dry_run: bool,
    yes: bool,
) -> int:
    """Edit the store, and let the secrets follow, after asking: those whose owner is gone are deleted, others move.

    They move with an account that the plan renames, and to another destination.
    """
    plan = planned_edit(out, store, planner)
    old = store.policy()
    if renamed and (secrets := bindings.account_secrets(old, renamed)):
        moves = {
            secret: secret._replace(owner=secret.owner._replace(address=renamed[secret.owner.address or ""]))
            for secret in secrets
        }
        return edit_then_move_secrets(out, store, planner, moves, dry_run=dry_run, yes=yes)
    gone, moves = _following(store, plan)
    if not gone and not moves:
        return print_outcome(out, carry_out(out, store, planner, dry_run=dry_run, yes=yes), dry_run=dry_run)
    keyring = credentials(out)
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        would_delete(out, gone)
        would_send(out, moves)
        return print_outcome(out, trial, dry_run=True)
    if not yes:
        require_yes(out, plan)
    there = _existing(out, keyring, [*gone, *moves]) or []
    carried = {secret: moves[secret] for secret in there if secret in moves}
    ownerless = {secret.owner for secret in gone}
    deleted = [secret for secret in there if secret.owner in ownerless]
    ask_to_send(out, carried, yes=yes)
    if deleted and not yes:
        yes = ask_to_delete(out, plan, deleted)
    kept = keyring.get_many([secret.user for secret in carried])
    secrets_change = SecretsChange(
        {after.user: kept[secret.user] for secret, after in carried.items()},
        [secret.user for secret in (*carried, *deleted)],
    )
    outcome, remaining, deletion_error = apply(out, store, planner, plan, keyring, secrets_change, yes=yes)
    _add_move_lines(outcome.plan, carried, remaining)
    _add_deletion_lines(outcome.plan, deleted, remaining)
    return report(out, store, outcome, secrets_change.users, remaining, deletion_error)


def _following(store: Store, plan: Plan) -> tuple[list[Secret], dict[Secret, Secret]]:
    """Return the secrets whose owner a plan takes away, and those whose destination it changes, with the new ones."""
    old = store.policy()
    # Of no others: in a large store with an index the planned policy has only the accounts that are changed.
    touched = [address for address in _with_secrets(plan) if address in old.accounts]
    if not touched and all(change.address is not None for change in plan.changes):
        return [], {}
    new = planned_policy(store, plan)
    left = {secret.owner for secret in bindings.named_secrets(new, touched)}
    gone = [secret for secret in bindings.named_secrets(old, touched) if secret.owner not in left]
    return gone, bindings.redirected(old, new, touched)


def _with_secrets(plan: Plan) -> list[str]:
    """Return the accounts that lose or change something that a secret belongs to."""
    return list(
        dict.fromkeys(
            change.address
            for change in plan.changes
            if change.address is not None
            and change.old is not None
            and (change.key is None or change.key == "smart_host_login" or change.key.startswith("sources"))
        )
    )


def _apply_moves(
    out: Output,
    store: Store,
    planner: Planner,
    plan: Plan,
    keyring: Credentials,
    moves: Mapping[Secret, Secret],
    *,
    yes: bool,
) -> int:
    """Copy secrets to other user names, edit the store, delete the old ones."""
    if not moves:
        return print_outcome(out, carry_out(out, store, planner, yes=yes))
    kept = keyring.get_many([before.user for before in moves])
    secrets_change = SecretsChange(
        {moves[before].user: kept[before.user] for before in moves}, [before.user for before in moves]
    )
    outcome, remaining, deletion_error = apply(out, store, planner, plan, keyring, secrets_change, yes=yes)
    _add_move_lines(outcome.plan, moves, remaining)
    return report(out, store, outcome, secrets_change.users, remaining, deletion_error)


def _add_move_lines(plan: Plan, moves: Mapping[Secret, Secret], remaining: Collection[str]) -> None:
    for before, after in moves.items():
        done = "copied in the keyring" if before.user in remaining else "moved in the keyring"
        if before.destination != after.destination:
            done += f", now for {after.destination}"
        plan.results.append(Result(after.owner.subject, after.owner.item, done, True))
        plan.changes.append(Change(after.owner.address, after.owner.key, None, None))


def _add_deletion_lines(plan: Plan, secrets: Collection[Secret], remaining: Collection[str]) -> None:
    for secret in secrets:
        if secret.user not in remaining:
            owner = secret.owner
            plan.results.append(Result(owner.subject, owner.item, "removed from the keyring", True))
            plan.changes.append(Change(owner.address, owner.key, None, None))


def _existing(out: Output, keyring: Credentials, secrets: Collection[Secret]) -> list[Secret] | None:
    """Return the keyring's secrets of these owners: for every destination if it can list them, else only these.

    Returns None, with a note, if there is no keyring and none is configured.
    """
    try:
        users = keyring.names()
        if users is not None:
            owned = bindings.secrets_by_owner(users, {secret.owner for secret in secrets})
            return [secret for found in owned.values() for secret in found]
        kept = keyring.get_many([secret.user for secret in secrets])
        return [secret for secret in secrets if secret.user in kept]
    except KeyringError as error:
        if error.code != "no-keyring" or keyring.is_configured:
            raise
        out.message("note: no keyring is available, so no password was looked for")
        return None


def planned_edit(out: Output, store: Store, planner: Planner) -> Plan:
    """Plan an edit. Raises Refused, before a keyring is asked, if it must not be made."""
    refuse_unsafe(out, store)
    plan = planned(store, planner, out.now)
    refuse_broken_cases(store, plan, out.guard)
    return plan


def refuse_unsafe(out: Output, store: Store) -> None:
    """Raise Refused, before a keyring is asked, if the store must not be edited."""
    with without_lock(store.path, out.trusted) as place:
        place.refuse_links()
