"""Let secrets go to where the store now says that they go, after a change of the store that did not carry them along.

Promises: nothing moves that was not shown, from where to where, and agreed to; a secret is removed from its old user
name only when it was read back from the new one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mailpolicy.cli.editing import remind
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import credentials, explain_missing
from mailpolicy.cli.secrets.questions import ask_to_send
from mailpolicy.cli.secrets.transaction import refuse_unsafe
from mailpolicy.cli.views import open_store
from mailpolicy.errors import Refused
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Secret
from mailpolicy.policy.lookup import no_account
from mailpolicy.policy.model import Policy
from mailpolicy.secrets.credentials import Credentials


def rebind(
    out: Output, addresses: Collection[str], former: Collection[str], *, server: bool, yes: bool, dry_run: bool
) -> int:
    """Move secrets that are bound to another destination to the one that the store names.

    Of `addresses` and with `server` of the server, or of all; only those bound to one of `former` where some are named.
    """
    store, policy = open_store(out, trusted=out.trusted)
    refuse_unsafe(out, store)
    named = _named(policy, addresses, server=server)
    vault = credentials(out)
    there = vault.several([secret.user for secret in named])
    missing = [secret for secret in named if secret.destination and secret.user not in there]
    moves = _moves(vault, missing, former)
    if not dry_run:
        ask_to_send(out, moves, yes=yes)
        _move(vault, moves)
    _tell(out, store.path, named, there, moves, dry_run=dry_run)
    left = [secret for secret in named if secret.user not in there and secret not in moves.values()]
    for absence in explain_missing(vault, left).values():
        out.message(absence)
    if moves and not dry_run:
        remind(out)
    return 0


def _named(policy: Policy, addresses: Collection[str], *, server: bool) -> list[Secret]:
    """The secrets that the store names, of those asked for. Raises NotFound."""
    if unknown := [address for address in addresses if address not in policy.accounts]:
        raise no_account(policy, unknown)
    owners = {*addresses, *([None] if server else [])}
    return [secret for secret in bindings.named_secrets(policy) if not owners or secret.owner.address in owners]


def _moves(vault: Credentials, missing: Collection[Secret], former: Collection[str]) -> dict[Secret, Secret]:
    """For each missing secret that the keyring has for another destination: that one, and what it becomes.

    Raises Refused where that cannot be known.
    """
    users = vault.names() if missing else []
    if users is None and not former:
        raise Refused(
            "this keyring cannot list its secrets, so it must be said where they were sent so far: --from HOST:PORT",
            code="cannot-list",
        )
    wanted = {
        secret: {old.user: old for text in former for old in bindings.former_secrets(secret, text)}
        for secret in missing
    }
    if users is None:
        kept = vault.several([user for olds in wanted.values() for user in olds])
        found = {secret: [old for user, old in olds.items() if user in kept] for secret, olds in wanted.items()}
    else:
        owned = bindings.secrets_by_owner(users, {secret.owner for secret in missing})
        found = {
            secret: [old for old in owned.get(secret.owner, ()) if not former or old.user in wanted[secret]]
            for secret in missing
        }
    for secret, olds in found.items():
        if len(olds) > 1:
            several = " and ".join(old.destination for old in olds)
            raise Refused(
                f"nothing was changed: {secret.owner} is in the keyring for {several}: say which one with --from",
                code="ambiguous",
            )
    return {olds[0]: secret for secret, olds in found.items() if olds}


def _move(vault: Credentials, moves: Mapping[Secret, Secret]) -> None:
    if not moves:
        return
    kept = vault.several([old.user for old in moves])
    with vault.changed({moves[old].user: kept[old.user] for old in moves}):
        pass
    vault.delete_several([old.user for old in moves])


def _tell(
    out: Output,
    file: str,
    named: Collection[Secret],
    there: Collection[str],
    moves: Mapping[Secret, Secret],
    *,
    dry_run: bool,
) -> None:
    if not out.tells(dry_run=dry_run):
        return
    before = {new: old.destination for old, new in moves.items()}
    moved = "would move" if dry_run else "moved"
    states = {
        secret: moved if secret in before else "there already" if secret.user in there else "missing"
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
        way = f"{state}, from {before[secret]} to {secret.destination}" if secret in before else state
        out.record((secret.owner.subject, secret.owner.item, way, "changed" if secret in before else "ok"))
