"""What is asked of the keyring without changing it: whether passwords are there."""

from __future__ import annotations

import shlex

from mailpolicy import pending
from mailpolicy.cli.output import Output, require_format
from mailpolicy.cli.reading import open_store
from mailpolicy.credentials import SERVICE, Choice, Credentials, Owner, smart_host_user, source_user, users_of
from mailpolicy.diagnostics import Finding, KeyPath, Problem
from mailpolicy.edit.targets import no_account
from mailpolicy.errors import KeyringError, Refused
from mailpolicy.policy import Policy, Service
from mailpolicy.store import Store


def choice(out: Output) -> Choice:
    """What the options and host.toml say about the keyring. Raises StoreError and Refused for a bad host.toml."""
    around = out.around
    machine = out.machine().settings
    return Choice(
        around.keyring_backend or machine.keyring_backend,
        machine.keyring_service or SERVICE,
        around.is_root,
        120.0 if around.somebody_is_there else 15.0,
        machine.secrets_file,
        machine.key_file,
        around.credentials_folder,
        around.lock_timeout,
    )


def credentials(out: Output) -> Credentials:
    """The keyring that the options and host.toml name. Raises StoreError and Refused for a bad host.toml."""
    return Credentials(choice(out), out.message)


def show(out: Output, address: str | None) -> int:
    """Which credentials would be used, and whether their password is there."""
    require_format(out.around, "text", "json")
    store, policy = open_store(out, [address] if address else [])
    if address is None:
        login, owner, why = policy.server.smart_host_login, "server", "accounts without a login of their own use it"
        if login is None:
            why = "the server has no login: mail of accounts without one goes out unauthenticated"
    else:
        account = policy.accounts.get(address)
        if account is None:
            raise no_account(policy, [address])
        used = policy.smart_host_login(account)
        login, owner, why = used.login, str(used.owner) if used.owner else "none", used.why
    password = (
        _password_state(out, smart_host_user(address if owner == "account" else None)) if login else "none needed"
    )
    facts = {
        "of": address or "server",
        "host": policy.server.smart_host,
        "port": policy.server.smart_host_port,
        "login": login,
        "owner": owner,
        "why": why,
        "password": password,
    }
    if out.around.format == "json":
        out.json("smart-host/1", {"file": store.path, **facts})
        return 0
    rows = [(key, str(value) if value is not None else "not set") for key, value in facts.items() if key != "of"]
    out.rows(("smart host", address or "server"), rows)
    return 0


def print_password(out: Output, address: str, name: str) -> int:
    """The password of a source that MultiPOP may collect from, for a program that does. Raises Refused and NotFound."""
    from mailpolicy.edit import sources

    require_format(out.around, "text")
    if out.around.stdout_is_terminal:
        raise Refused(
            "a password is not printed to a terminal: let the program that collects run this", code="terminal"
        )
    _, policy = open_store(out, [address])
    sources.require(policy, address, name)
    if name not in policy.polled(policy.accounts[address]):
        closed = ", ".join(policy.gates(address, Service.MULTIPOP)) or "the source is disabled"
        raise Refused(f"{address} does not collect from {name}: {closed}", code="not-polled")
    owner = Owner(address, name)
    secret = credentials(out).get(source_user(address, name))
    if secret is None:
        raise KeyringError(
            f"the source {name} of {address} has no password in the keyring",
            code="no-secret",
            fix=owner.command(keep=True),
        )
    out.data(f"{secret}\n")
    return 0


def _password_state(out: Output, user: str) -> str:
    try:
        return "in the keyring" if credentials(out).get(user) is not None else "missing"
    except KeyringError as error:
        out.message(f"warning: {error}")
        return "unknown"


def missing_secrets(out: Output, store: Store) -> list[Finding]:
    """Secrets that are named and not there, and what unfinished changes left. Raises KeyringError."""
    vault = credentials(out)
    keys = named_secrets(store.policy())
    kept = vault.several([*keys, *pending.names(store.path)])
    problems = [
        Problem(
            "MP060", path, f"this login has no password in the keyring: {shlex.join(Owner.of(user).command(keep=True))}"
        )
        for user, path in keys.items()
        if user not in kept
    ]
    for user in pending.names(store.path):
        half_way = f"an earlier change of {user} stopped half-way, its"
        if user in keys:
            message = f"{half_way} password may be an old or a new one: {shlex.join(Owner.of(user).command(keep=True))}"
        else:
            state = "is still in the keyring" if user in kept else "is not in the keyring"
            message = f"{half_way} secret {state}: {shlex.join(Owner.of(user).command(keep=False))}"
        problems.append(Problem("MP061", keys.get(user, ()), message))
    return store.placed(problems)


def named_secrets(policy: Policy) -> dict[str, KeyPath]:
    """Every secret that the store names, with the key that names it."""
    keys: dict[str, KeyPath] = {}
    if policy.server.smart_host_login is not None:
        keys[smart_host_user(None)] = ("server", "smart_host", "login")
    for account in policy.accounts.values():
        for user in users_of(account):
            source = Owner.of(user).source
            below = ("smart_host_login",) if source is None else ("sources", source)
            keys[user] = ("accounts", account.key, *below)
    return keys
