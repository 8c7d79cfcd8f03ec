"""List, verify and move the secrets in a keyring.

A secret is removed from the old keyring only after all were read back from the new one, and after a trial has shown that
the two do not share their storage.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext, suppress

from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import credentials, explain_missing, keyring_config
from mailpolicy.cli.secrets.pending import changing_secrets, refuse_unsafe
from mailpolicy.cli.views import open_store
from mailpolicy.errors import Advice, KeyringError, MailpolicyError, Refused, UsageError, WriteFailed
from mailpolicy.policy import bindings
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import Credentials, KeyringConfig
from mailpolicy.store.store import Store


def names(out: Output) -> int:
    """Print the names of the secrets, one per line."""
    keyring = credentials(out)
    known = keyring.names()
    if known is None:
        store, policy = open_store(out, trusted=out.trusted)
        known = list(keyring.get_many([secret.user for secret in bindings.named_secrets(policy)]))
        out.message(f"note: this keyring cannot list its secrets; these are the ones named by {store.path}")
    for name in known:
        if out.context.format == "json":
            out.json("secret/1", {"name": name})
        else:
            out.record((name,))
    return 0


def verify(out: Output) -> int:
    """Read every secret that the store names; return 1 if one is missing."""
    store, policy = open_store(out, trusted=out.trusted)
    named = {secret.user: secret for secret in bindings.named_secrets(policy)}
    keyring = credentials(out)
    existing = keyring.get_many(named)
    spare = sorted(set(keyring.names() or ()) - set(named))
    states = {name: "there" if name in existing else "missing" for name in named}
    states.update(dict.fromkeys(spare, "not named by the store"))
    missing = explain_missing(keyring, [secret for name, secret in named.items() if name not in existing])
    if out.context.format == "json":
        secrets = [{"name": name, "state": state} for name, state in states.items()]
        out.json("secrets-verify/1", {"file": store.path, "ok": not missing, "secrets": secrets})
    else:
        for name, state in states.items():
            out.record((name, state))
    for absence in missing.values():
        out.message(Advice(f"missing: {absence.text}", absence.command))
    return int(bool(missing))


def move(out: Output, source: str, target: str, *, overwrite: bool, dry_run: bool) -> int:
    """Copy every secret that the store names, read the copies back, then delete the originals."""
    if source == target:
        raise UsageError("--from and --to name the same keyring")
    store, policy = open_store(out, trusted=out.trusted)
    refuse_unsafe(out, store)
    config = keyring_config(out)
    keyrings = {name: Credentials(config._replace(backend=name), out.message) for name in (source, target)}
    for secret in [*bindings.named_secrets(policy)][:1]:
        for keyring in keyrings.values():
            keyring.get(secret.user)  # unlocks it, before anybody else has to wait
    with nullcontext(store) if dry_run else changing_secrets(out, store) as now:
        return _move(out, now, config, keyrings, overwrite=overwrite, dry_run=dry_run)


def _move(
    out: Output,
    store: Store,
    config: KeyringConfig,
    keyrings: Mapping[str, Credentials],
    *,
    overwrite: bool,
    dry_run: bool,
) -> int:
    (source, old), (target, new) = keyrings.items()
    named = bindings.named_secrets(store.policy())
    former = bindings.secrets_by_owner(old.names() or (), {secret.owner for secret in named})  # of other destinations
    wanted = [*named, *(secret for owned in former.values() for secret in owned)]
    users = list(dict.fromkeys([*(secret.user for secret in wanted), *pending.user_names(store.path, out.trusted)]))

    def reopen(backend: str) -> Credentials:
        """Open the keyring again: a backend may cache the answers that it gave before."""
        return Credentials(config._replace(backend=backend), lambda warning: None)

    secrets, existing = old.get_many(users), new.get_many(users)
    differing = [user for user in secrets if user in existing and existing[user] != secrets[user]]
    if differing and not overwrite:
        raise Refused(
            f"{target} has different secrets for {_listed(differing)}: delete them there, or add --overwrite",
            code="secrets-differ",
        )
    identical = bool(secrets) and all(existing.get(user) == secret for user, secret in secrets.items())
    if identical and dry_run:
        out.message(
            f"note: {target} has the same secrets already; the real run first checks that it is a different keyring"
        )
    if secrets and not dry_run:
        # If the answers are identical, the two may be one storage under two names.
        if identical:
            _require_separate(new, source, target, reopen)
        try:
            new.set_many(secrets)  # those it has already too: it may only show the secrets of another keyring
            kept = old.get_many(users)
        except (KeyringError, WriteFailed) as error:
            raise error.ending(f"nothing was deleted from {source}") from None
        if kept != secrets:
            raise KeyringError(
                f"secrets in {source} were changed during the move; both keyrings have them: run this again with --overwrite",
                code="keyring-changed",
            )
        try:
            old.delete_many(secrets)
        finally:
            _restore_lost(secrets, source, target, reopen)
    _report(out, users, secrets, existing, dry_run=dry_run)
    if secrets and config.backend != target and not dry_run:
        out.message(f'to use the new keyring, set in host.toml: keyring_backend = "{target}"')
    return 0


def _require_separate(new: Credentials, source: str, target: str, reopen: Callable[[str], Credentials]) -> None:
    """Raise Refused if a secret set in the new keyring appears in the old one: deleting there would delete both."""
    from secrets import token_hex

    trial = f"trial/{token_hex(8)}"
    try:
        new.set(trial, "of secrets move")
        shared = reopen(source).get(trial) is not None
    except BaseException:
        with suppress(MailpolicyError):  # report the first error, not that of the cleanup
            new.delete(trial)
        raise
    new.delete(trial)
    if shared:
        raise Refused(f"nothing to move: {source} and {target} share one storage", code="same-keyring")


def _restore_lost(secrets: Mapping[str, str], source: str, target: str, reopen: Callable[[str], Credentials]) -> None:
    """Restore secrets that disappeared from the new keyring when they were deleted from the old one.

    Raises KeyringError if there were any.
    """
    try:
        existing = reopen(target).get_many(secrets)
    except KeyringError as error:
        raise error.ending(f"all secrets were copied to {target}, which could not be read again") from None
    lost = {user: secret for user, secret in secrets.items() if existing.get(user) != secret}
    if not lost:
        return
    try:
        reopen(target).set_many(lost)
    except MailpolicyError:
        reopen(source).set_many(lost)
    raise KeyringError(
        f"{target} lost secrets when they were deleted from {source}; they were restored: the two share one storage",
        code="same-keyring",
    )


def _report(
    out: Output, users: Collection[str], secrets: Collection[str], existing: Collection[str], *, dry_run: bool
) -> None:
    out.change_made = bool(secrets) and not dry_run
    if not out.shows_results(dry_run=dry_run):
        return
    moved = "would move" if dry_run else "moved"
    states = {
        user: moved if user in secrets else "there already" if user in existing else "in neither" for user in users
    }
    if out.context.format == "json":
        listed = [{"name": user, "state": state} for user, state in states.items()]
        out.json("secrets-move/1", {"changed": bool(secrets), "dry_run": dry_run, "secrets": listed})
        return
    for user, state in states.items():
        out.record((user, state, "changed" if user in secrets else "ok"))


def _listed(users: list[str]) -> str:
    more = f" and {len(users) - 3} more" if len(users) > 3 else ""
    return ", ".join(users[:3]) + more
