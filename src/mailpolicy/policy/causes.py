"""Find the keys that cause a change of access.

Causes are found by trial, so no condition of the decision is written a second time here: each setting that differs is
put alone into the old policy, and taken back alone from the new one.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailpolicy.policy.account import EXTRA_LAN, Account
from mailpolicy.policy.changes import AccessChange, Cause
from mailpolicy.policy.model import NamedNetwork, Policy
from mailpolicy.policy.service import SWITCHES

_SERVER_KEYS = ("edition", "outlook_connector_installed", "multipop", "lan", "govern")
_STATES = ("suspended", "expired")  # of an account, beside its switches
_SHARED = (*SWITCHES, EXTRA_LAN)
_Setting = tuple[str, str]  # "account", "server" or "networks", and the key


def access_causes(old: Policy, new: Policy, change: AccessChange) -> list[Cause]:
    """Return the keys that cause a change, those that account for all of it first.

    A key is a cause if applying only its change to the old policy, or reverting only it in the new one, moves at least
    one address in the same direction. There is always at least one, as no setting both opens and closes a service.
    """
    address, service = change.address, change.service
    old_account, new_account = old.accounts.get(address), new.accounts.get(address)
    if (old_account is None or new_account is None) and old.governs(service) is new.governs(service):
        key = new_account.key if new_account is not None else old_account.key if old_account is not None else ""
        return [Cause(("accounts", key), new_account is not None)]
    if old_account is None or new_account is None:
        return [Cause(("server", "govern"), "govern" in new.server.written)]
    named = {*old.extra_lan(old_account).names, *new.extra_lan(new_account).names}
    before, after = _flattened(old, old_account, named), _flattened(new, new_account, named)
    settings = [("account", key) for key in (*_SHARED, *_STATES)] + [("server", key) for key in _SERVER_KEYS]
    settings += [("networks", name) for name in sorted(named)]
    gained, lost = change.after - change.before, change.before - change.after
    complete: list[_Setting] = []
    partial: list[_Setting] = []
    for setting in settings:
        applied, reverted = _with_setting(before, after, setting), _with_setting(after, before, setting)
        if applied == before:
            continue
        if_applied, if_reverted = applied.admitted(address, service), reverted.admitted(address, service)
        done = (gained & if_applied, lost - if_applied)
        undone = (gained - if_reverted, lost & if_reverted)
        if (gained, lost) in (done, undone):
            complete.append(setting)
        elif any(done) or any(undone):
            partial.append(setting)
    # Two switches can lead to one key: an account's template decides about all of them.
    return list(dict.fromkeys(_cause(old, new, address, setting) for setting in complete + partial))


def _cause(old: Policy, new: Policy, address: str, setting: _Setting) -> Cause:
    """Return the key by which a setting changed."""
    level, key = setting
    if level == "server":
        return Cause(setting, key in new.server.written)
    if level == "networks":
        return Cause(setting, key in new.networks)
    account = new.accounts[address]
    if key == "suspended":
        return Cause(("accounts", account.key, key), account.suspended)
    if key == "expired":
        return Cause(("accounts", account.key, "expires"), account.expires is not None)
    return _shared_cause(old, new, old.accounts[address], account, key)


def _shared_cause(old: Policy, new: Policy, before: Account, after: Account, key: str) -> Cause:
    if before.in_force.get(key) != after.in_force.get(key):
        return _exception_cause(before, after, key)
    if before.own.get(key) != after.own.get(key):
        return Cause(("accounts", after.key, key), key in after.own)
    old_value = old.templates.get(before.template or "", {}).get(key)
    new_value = new.templates.get(after.template or "", {}).get(key)
    if old_value == new_value:
        return Cause(("defaults", key), key in new.defaults)
    if before.template != after.template:
        return Cause(("accounts", after.key, "template"), after.template is not None)
    return Cause(("templates", after.template or "", key), new_value is not None)


def _exception_cause(before: Account, after: Account, key: str) -> Cause:
    written, rewritten = (account.temporary.switches if account.temporary else {} for account in (before, after))
    # With the same value in both files, it is their ends that differ.
    by = "until" if written.get(key) == rewritten.get(key) else key
    return Cause(("accounts", after.key, "temporary", by), key in rewritten)


def _flattened(policy: Policy, account: Account, named: Iterable[str]) -> Policy:
    """Return a policy of this account alone, with every inherited key written as its own.

    Of the networks it has those that are named, which are empty if the policy does not have them.
    """
    own = {key: policy.resolved(account, key)[0] for key in _SHARED}
    alone = Account(account.address, account.address, own, None, account.suspended, expired=account.expired)
    networks = {name: policy.networks.get(name, NamedNetwork()) for name in named}
    return Policy(policy.server, {}, {}, {account.address: alone}, networks)


def _with_setting(policy: Policy, other: Policy, setting: _Setting) -> Policy:
    """Return a flattened policy with one setting taken from the other flattened policy of the same account."""
    level, key = setting
    if level == "server":
        return policy._replace(server=policy.server._replace(**{key: getattr(other.server, key)}))
    if level == "networks":
        return policy._replace(networks={**policy.networks, key: other.networks[key]})
    ((address, account),) = policy.accounts.items()
    theirs = other.accounts[address]
    changed = {key: getattr(theirs, key)} if key in _STATES else {"own": {**account.own, key: theirs.own[key]}}
    return policy._replace(accounts={address: account._replace(**changed)})
