"""The changes of secrets that accompany an edit: set, delete, move to another owner or destination."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from mailpolicy.cli.editing import carry_out, changed_meanwhile, confirm, print_outcome, refuse_more, require_yes
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import credentials
from mailpolicy.cli.secrets.password_options import PasswordSource
from mailpolicy.cli.secrets.passwords import prompt, read_given
from mailpolicy.cli.secrets.pending import changing_secrets, refuse_unsafe
from mailpolicy.cli.secrets.questions import ask_to_delete, ask_to_send, describe_move, would_delete, would_send
from mailpolicy.cli.secrets.transaction import SecretsChange, apply, report, settle
from mailpolicy.edit.plan import Change, Plan, Planner, Result, planned
from mailpolicy.edit.transaction import planned_policy, refuse_broken_cases
from mailpolicy.errors import KeyringError, Refused
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Owner, Secret
from mailpolicy.policy.model import Policy
from mailpolicy.secrets.credentials import Credentials
from mailpolicy.store.store import Store


class Concerned(NamedTuple):
    """The secrets that an edit concerns: those that go with their owners, and those that move, with what they become."""

    gone: Collection[Secret] = ()
    moves: Mapping[Secret, Secret] = {}

    def __bool__(self) -> bool:
        return bool(self.gone or self.moves)


class _Found(NamedTuple):
    """What the keyring has of them; `touched` are the user names that are in no doubt after the edit."""

    deleted: Collection[Secret]
    carried: Mapping[Secret, Secret]
    touched: Collection[str]


_NOTHING = _Found((), {}, ())


def set_secret(
    out: Output, planner: Planner, owner: Owner, source: PasswordSource, *, dry_run: bool, yes: bool = False
) -> int:
    """Carry out a plan and set the secret of `owner`, read from `source` or prompted for."""
    secret = read_given(out, source)
    store = Store.read_for_edit(out.context.file, (owner.address,) if owner.address else (), out.cache)
    plan = planned_edit(out, store, planner)
    before, bound, moves = _bound(store, plan, owner)
    keyring = credentials(out)
    # A dry run must not make the keyring ask for its password.
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        out.message(f"{owner} would be set, if the keyring accepts it (not checked by a dry run)")
        would_send(out, {before: new for before, new in moves.items() if before.owner != owner})
        return print_outcome(out, trial, dry_run=True)
    keyring.get(bound.user)  # unlocks the keyring, so that nobody types a password in vain
    agreed = {former: moves[former] for former in _former(keyring, moves) if former.owner != owner}
    ask_to_send(out, agreed, yes=yes)
    if secret is None:
        secret = prompt(owner.prompt)
    with changing_secrets(out, store, plan) as now:
        if now is not store:
            plan, asked = planned_edit(out, now, planner), bound
            after, bound, moves = _bound(now, plan, owner)
            refuse_others(out, {asked: bound}, {asked: asked})
            refuse_other_login(out, before, after, owner)
        kept = _former(keyring, moves)
        carried = {former: moves[former] for former in kept if former.owner != owner}
        if not yes:
            refuse_others(out, carried, agreed)
        new_secret = keyring.get(bound.user) != secret
        put = {moves[former].user: kept[former] for former in carried} | ({bound.user: secret} if new_secret else {})
        secrets_change = SecretsChange(put, [former.user for former in kept])
        outcome, remaining, deletion_error = apply(out, now, planner, plan, keyring, secrets_change)
        outcome.plan.results.append(Result(owner.subject, owner.item, "in the keyring", new_secret))
        if new_secret:
            outcome.plan.changes.append(Change(owner.address, owner.key, None, None))
        _add_move_lines(outcome.plan, carried, remaining)
        settle(out, now, outcome, {bound.user, *secrets_change.users}, remaining)
    return report(out, outcome, deletion_error)


def _bound(store: Store, plan: Plan, owner: Owner) -> tuple[Policy, Secret, dict[Secret, Secret]]:
    """Return the policy that a plan makes, the secret of `owner` there, and those whose destination changes. Raises Refused."""
    after = planned_policy(store, plan)
    bound = bindings.secret_of(after, owner)
    require_destination(bound)
    return after, bound, bindings.redirected(store.policy(), after)


def require_destination(secret: Secret) -> None:
    """Raise Refused for a secret that would be sent nowhere, as the store names no smart host."""
    if not secret.destination:
        absence = bindings.explain_missing([secret], None)[secret]
        raise Refused(f"nothing was changed: {absence.text}", code="no-smart-host", fix=absence.command)


def _former(keyring: Credentials, moves: Collection[Secret]) -> dict[Secret, str]:
    """Return those of the secrets that the keyring has, with their values."""
    kept = keyring.get_many([before.user for before in moves])
    return {before: kept[before.user] for before in moves if before.user in kept}


def edit_with_secrets(
    out: Output,
    store: Store,
    planner: Planner,
    concerned: Callable[[Store, Plan], Concerned],
    *,
    dry_run: bool,
    yes: bool = True,
) -> int:
    """Edit the store, and let the secrets follow, after asking: those whose owner is gone are deleted, others move.

    Both with all that the keyring has of an owner that is gone or renamed, for whatever destination. `concerned` is asked
    again if another command has changed the store meanwhile.
    """
    plan = planned_edit(out, store, planner)
    secrets = concerned(store, plan)
    if not secrets and not plan.operations:
        return print_outcome(out, carry_out(out, store, planner, dry_run=dry_run, yes=yes), dry_run=dry_run)
    keyring = credentials(out)  # reads host.toml, so that a dry run reports its errors too; the keyring is not opened
    if dry_run:
        trial = carry_out(out, store, planner, dry_run=True)
        would_delete(out, secrets.gone)
        would_send(out, _sent(secrets.moves))
        return print_outcome(out, trial, dry_run=True)
    if not yes:
        require_yes(out, plan)
    seen = _found(keyring, secrets) or _NOTHING  # also unlocks the keyring, before anybody else has to wait
    if not yes:
        ask_to_send(out, _sent(seen.carried), yes=False)
        if not (seen.deleted and ask_to_delete(out, plan, list(seen.deleted))) and plan.operations:
            confirm(out, store, plan)
    with changing_secrets(out, store, plan) as now:
        if now is not store:
            agreed, plan = plan, planned_edit(out, now, planner)
            secrets = concerned(now, plan)
            if not yes:
                refuse_more(out, agreed, plan)
        if (found := _found(keyring, secrets)) is None:
            out.message("note: no keyring is available, so no password was looked for")
            found = _NOTHING
        if not yes:
            refuse_others(out, _sent(found.carried), seen.carried)
            refuse_deletions(out, found.deleted, seen.deleted)
        kept = keyring.get_many([before.user for before in found.carried])
        carried = {before: after for before, after in found.carried.items() if before.user in kept}
        secrets_change = SecretsChange(
            {after.user: kept[before.user] for before, after in carried.items()},
            [secret.user for secret in (*carried, *found.deleted)],
        )
        outcome, remaining, deletion_error = apply(out, now, planner, plan, keyring, secrets_change, yes=yes)
        _add_move_lines(outcome.plan, carried, remaining)
        _add_deletion_lines(outcome.plan, found.deleted, remaining)
        settle(out, now, outcome, {*found.touched, *secrets_change.users}, remaining)
    return report(out, outcome, deletion_error)


def refuse_others(out: Output, found: Mapping[Secret, Secret], agreed: Mapping[Secret, Secret]) -> None:
    """Raise StillLocked if secrets would be sent elsewhere, which nobody has agreed to."""
    for before, after in found.items():
        if agreed.get(before) != after:
            raise changed_meanwhile(out, describe_move(before, after))


def refuse_deletions(out: Output, found: Collection[Secret], agreed: Collection[Secret]) -> None:
    """Raise StillLocked if secrets would be deleted of owners that nobody has agreed to."""
    owners = {secret.owner for secret in agreed}
    for secret in found:
        if secret.owner not in owners:
            raise changed_meanwhile(out, f"{secret.owner} would be deleted")


def refuse_other_login(out: Output, before: Policy, after: Policy, owner: Owner) -> None:
    """Raise StillLocked if the password of an owner would be that of another login than the one it was given for."""
    if bindings.login_of(before, owner) != bindings.login_of(after, owner):
        raise changed_meanwhile(out, f"{owner} is one for another login")


def _sent(moves: Mapping[Secret, Secret]) -> dict[Secret, Secret]:
    """Return the moves to another destination."""
    return {before: after for before, after in moves.items() if before.destination != after.destination}


def renamed(store: Store, names: Mapping[str, str]) -> Concerned:
    """Return the secrets that move along with accounts that are renamed."""
    return Concerned(
        moves={
            secret: secret._replace(owner=secret.owner._replace(address=names[secret.owner.address or ""]))
            for secret in bindings.account_secrets(store.policy(), names)
        }
    )


def redirected(store: Store, plan: Plan) -> Concerned:
    """Return the secrets whose destination a plan changes."""
    return Concerned(moves=bindings.redirected(store.policy(), planned_policy(store, plan)))


def following(store: Store, plan: Plan) -> Concerned:
    """Return the secrets whose owner a plan takes away, and those whose destination it changes."""
    old = store.policy()
    # Of no others: in a large store with an index the planned policy has only the accounts that are changed.
    touched = [address for address in _with_secrets(plan) if address in old.accounts]
    if not touched and all(change.address is not None for change in plan.changes):
        return Concerned()
    new = planned_policy(store, plan)
    left = {secret.owner for secret in bindings.named_secrets(new, touched)}
    gone = [secret for secret in bindings.named_secrets(old, touched) if secret.owner not in left]
    return Concerned(gone, bindings.redirected(old, new, touched))


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


def _found(keyring: Credentials, secrets: Concerned) -> _Found | None:
    """Return what the keyring has of secrets: for every destination if it can list them, else only these.

    None if there is no keyring and none is configured. Raises KeyringError.
    """
    named = [*secrets.gone, *secrets.moves]
    if not named:
        return _NOTHING
    try:
        users = keyring.names()
        if users is not None:
            owned = bindings.secrets_by_owner(users, {secret.owner for secret in named})
            there = [secret for found in owned.values() for secret in found]
        else:
            kept = keyring.get_many([secret.user for secret in named])
            there = [secret for secret in named if secret.user in kept]
    except KeyringError as error:
        if error.code != "no-keyring" or keyring.is_configured:
            raise
        return None
    ownerless = {secret.owner for secret in secrets.gone}
    owners = {before.owner: after.owner for before, after in secrets.moves.items() if before.owner != after.owner}
    carried = {
        secret: secrets.moves[secret] if secret in secrets.moves else secret._replace(owner=owners[secret.owner])
        for secret in there
        if secret in secrets.moves or secret.owner in owners
    }
    deleted = [secret for secret in there if secret.owner in ownerless]
    return _Found(deleted, carried, {secret.user for secret in (*secrets.gone, *there)})


def planned_edit(out: Output, store: Store, planner: Planner) -> Plan:
    """Plan an edit. Raises Refused, before a keyring is asked, if it must not be made."""
    refuse_unsafe(out, store)
    plan = planned(store, planner, out.now)
    refuse_broken_cases(store, plan, out.guard)
    return plan
