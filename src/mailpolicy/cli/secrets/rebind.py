"""Bind secrets to the destinations that the store names now, after the store was changed without them.

Each move is shown and needs consent. A secret is removed from its old user name only after it was read back from the new
one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from mailpolicy.cli.editing import remind_to_deploy
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import credentials, explain_missing
from mailpolicy.cli.secrets.pending import changing_secrets, clear_pending, refuse_unsafe
from mailpolicy.cli.secrets.questions import ask_to_send
from mailpolicy.cli.secrets.secret_edits import refuse_others
from mailpolicy.cli.views import open_store
from mailpolicy.errors import KeyringError, MailpolicyError, NotConfirmed, Refused
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Secret
from mailpolicy.policy.lookup import no_account
from mailpolicy.policy.model import Policy
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import Credentials
from mailpolicy.store.store import Store


def rebind(
    out: Output, addresses: Collection[str], former: Collection[str], *, server: bool, yes: bool, dry_run: bool
) -> int:
    """Move secrets that are bound to another destination to the one that the store names.

    These are the secrets of `addresses` and, with `server`, of the server; without both, all. If `former` is not empty,
    only secrets bound to one of these destinations are moved.
    """
    store, policy = open_store(out, trusted=out.trusted)
    refuse_unsafe(out, store)
    keyring = credentials(out)

    def look(policy: Policy) -> _Bound:
        named = _named(policy, addresses, server=server)
        existing = keyring.get_many([secret.user for secret in named])
        missing = [secret for secret in named if secret.destination and secret.user not in existing]
        noted = pending.user_names(store.path, out.trusted)
        return _Bound(named, existing, _moves(keyring, missing, former), _left_over(named, existing, noted))

    found = look(policy)
    if not dry_run:
        ask_to_send(out, found.moves, yes=yes)
        if found.moves or found.left_over:
            with changing_secrets(out, store) as now:
                agreed, found = found.moves, look(now.policy())
                if not yes:
                    refuse_others(out, found.moves, agreed)
                found = found._replace(moves=_move(keyring, found.moves))
                if found.left_over:
                    _finish(out, store, keyring, found.left_over, found.existing)
                out.change_made = bool(found.moves or found.left_over)
    _report(out, store.path, found, dry_run=dry_run)
    left = [
        secret for secret in found.named if secret.user not in found.existing and secret not in found.moves.values()
    ]
    for absence in explain_missing(keyring, left).values():
        out.message(absence)
    if found.moves and not dry_run:
        remind_to_deploy(out)
    return 0


class _Bound(NamedTuple):
    """The secrets that the store names, and what the keyring has of them and of what they were before."""

    named: Collection[Secret]
    existing: Mapping[str, str]
    moves: Mapping[Secret, Secret]
    left_over: Mapping[Secret, Secret]


def _named(policy: Policy, addresses: Collection[str], *, server: bool) -> list[Secret]:
    """Return the requested secrets that the store names. Raises NotFound."""
    if unknown := [address for address in addresses if address not in policy.accounts]:
        raise no_account(policy, unknown)
    owners = {*addresses, *([None] if server else [])}
    return [secret for secret in bindings.named_secrets(policy) if not owners or secret.owner.address in owners]


def _left_over(named: Collection[Secret], existing: Collection[str], noted: Collection[str]) -> dict[Secret, Secret]:
    """Map each secret that an interrupted change noted to the one of its owner that took its place and is there."""
    now = {secret.owner: secret for secret in named if secret.user in existing}
    found = [secret for user in noted if (secret := Secret.parse(user)) is not None]
    return {old: now[old.owner] for old in found if old.owner in now and old != now[old.owner]}


def _finish(
    out: Output, store: Store, keyring: Credentials, left_over: Mapping[Secret, Secret], existing: Mapping[str, str]
) -> None:
    """Delete what an interrupted change of a destination left, and what was noted of it. Only under the lock of such changes.

    If the secret was only carried along, the same one is in both places, and the new one is in no doubt any more either.
    """
    kept = keyring.get_many([old.user for old in left_over])
    keyring.delete_many(list(kept))
    carried = [new.user for old, new in left_over.items() if kept.get(old.user) == existing[new.user]]
    clear_pending(out, store, [*(old.user for old in left_over), *carried])


def _moves(keyring: Credentials, missing: Collection[Secret], former: Collection[str]) -> dict[Secret, Secret]:
    """Map secrets that the keyring has for another destination to the missing secrets that they become.

    Raises Refused if the keyring cannot list its secrets or has several for one owner.
    """
    users = keyring.names() if missing else []
    if users is None and not former:
        raise Refused(
            "this keyring cannot list its secrets: name their former destination with --from HOST:PORT",
            code="cannot-list",
        )
    wanted = {
        secret: {old.user: old for text in former for old in bindings.former_secrets(secret, text)}
        for secret in missing
    }
    if users is None:
        kept = keyring.get_many([user for olds in wanted.values() for user in olds])
        found = {secret: [old for user, old in olds.items() if user in kept] for secret, olds in wanted.items()}
    else:
        owned = bindings.secrets_by_owner(users, {secret.owner for secret in missing})
        found = {
            secret: [old for old in owned.get(secret.owner, ()) if not former or old.user in wanted[secret]]
            for secret in missing
        }
    for secret, olds in found.items():
        if len(olds) > 1:
            destinations = " and ".join(old.destination for old in olds)
            raise Refused(
                f"nothing was changed: the keyring has {secret.owner} for {destinations}; choose one with --from",
                code="ambiguous",
            )
    return {olds[0]: secret for secret, olds in found.items() if olds}


def _move(keyring: Credentials, moves: Mapping[Secret, Secret]) -> Mapping[Secret, Secret]:
    """Move secrets, and return those that were still there."""
    kept = keyring.get_many([old.user for old in moves])
    moves = {old: new for old, new in moves.items() if old.user in kept}
    with keyring.set_with_rollback({moves[old].user: kept[old.user] for old in moves}):
        pass
    try:
        keyring.delete_many([old.user for old in moves])
    except NotConfirmed:
        raise
    except MailpolicyError as error:
        # A second run would not look for it: the secret is not missing any more.
        first, more = next(iter(moves)).user, f" and {len(moves) - 1} more" if len(moves) > 1 else ""
        raise KeyringError(
            f"the passwords have their new destinations, but the secret {first}{more} may still be in the keyring: {error}",
            code=error.code,
        ) from None
    return moves


def _report(out: Output, file: str, found: _Bound, *, dry_run: bool) -> None:
    if not out.shows_results(dry_run=dry_run):
        return
    named, existing, moves, _ = found
    before = {new: old.destination for old, new in moves.items()}
    moved = "would move" if dry_run else "moved"
    states = {
        secret: moved if secret in before else "there already" if secret.user in existing else "missing"
        for secret in named
    }
    if out.context.format == "json":
        listed = [
            {
                "address": secret.owner.address,
                "source": secret.owner.source,
                "from": before.get(secret),
                "to": secret.destination or None,
                "state": state,
            }
            for secret, state in states.items()
        ]
        out.json("secrets-rebind/1", {"file": file, "changed": bool(moves), "dry_run": dry_run, "secrets": listed})
        return
    for secret, state in states.items():
        result = f"{state}, from {before[secret]} to {secret.destination}" if secret in before else state
        out.record((secret.owner.subject, secret.owner.item, result, "changed" if secret in before else "ok"))
