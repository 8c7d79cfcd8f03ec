"""What is asked of the keyring without changing it: whether passwords are there."""

from __future__ import annotations

from mailpolicy import host, pending
from mailpolicy.cli.output import Output, require_format
from mailpolicy.cli.reading import open_store
from mailpolicy.credentials import SERVICE, Choice, Credentials, smart_host_user
from mailpolicy.diagnostics import Finding, KeyPath, Problem
from mailpolicy.edit.targets import no_account
from mailpolicy.errors import KeyringError
from mailpolicy.store import Store


def credentials(out: Output) -> Credentials:
    """The keyring that the options and host.toml name. Raises StoreError and Refused for a bad host.toml."""
    around = out.around
    machine = host.read(around.host_config, is_root=around.is_root)
    backend = around.keyring_backend or machine.keyring_backend
    deadline = 120.0 if around.somebody_is_there else 15.0
    return Credentials(Choice(backend, machine.keyring_service or SERVICE, around.is_root, deadline), out.message)


def show(out: Output, address: str | None) -> int:
    """Which credentials would be used, and whether their password is there."""
    require_format(out.around, "text", "json")
    store, policy = open_store(out)
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
    if out.around.quiet:
        return 0
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


def _password_state(out: Output, user: str) -> str:
    try:
        return "in the keyring" if credentials(out).get(user) is not None else "missing"
    except KeyringError as error:
        out.message(f"warning: {error.message}")
        return "unknown"


def missing_secrets(out: Output, store: Store) -> list[Finding]:
    """Logins without a password, and what unfinished changes left. Raises KeyringError."""
    policy = store.policy()
    vault = credentials(out)
    logins: dict[str, tuple[KeyPath, str]] = {}
    if policy.server.smart_host_login is not None:
        logins[smart_host_user(None)] = (("server", "smart_host", "login"), "--server")
    for account in policy.accounts.values():
        if account.login is not None:
            logins[smart_host_user(account.address)] = (("accounts", account.key, "smart_host_login"), account.address)
    problems = [
        Problem("MP060", path, f"this login has no password in the keyring: mailpolicy smart-host set {whose}")
        for user, (path, whose) in logins.items()
        if vault.get(user) is None
    ]
    for user in pending.names(store.path):
        whose = "--server" if user == smart_host_user(None) else user.removeprefix("smart-host/")
        if user in logins:
            message = f"an earlier change of {user} stopped half-way, its password may be an old or a new one: mailpolicy smart-host set {whose}"
        else:
            state = "is still in the keyring" if vault.get(user) is not None else "is not in the keyring"
            message = (
                f"an earlier change of {user} stopped half-way, its secret {state}: mailpolicy smart-host clear {whose}"
            )
        problems.append(Problem("MP061", logins[user][0] if user in logins else (), message))
    return store.placed(problems)
