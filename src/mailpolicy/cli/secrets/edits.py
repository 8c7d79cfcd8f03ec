"""The edits of the store that also set, move or delete a secret."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache

from mailpolicy.cli.editing import carry_out, print_outcome
from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.lookup import credentials
from mailpolicy.cli.secrets.password_options import PasswordSource
from mailpolicy.cli.secrets.passwords import require_source
from mailpolicy.cli.secrets.secret_edits import (
    Concerned,
    edit_with_secrets,
    following,
    redirected,
    renamed,
    set_secret,
)
from mailpolicy.edit import accounts, server, sources
from mailpolicy.edit.operations import Scalar
from mailpolicy.edit.plan import Plan, Planner, Result
from mailpolicy.edit.selection import Selection
from mailpolicy.errors import Advice, KeyringError, Refused
from mailpolicy.policy import bindings
from mailpolicy.policy.bindings import Owner, Secret
from mailpolicy.policy.model import Policy
from mailpolicy.secrets import pending
from mailpolicy.store.sources import new_source
from mailpolicy.store.store import Store


def set_account(out: Output, address: str, login: str | None, source: PasswordSource, *, dry_run: bool) -> int:
    """Set the password of an account's smart host login, and the login if one is given."""

    def planner(policy: Policy) -> Plan:
        plan = server.set_login(policy, address, login)
        existing = policy.accounts[address].login
        if login is None and existing is None:
            raise Refused(f"{address} has no login yet: add --login LOGIN", code="no-login")
        plan.results.append(Result(address, "smart-host", f"login {login or existing}", bool(plan.operations)))
        plan.notes += server.unused_login(policy)
        return plan

    require_source(out, source)
    return set_secret(out, planner, Owner(address), source, dry_run=dry_run)


def set_server(
    out: Output, options: dict[str, Scalar], source: PasswordSource, *, dry_run: bool, yes: bool = False
) -> int:
    """Set the given options of the server's smart host; a password option alone changes only the secret."""

    def planner(policy: Policy) -> Plan:
        if not (options.get("login") or policy.server.smart_host_login) and (source.given or not options):
            raise Refused("the server has no login yet: add --login LOGIN", code="no-login")
        plan = server.set_smart_host(policy, options)
        if not source.given and options.get("login", policy.server.smart_host_login) != policy.server.smart_host_login:
            plan.notes.append(_old_password_advice(policy.server.smart_host_login))
        return plan

    if options and not source.given:
        store = Store.read_for_edit(out.context.file, (), out.cache)
        return edit_with_secrets(out, store, planner, redirected, dry_run=dry_run, yes=yes)
    require_source(out, source)
    return set_secret(out, planner, Owner(None), source, dry_run=dry_run, yes=yes)


def _old_password_advice(former: str | None) -> Advice:
    """Return the advice after the server's login was changed without its password."""
    owner = Owner(None)
    if former is None:
        return bindings.passwords_to_set([owner])
    return Advice(f"the password in the keyring is still the one of {former}", owner.command(keep=True))


def set_source(out: Output, address: str, name: str, source: PasswordSource, *, dry_run: bool) -> int:
    """Set the password of an account's source."""

    def planner(policy: Policy) -> Plan:
        sources.refuse_password(policy, address, name)
        return Plan()

    require_source(out, source)
    return set_secret(out, planner, Owner(address, name), source, dry_run=dry_run)


def change_source(
    out: Output, address: str, name: str, asked: Mapping[str, Scalar | None], *, dry_run: bool, yes: bool
) -> int:
    """Change keys of a source. Its password follows to another destination, and goes if the source gets a token."""
    store = Store.read_for_edit(out.context.file, (address,), out.cache)
    owner = Owner(address, name)

    def planner(policy: Policy) -> Plan:
        plan = sources.change(policy, address, name, asked)
        if asked.get("auth", "") is None and policy.accounts[address].sources[name].token is not None:
            plan.notes.append(bindings.passwords_to_set([owner]))
        plan.notes += _undefined_token(out, plan, asked)
        return plan

    return edit_with_secrets(out, store, planner, following, dry_run=dry_run, yes=yes)


def _undefined_token(out: Output, plan: Plan, asked: Mapping[str, Scalar | None]) -> list[str]:
    """Return the note that this machine cannot make the token that an edit names, if it is so."""
    if not plan.operations or (token := asked.get("token")) is None:
        return []
    from mailpolicy.cli.secrets import tokens  # 5 ms, only for a token

    return tokens.undefined(out, str(token))


def add_source(
    out: Output, address: str, name: str, asked: Mapping[str, Scalar], password: PasswordSource, *, dry_run: bool
) -> int:
    """Add a source to an account, with its password if one is given."""

    def planner(policy: Policy) -> Plan:
        plan = sources.add(policy, address, name, asked, new_source(asked))
        if plan.operations and not password.given and "token" not in asked:
            plan.notes.append(bindings.passwords_to_set([Owner(address, name)]))
        plan.notes += _undefined_token(out, plan, asked)
        return plan

    if password.given:
        return set_secret(out, planner, Owner(address, name), password, dry_run=dry_run)
    store = Store.read_for_edit(out.context.file, (address,), out.cache)
    return print_outcome(out, carry_out(out, store, planner, dry_run=dry_run), dry_run=dry_run)


