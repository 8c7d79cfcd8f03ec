"""What is asked of the keyring without changing it: whether passwords are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mailpolicy.cli.output import Output
from mailpolicy.cli.views import open_store
from mailpolicy.diagnostics import Finding, Problem
from mailpolicy.edit import sources
from mailpolicy.errors import Advice, KeyringError, Refused
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Owner, Secret
from mailpolicy.policy.lookup import require_account
from mailpolicy.policy.service import Service
from mailpolicy.secrets import pending
from mailpolicy.secrets.credentials import SERVICE, Choice, Credentials
from mailpolicy.store.store import Store


def choice(out: Output) -> Choice:
    """What the options and host.toml say about the keyring. Raises StoreError and Refused for a bad host.toml."""
    context = out.context
    machine = out.machine().settings
    return Choice(
        context.keyring_backend or machine.keyring_backend,
        machine.keyring_service or SERVICE,
        context.is_root,
        120.0 if context.interactive else 15.0,
        machine.secrets_file,
        machine.key_file,
        context.credentials_folder,
        context.lock_timeout,
    )


def credentials(out: Output) -> Credentials:
    """The keyring that the options and host.toml name. Raises StoreError and Refused for a bad host.toml."""
    return Credentials(choice(out), out.message)


def show(out: Output, address: str | None) -> int:
    """Which credentials would be used, and whether their password is there."""
    store, policy = open_store(out, [address] if address else [])
    if address is None:
        login, owner, why = policy.server.smart_host_login, "server", "accounts without a login of their own use it"
        if login is None:
            why = "the server has no login: mail of accounts without one goes out unauthenticated"
    else:
        used = policy.smart_host_login(require_account(policy, address))
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
    """The password of a source that MultiPOP may collect from, for a program that does. Raises Refused and NotFound."""
    if out.context.stdout_is_terminal:
        raise Refused(
            "a password is not printed to a terminal: let the program that collects run this", code="terminal"
        )
    _, policy = open_store(out, [address])
    sources.require(policy, address, name)
    if name not in policy.polled(policy.accounts[address]):
        closed = ", ".join(policy.gates(address, Service.MULTIPOP)) or "the source is disabled"
        raise Refused(f"{address} does not collect from {name}: {closed}", code="not-polled")
    bound, vault = bindings.secret_of(policy, Owner(address, name)), credentials(out)
    secret = vault.get(bound.user)
    if secret is None:
        absence = explain_missing(vault, [bound])[bound]
        raise KeyringError(absence.text, code="no-secret", fix=absence.command)
    out.data(f"{secret}\n")
    return 0


def _password_state(out: Output, secret: Secret) -> str:
    vault = credentials(out)
    try:
        if vault.get(secret.user) is not None:
            return "in the keyring"
        out.message(explain_missing(vault, [secret])[secret])
        return "missing"
    except KeyringError as error:
        out.message(f"warning: {error}")
        return "unknown"


def explain_missing(vault: Credentials, missing: Collection[Secret]) -> Mapping[Secret, Advice]:
    """Why these secrets are not there; the keyring is asked what it has in their place. Raises KeyringError."""
    return bindings.explain_missing(missing, vault.names()) if missing else {}


def missing_secrets(out: Output, store: Store) -> list[Finding]:
    """Secrets that are named and not there, and what unfinished changes left. Raises KeyringError."""
    vault = credentials(out)
    keys = bindings.named_secrets(store.policy())
    noted = pending.names(store.path, out.trusted)
    kept = vault.several([*(secret.user for secret in keys), *noted])
    missing = explain_missing(vault, [secret for secret in keys if secret.user not in kept])
    problems = [Problem("MP060", keys[secret], str(absence)) for secret, absence in missing.items()]
    for user in noted:
        half_way = f"an earlier change of {user} stopped half-way, its"
        secret = Secret.parse(user)
        path = keys.get(secret, ()) if secret is not None else ()
        if path:
            message = f"{half_way} password may be an old or a new one"
        else:
            message = f"{half_way} secret {'is still' if user in kept else 'is not'} in the keyring"
        if secret is not None:
            message = str(Advice(message, secret.owner.command(keep=bool(path))))
        problems.append(Problem("MP061", path, message))
    return store.located(problems)
