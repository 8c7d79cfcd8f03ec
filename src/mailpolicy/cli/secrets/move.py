"""What a keyring holds for mailpolicy: listed, verified, moved to another one.

Promises: a secret is removed from the old keyring only when all were read back from the new one and the two are known
to be two; no secret in any output.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import choice, credentials, explain_missing
from mailpolicy.cli.views import open_store
from mailpolicy.errors import Advice, KeyringError, MailpolicyError, Refused, UsageError
from mailpolicy.policy import bindings
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import Credentials


def names(out: Output) -> int:
    """The names of the secrets, one a line."""
    vault = credentials(out)
    known = vault.names()
    if known is None:
        store, policy = open_store(out, trusted=out.trusted)
        known = list(vault.several([secret.user for secret in bindings.named_secrets(policy)]))
        out.message(f"note: this keyring cannot list its secrets, so these are the ones that {store.path} names")
    for name in known:
        if out.context.format == "json":
            out.json("secret/1", {"name": name})
        else:
            out.record((name,))
    return 0


def verify(out: Output) -> int:
    """Open every secret the store names; 1 where one is missing."""
    store, policy = open_store(out, trusted=out.trusted)
    named = {secret.user: secret for secret in bindings.named_secrets(policy)}
    vault = credentials(out)
    there = vault.several(named)
    spare = sorted(set(vault.names() or ()) - set(named))
    states = {name: "there" if name in there else "missing" for name in named}
    states.update(dict.fromkeys(spare, "not named by the store"))
    missing = explain_missing(vault, [secret for name, secret in named.items() if name not in there])
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
    """Copy every secret the store names, read it back, and then remove the old one."""
    if source == target:
        raise UsageError("--from and --to name the same keyring")
    store, policy = open_store(out, trusted=out.trusted)
    chosen = choice(out)
    old, new = (Credentials(chosen._replace(backend=backend), out.message) for backend in (source, target))
    named = bindings.named_secrets(policy)
    former = bindings.secrets_by_owner(old.names() or (), {secret.owner for secret in named})  # of other destinations
    secrets_of = [*named, *(secret for owned in former.values() for secret in owned)]
    users = list(dict.fromkeys([*(secret.user for secret in secrets_of), *pending.names(store.path, out.trusted)]))

    def afresh(backend: str) -> Credentials:
        """As a program of its own would find it: a backend may remember what it once read."""
        return Credentials(chosen._replace(backend=backend), lambda warning: None)

    secrets, there = old.several(users), new.several(users)
    differing = [user for user in secrets if user in there and there[user] != secrets[user]]
    if differing and not overwrite:
        raise Refused(
            f"{target} has other secrets for {_listed(differing)}: remove one of the two, or replace what is there with --overwrite",
            code="secrets-differ",
        )
    alike = bool(secrets) and all(there.get(user) == secret for user, secret in secrets.items())
    if alike and dry_run:
        out.message(f"note: {target} shows the same secrets: that it is another keyring is tried before any is removed")
    if secrets and not dry_run:
        if alike:
            _require_two(new, source, target, afresh)
        new.set_several(secrets)  # also what it shows already: it may show what another keyring has
        if old.several(users) != secrets:
            raise KeyringError(
                f"secrets in {source} were changed meanwhile: they are in both keyrings now, run this again with --overwrite",
                code="keyring-changed",
            )
        try:
            old.delete_several(secrets)
        finally:
            _require_kept(secrets, source, target, afresh)
    _tell(out, users, secrets, there, dry_run=dry_run)
    if secrets and chosen.backend != target and not dry_run:
        out.message(f'name the new keyring in host.toml: keyring_backend = "{target}"')
    return 0


def _require_two(new: Credentials, source: str, target: str, afresh: Callable[[str], Credentials]) -> None:
    """Refuse where what is kept in the new keyring appears in the old one: what is removed there would go here too."""
    from secrets import token_hex

    trial = f"trial/{token_hex(8)}"
    try:
        new.set(trial, "of secrets move")
        shared = afresh(source).get(trial) is not None
    except BaseException:
        with suppress(MailpolicyError):  # what came first is what is told
            new.delete(trial)
        raise
    new.delete(trial)
    if shared:
        raise Refused(
            f"{source} and {target} keep their secrets in one place, so there is nothing to move", code="same-keyring"
        )


def _require_kept(secrets: Mapping[str, str], source: str, target: str, afresh: Callable[[str], Credentials]) -> None:
    """Put back what went from the new keyring when it was removed from the old one. Raises KeyringError."""
    there = afresh(target).several(secrets)
    lost = {user: secret for user, secret in secrets.items() if there.get(user) != secret}
    if not lost:
        return
    try:
        afresh(target).set_several(lost)
    except MailpolicyError:
        afresh(source).set_several(lost)
    raise KeyringError(
        f"{target} lost secrets when they were removed from {source}, they were put back: the two lead to one place",
        code="same-keyring",
    )


def _tell(
    out: Output, users: Collection[str], secrets: Collection[str], there: Collection[str], *, dry_run: bool
) -> None:
    if not out.tells(dry_run=dry_run):
        return
    moved = "would move" if dry_run else "moved"
    states = {user: moved if user in secrets else "there already" if user in there else "in neither" for user in users}
    if out.context.format == "json":
        listed = [{"name": user, "state": state} for user, state in states.items()]
        out.json("secrets-move/1", {"changed": bool(secrets), "dry_run": dry_run, "secrets": listed})
        return
    for user, state in states.items():
        out.record((user, state, "changed" if user in secrets else "ok"))


def _listed(users: list[str]) -> str:
    more = f" and {len(users) - 3} more" if len(users) > 3 else ""
    return ", ".join(users[:3]) + more
