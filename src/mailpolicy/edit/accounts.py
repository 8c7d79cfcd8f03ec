"""Add, remove, rename, suspend, resume and expire accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mailpolicy.edit import remarks
from mailpolicy.edit.operations import Add, Drop, Rename, Value, differences
from mailpolicy.edit.plan import Plan, Result
from mailpolicy.edit.selection import Selection, selected_accounts
from mailpolicy.edit.services import refuse_connector, require_governed
from mailpolicy.errors import Refused
from mailpolicy.policy.account import Account
from mailpolicy.policy.bindings import Owner, passwords_to_set
from mailpolicy.policy.lookup import require_account, require_template
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import joined
from mailpolicy.policy.service import Service
from mailpolicy.store.tables import ACCOUNT, SHARED_KEYS

if TYPE_CHECKING:
    from mailpolicy.policy.dates import Clock, End


def add(policy: Policy, addresses: Iterable[str], settings: Mapping[str, Value]) -> Plan:
    """Plan new accounts with these settings in their own tables. Raises NotFound and Refused.

    An account that already exists with the same settings is left alone; one with different settings is refused.
    """
    if isinstance(template := settings.get("template"), str):
        require_template(policy, template)
    for service in Service:
        if not settings.keys().isdisjoint((service.switch, service.own_lan_switch)):
            require_governed(policy, service)
    addresses = list(dict.fromkeys(addresses))
    new = [address for address in addresses if address not in policy.accounts]
    if settings.get(Service.CONNECTOR.switch) is True:
        # Gates are asked of a policy, and the new accounts are not in it yet.
        trial = {address: _new_account(address, settings) for address in new}
        refuse_connector(policy._replace(accounts=trial), trial.values(), new=True)
    plan = _added(policy, addresses, settings)
    if new:
        plan.notes += _notes(policy, new, settings)
    return plan


def _added(policy: Policy, addresses: Iterable[str], settings: Mapping[str, Value]) -> Plan:
    """Plan the tables of new accounts. Raises Refused if one exists with other settings."""
    plan = Plan()
    conflicts = []
    for address in dict.fromkeys(addresses):
        existing = policy.accounts.get(address)
        if existing is None:
            table = dict(settings)
            plan.change(Add(("accounts", address), table), address, None, None, table)
            plan.results.append(Result(address, "account", "added", True))
        else:
            if different := differences(_table(existing), settings):
                conflicts.append(f"{address} already exists with {different}")
            plan.results.append(Result(address, "account", "already exists with these settings", False))
    if conflicts:
        raise Refused("; ".join(conflicts), code="exists")
    return plan


def _notes(policy: Policy, new: list[str], settings: Mapping[str, Value]) -> Iterator[remarks.Note]:
    """Yield notes about settings that new accounts inherit, and services that were switched on and stay closed."""
    account = _new_account(new[0], settings)  # all new accounts resolve alike
    if inherited := remarks.inherited(policy, account, settings):
        yield f"note: {remarks.names_or_count(new)} inherit{'s' * (len(new) == 1)} {'; '.join(inherited)}"
    after = policy._replace(accounts={account.address: account})
    for service in Service:
        if settings.get(service.switch) is True:
            gates = after.gates(account.address, service)
            yield from remarks.still_closed(service, ((account._replace(address=address), gates) for address in new))
    if "smart_host_login" in settings:
        yield passwords_to_set([Owner(address) for address in new])


def _new_account(address: str, settings: Mapping[str, Value]) -> Account:
    template = settings.get("template")
    own = {key: value for key, value in settings.items() if isinstance(value, bool | tuple)}
    return Account(address, address, own, template if isinstance(template, str) else None)


def remove(policy: Policy, selection: Selection, *, if_exists: bool) -> Plan:
    """Plan the removal of accounts, with the comments that belong to them. Raises NotFound."""
    plan = Plan()
    absent = [address for address in selection.addresses if address not in policy.accounts] if if_exists else []
    missing = set(absent)
    existing = selection._replace(addresses=tuple(address for address in selection.addresses if address not in missing))
    plan.results += (Result(address, "account", "does not exist", False) for address in absent)
    for account in selected_accounts(policy, existing, plan, offer=False):
        plan.change(Drop(("accounts", account.key)), account.address, None, _table(account), None)
        plan.results.append(Result(account.address, "account", "removed", True))
    return plan


def _table(account: Account) -> dict[str, Any]:
    return {key: value for key in ACCOUNT if (value := account.value(key)) is not None}


def rename(policy: Policy, old: str, new: str) -> Plan:
    """Plan another address for an account. Raises NotFound and Refused."""
    account = require_account(policy, old, offer=False)
    plan = Plan()
    if old == new:
        plan.results.append(Result(new, "account", "already has this address", False))
        return plan
    if new in policy.accounts:
        raise Refused(f"{new} already exists; {old} was not renamed", code="exists")
    plan.change(Rename(("accounts", account.key), new), old, "address", old, new)
    assert plan.affected is not None
    plan.affected.add(new)
    plan.results.append(Result(new, "account", f"renamed from {old}", True))
    return plan


def rename_domain(policy: Policy, old: str, new: str) -> Plan:
    """Plan another domain for all accounts of a domain; subdomains stay. Raises NotFound and Refused."""
    plan = Plan()
    if old == new:
        plan.results.append(Result(new, "domain", "already has this name", False))
        return plan
    domains = {account.domain for account in policy.accounts.values()}
    if old not in domains and new in domains:
        plan.results.append(Result(new, "domain", f"no accounts are left in {old}", False))
        return plan
    accounts = selected_accounts(policy, Selection(domain=old), plan)
    renamed = [(account, f"{account.address.removesuffix(old)}{new}") for account in accounts]
    if taken := [address for _, address in renamed if address in policy.accounts]:
        raise Refused(f"already there: {remarks.names_or_count(taken)}; {old} was not renamed", code="exists")
    for account, address in renamed:
        plan.change(Rename(("accounts", account.key), address), account.address, "address", account.address, address)
        plan.results.append(Result(address, "account", f"renamed from {account.address}", True))
    assert plan.affected is not None
    plan.affected.update(address for _, address in renamed)
    return plan


def copy(policy: Policy, source: str, addresses: Iterable[str]) -> Plan:
    """Plan accounts with the template, the switches and the networks of another. Raises NotFound and Refused.

    Settings of one person and settings that end are not copied: suspension, dates, login and sources.
    """
    account = require_account(policy, source, offer=False)
    settings = {**account.own, **({"template": account.template} if account.template is not None else {})}
    plan = _added(policy, addresses, settings)
    if left := [
        key for key in ACCOUNT if key not in SHARED_KEYS and key != "template" and account.value(key) is not None
    ]:
        plan.notes.append(f"not copied from {source}: {', '.join(left)}")
    return plan


def suspend(policy: Policy, selection: Selection) -> Plan:
    """Plan the suspension of accounts. Raises NotFound."""
    plan = _suspension(policy, selection, True)
    closed = joined([service.label for service in policy.services])
    sending = "" if policy.governs(Service.SMTP) else "sending (SMTP), "
    plan.notes.append(
        f"suspension stops {closed}, but not {sending}open sessions, or webmail that does not log in over IMAP"
    )
    return plan


def resume(policy: Policy, selection: Selection) -> Plan:
    """Plan the end of accounts' suspension; the key is removed. Raises NotFound."""
    return _suspension(policy, selection, None)


def expire(policy: Policy, selection: Selection, expires: End | None, now: Clock) -> Plan:
    """Plan the date on which accounts expire, or with None that they never do. Raises NotFound."""
    plan = Plan()
    over = expires is not None and expires.is_over(now())
    plan.takes_effect = False
    state = "never expires" if expires is None else f"{'expired' if over else 'expires'} {_when(expires)}"
    for account in selected_accounts(policy, selection, plan):
        path = ("accounts", account.key, "expires")
        old = account.expires.written if account.expires is not None else None
        changed = plan.set(path, account.address, "expires", old, expires.written if expires is not None else None)
        plan.takes_effect = plan.takes_effect or account.expired is not over
        plan.results.append(Result(account.address, "account", state, changed))
    return plan


def _when(end: End) -> str:
    return f"at {end}" if end.is_instant else f"after {end}"


def _suspension(policy: Policy, selection: Selection, suspended: bool | None) -> Plan:
    plan = Plan()
    for account in selected_accounts(policy, selection, plan):
        path = ("accounts", account.key, "suspended")
        changed = plan.set(path, account.address, "suspended", account.suspended or None, suspended)
        plan.results.append(Result(account.address, "account", "suspended" if suspended else "not suspended", changed))
    return plan