def remove_source(out: Output, address: str, name: str, *, if_exists: bool, dry_run: bool, yes: bool) -> int:
    """Remove a source from the store, then its password from the keyring."""
    store = Store.read_for_edit(out.context.file, (address,), out.cache)
    owner = Owner(address, name)

    # Looked for once, as a plan may be made again while the store is locked.
    left_behind = cache(lambda: _leftover_secrets(out, store, owner, removed=True, dry_run=dry_run))

    def leftover(policy: Policy) -> list[Secret]:
        account = policy.accounts.get(address)
        return [] if account is not None and name in account.sources else left_behind()

    def planner(policy: Policy) -> Plan:
        if leftover(policy):
            plan = Plan()
            plan.results.append(Result(address, f"source {name}", "no such source", False))
            return plan
        return sources.remove(policy, address, name, if_exists=if_exists)

    def concerned(store: Store, plan: Plan) -> Concerned:
        named = bindings.account_secrets(store.policy(), [address])
        return Concerned([secret for secret in named if secret.owner == owner] or leftover(store.policy()))

    return edit_with_secrets(out, store, planner, concerned, dry_run=dry_run, yes=yes)


def clear(out: Output, address: str | None, *, dry_run: bool, yes: bool) -> int:
    """Remove a login and its password."""
    store = Store.read_for_edit(out.context.file, (address,) if address else (), out.cache)
    owner = Owner(address)

    def is_removed(policy: Policy) -> bool:
        return address is not None and address not in policy.accounts

    # Looked for once, as a plan may be made again while the store is locked.
    leftover = cache(lambda removed: _leftover_secrets(out, store, owner, removed=removed, dry_run=dry_run))

    def planner(policy: Policy) -> Plan:
        plan = Plan() if is_removed(policy) and leftover(True) else server.clear_login(policy, address)
        plan.results.append(Result(address or "server", "smart-host", "no login", bool(plan.operations)))
        return plan

    def concerned(store: Store, plan: Plan) -> Concerned:
        policy = store.policy()
        return Concerned(list(dict.fromkeys([bindings.secret_of(policy, owner), *leftover(is_removed(policy))])))

    return edit_with_secrets(out, store, planner, concerned, dry_run=dry_run, yes=yes)


def _leftover_secrets(out: Output, store: Store, owner: Owner, *, removed: bool, dry_run: bool) -> list[Secret]:
    """Return the secrets left behind by interrupted changes of an owner; if it is `removed` from the store, all of its secrets."""
    pending_secrets = (Secret.parse(user) for user in pending.user_names(store.path, out.trusted))
    found = [secret for secret in pending_secrets if secret is not None and secret.owner == owner]
    if removed and not dry_run:
        with suppress(KeyringError):  # without a keyring, report the owner as not found
            users = credentials(out).names() or ()
            found += bindings.secrets_by_owner(users, {owner}).get(owner, [])
    return list(dict.fromkeys(found))


def remove_accounts(out: Output, targets: Selection, *, if_exists: bool, yes: bool, dry_run: bool) -> int:
    """Remove accounts from the store, then their passwords from the keyring."""
    store = Store.read_for_edit(out.context.file, (), out.cache)

    def planner(policy: Policy) -> Plan:
        return accounts.remove(policy, targets, if_exists=if_exists)

    return edit_with_secrets(out, store, planner, following, dry_run=dry_run, yes=yes)


def rename_account(out: Output, old: str, new: str, *, dry_run: bool) -> int:
    """Rename an account: copy its secrets, edit the store, delete the old secrets."""
    return _rename(out, lambda policy: accounts.rename(policy, old, new), dry_run=dry_run)


def rename_domain(out: Output, old: str, new: str, *, dry_run: bool, yes: bool) -> int:
    """Give all accounts of a domain another one; their secrets move along as if each was renamed."""
    return _rename(out, lambda policy: accounts.rename_domain(policy, old, new), dry_run=dry_run, yes=yes)


def _rename(out: Output, planner: Callable[[Policy], Plan], *, dry_run: bool, yes: bool = True) -> int:
    store = Store.read_for_edit(out.context.file, (), out.cache)

    def concerned(store: Store, plan: Plan) -> Concerned:
        return renamed(store, {change.old: change.new for change in plan.changes})

    return edit_with_secrets(out, store, planner, concerned, dry_run=dry_run, yes=yes)


def apply_rows(
    out: Output, planner: Callable[[Policy], Plan], addresses: Iterable[str], *, dry_run: bool, yes: bool
) -> int:
    """Bring accounts to a desired state; `addresses` are the only accounts that it touches, if that is known."""
    store = Store.read_for_edit(out.context.file, addresses, out.cache)
    return edit_with_secrets(out, store, _once(planner), following, dry_run=dry_run, yes=yes)


def _once(planner: Callable[[Policy], Plan]) -> Planner:
    """Return a planner that plans again only for another policy: a plan of a hundred thousand rows takes a second."""
    made: list[tuple[Policy, Plan]] = []

    def plan(policy: Policy) -> Plan:
        if not made or made[0][0] is not policy:
            made[:] = [(policy, planner(policy))]
        return made[0][1]

    return plan
