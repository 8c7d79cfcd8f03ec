"""Read the keyring without changing it: show, print and verify passwords."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mailpolicy.cli.context import Context
from mailpolicy.cli.output import Output
from mailpolicy.cli.views import open_store
from mailpolicy.diagnostics import Finding, Problem
from mailpolicy.edit import sources
from mailpolicy.errors import Advice, KeyringError, Refused
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Owner, Secret
from mailpolicy.policy.lookup import require_account
from mailpolicy.policy.service import Service
from mailpolicy.policy.smart_host import smart_host_login
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import SERVICE, Credentials, KeyringConfig
from mailpolicy.store.host import Host
from mailpolicy.store.store import Store


def keyring_config(out: Output) -> KeyringConfig:
    """Return the keyring's configuration from options and host.toml. Raises StoreError and Refused for a bad host.toml."""
    return configured(out.context, out.machine().settings)


def configured(context: Context, settings: Host) -> KeyringConfig:
    """Return the keyring's configuration from the context and the settings in host.toml."""
    return KeyringConfig(
        context.keyring_backend or settings.keyring_backend,
        settings.keyring_service or SERVICE,
        context.is_root,
        120.0 if context.interactive else 15.0,  # long enough to type a password
        settings.secrets_file,
        settings.key_file,
        context.credentials_folder,
        context.lock_timeout,
    )


def credentials(out: Output) -> Credentials:
    """Return the keyring named by options and host.toml. Raises StoreError and Refused for a bad host.toml."""
    return Credentials(keyring_config(out), out.message)


def show(out: Output, address: str | None) -> int:
    """Show the credentials that would be used, and whether their password is in the keyring."""
    store, policy = open_store(out, [address] if address else [])
    if address is None:
        login, owner, why = policy.server.smart_host_login, "server", "accounts without a login of their own use it"
        if login is None:
            why = "the server has no login: accounts without their own send unauthenticated"
    else:
        used = smart_host_login(policy, require_account(policy, address))
        login, owner, why = used.login, str(used.owner) if used.owner else "none", used.why
    secret = bindings.smart_host_secret(policy.server, address if owner == "account" else None)
    password = _password_state(out, secret) if login else "none needed"
    facts = {
        "of": address or "server",
        "host": policy.server.smart_host,
        "port": policy.server.relay_port if policy.server.smart_host is not None else None,
        "login": login,
        "owner": owner,
        "why": why,
        "password": password,
    }
    if out.context.format == "json":
        out.json("smart-host/1", {"file": store.path, **facts})
        return 0
    rows = [(key, str(value) if value is not None else "not set") for key, value in facts.items() if key != "of"]
    out.rows(("smart host", address or "server"), rows)
    return 0


def print_password(out: Output, address: str, name: str) -> int:
    """Print the password or token of a source for the program that collects from it. Raises Refused and NotFound."""
    if out.context.stdout_is_terminal:
        raise Refused(
            "no password or token is printed to a terminal: run this from the collecting program", code="terminal"
        )
    _, policy = open_store(out, [address])
    source = sources.require(policy, address, name)
    if name not in policy.polled(policy.accounts[address]):
        # Asked at each poll, so that switching MultiPOP off works even if the collector's configuration is old.
        closed = ", ".join(policy.gates(address, Service.MULTIPOP)) or "the source is disabled"
        raise Refused(f"{address} must not collect from {name}: {closed}", code="not-polled")
    if source.token is not None:
        from mailpolicy.cli.secrets import tokens  # 5 ms, only for a token

        out.data(f"{tokens.make(out, Owner(address, name), source)}\n")
        return 0
    bound, keyring = bindings.secret_of(policy, Owner(address, name)), credentials(out)
    secret = keyring.get(bound.user)
    if secret is None:
        absence = explain_missing(keyring, [bound])[bound]
        raise KeyringError(absence.text, code="no-secret", fix=absence.command)
    out.data(f"{secret}\n")
    return 0


def _password_state(out: Output, secret: Secret) -> str:
    keyring = credentials(out)
    try:
        if keyring.get(secret.user) is not None:
            return "in the keyring"
        out.message(explain_missing(keyring, [secret])[secret])
        return "missing"
    except KeyringError as error:
        out.message(f"warning: {error}")
        return "unknown"


def explain_missing(keyring: Credentials, missing: Collection[Secret]) -> Mapping[Secret, Advice]:
    """Return advice for each missing secret, considering other secrets in the keyring. Raises KeyringError."""
    return bindings.explain_missing(missing, keyring.names()) if missing else {}


def missing_secrets(out: Output, store: Store) -> list[Finding]:
    """Return findings about missing secrets and interrupted changes. Raises KeyringError."""
    keyring = credentials(out)
    keys = bindings.named_secrets(store.policy())
    noted = pending.interrupted(store.path, out.trusted)
    kept = keyring.get_many([*(secret.user for secret in keys), *noted])
    missing = explain_missing(keyring, [secret for secret in keys if secret.user not in kept])
    problems = [Problem("MP060", keys[secret], str(absence)) for secret, absence in missing.items()]
    there = {secret.owner for secret in keys if secret.user in kept}
    for user in noted:
        interrupted = f"an earlier change of {user} was interrupted;"
        secret = Secret.parse(user)
        path = keys.get(secret, ()) if secret is not None else ()
        if path:
            message = f"{interrupted} the password may be the old or the new one"
        else:
            message = f"{interrupted} the secret {'is still' if user in kept else 'is not'} in the keyring"
        if secret is not None:
            owner = secret.owner
            command = owner.command(keep=True) if path else owner.cleanup(replaced=owner in there)
            message = str(Advice(message, command))
        problems.append(Problem("MP061", path, message))
    return store.located(problems)
