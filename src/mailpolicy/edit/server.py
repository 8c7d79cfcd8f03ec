"""Changing what holds for the whole server: its keys, the LAN, and the logins at the smart host.

Promises: networks are compared as networks, not as texts, and the list is judged as it is after the whole command, in
whatever order it names them.
"""

from __future__ import annotations

from mailpolicy.edit.operations import Amend, Drop, Path, Put, PutList, Scalar
from mailpolicy.edit.plan import Line, Plan
from mailpolicy.policy.lan import RESERVED, is_reserved, lan_entry
from mailpolicy.policy.lookup import require_account
from mailpolicy.policy.model import LanEntry, Policy
from mailpolicy.policy.names import counted
from mailpolicy.policy.networks import Network, network_set
from mailpolicy.policy.service import Service


def set_key(policy: Policy, key: str, value: Scalar) -> Plan:
    """Give a key of [server] a value."""
    old = getattr(policy.server, key) if key in policy.server.written else None
    plan = Plan()
    changed = _put(plan, ("server", key), old, value)
    plan.lines.append(Line("server", key.replace("_", "-"), text_of(value), changed))
    return plan


def text_of(value: Scalar | None) -> str:
    """A value as a person reads it."""
    if value is None:
        return "not set"
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _put(plan: Plan, path: Path, old: Scalar | None, value: Scalar) -> bool:
    if old == value and old is not None:
        return False
    plan.change(Put(path, value), None, ".".join(path), old, value)
    return True


def lan_add(policy: Policy, texts: tuple[str, ...]) -> Plan:
    """Networks into the LAN; one that is in it already, or that another one of these holds, is `ok`."""
    plan = Plan()
    there = list(policy.server.lan_entries)
    named = [LanEntry(text, lan_entry(text)) for text in texts]
    fresh: list[LanEntry] = []
    for entry in named:
        same, wider = _find([*there, *fresh], entry.networks)
        wider = wider or _find(named, entry.networks)[1]
        if same is None and wider is None:
            fresh.append(entry)
            plan.lines.append(Line("lan", entry.text, "in the LAN", True))
            if not is_reserved(entry.networks):
                plan.notes.append(f"warning: {entry.text} is not wholly inside the ranges reserved for local use")
        else:
            covering = f"in the LAN, inside {wider.text}" if same is None and wider is not None else "in the LAN"
            plan.lines.append(Line("lan", entry.text, covering, False))
    if fresh:
        added = tuple(entry.text for entry in fresh)
        _list_change(plan, policy, Amend(("server", "lan"), (), added), [entry.text for entry in (*there, *fresh)])
    plan.notes.append(_confined(policy))
    return plan


def lan_remove(policy: Policy, texts: tuple[str, ...]) -> Plan:
    """Networks out of the LAN; what other entries still hold of one is said."""
    plan = Plan()
    entries = policy.server.lan_entries
    named = [LanEntry(text, lan_entry(text)) for text in texts]
    wanted = {network_set(entry.networks) for entry in named}
    gone = tuple(index for index, entry in enumerate(entries) if network_set(entry.networks) in wanted)
    kept = [entry for index, entry in enumerate(entries) if index not in gone]
    left = network_set(network for entry in kept for network in entry.networks)
    for text, networks in ((entry.text, network_set(entry.networks)) for entry in named):
        removed = any(network_set(entries[index].networks) == networks for index in gone)
        through = [entry.text for entry in kept if network_set(entry.networks) & networks]
        if not through:
            plan.lines.append(Line("lan", text, "not in the LAN", removed))
            continue
        whole = networks <= left
        plan.lines.append(Line("lan", text, "still in the LAN" if whole else "partly in the LAN", removed))
        stays = "stays in the LAN" if whole else "stays partly in the LAN"
        plan.notes.append(f"warning: {text} {stays}, through {', '.join(through)}")
    if gone:
        _list_change(plan, policy, Amend(("server", "lan"), gone, ()), [entry.text for entry in kept])
    plan.notes.append(_confined(policy))
    return plan


def lan_reset(policy: Policy) -> Plan:
    """Exactly the reserved ranges as the LAN."""
    plan = Plan()
    changed = tuple(entry.text for entry in policy.server.lan_entries) != RESERVED
    if changed:
        _list_change(plan, policy, PutList(("server", "lan"), RESERVED), list(RESERVED))
    plan.lines.append(Line("lan", "reset", ", ".join(RESERVED), changed))
    plan.notes.append(_confined(policy))
    return plan


def _list_change(plan: Plan, policy: Policy, operation: Amend | PutList, new: list[str]) -> None:
    old = [entry.text for entry in policy.server.lan_entries] if "lan" in policy.server.written else None
    plan.change(operation, None, "server.lan", old, new)


def _find(entries: list[LanEntry], networks: tuple[Network, ...]) -> tuple[LanEntry | None, LanEntry | None]:
    """The entry that is the same network, and one that holds it and more."""
    wanted = network_set(networks)
    sets = [(entry, network_set(entry.networks)) for entry in entries]
    same = next((entry for entry, there in sets if there == wanted), None)
    wider = next((entry for entry, there in sets if wanted <= there != wanted), None)
    return same, wider


def _confined(policy: Policy) -> str:
    confined = sum(
        any(
            policy.setting(account, service.switch).value and policy.setting(account, service.own_lan_switch).value
            for service in Service
            if service.own_lan_switch is not None
        )
        for account in policy.accounts.values()
    )
    return f"{counted(confined, 'account')} {'is' if confined == 1 else 'are'} confined to the LAN for POP or IMAP"


def set_login(policy: Policy, address: str | None, login: str | None) -> Plan:
    """The login of an account, or with None for `address` the server's; with None for `login` it stays as it is."""
    plan = Plan()
    if address is None:
        old, path = policy.server.smart_host_login, ("server", "smart_host", "login")
    else:
        account = require_account(policy, address)
        old, path = account.login, ("accounts", account.key, "smart_host_login")
    if login is not None and login != old:
        plan.change(Put(path, login), address, "smart_host_login" if address else ".".join(path), old, login)
        if address is None:
            plan.touched = set()
    return plan


def set_smart_host(policy: Policy, options: dict[str, Scalar]) -> Plan:
    """The options given, of [server.smart_host]: host, port, login, per_account_auth."""
    server = policy.server
    there = {
        "host": server.smart_host,
        "port": server.smart_host_port,
        "login": server.smart_host_login,
        "per_account_auth": server.per_account_auth if "smart_host.per_account_auth" in server.written else None,
    }
    plan = Plan()
    for key, value in options.items():
        changed = _put(plan, ("server", "smart_host", key), there[key], value)
        plan.lines.append(Line("server", f"smart-host {key.replace('_', '-')}", text_of(value), changed))
    plan.touched = set()  # credentials open no door
    return plan


def clear_login(policy: Policy, address: str | None) -> Plan:
    """No login for an account, or with None for the server. Raises NotFound."""
    plan = Plan()
    if address is None:
        old, path = policy.server.smart_host_login, ("server", "smart_host", "login")
    else:
        account = require_account(policy, address)
        old, path = account.login, ("accounts", account.key, "smart_host_login")
    if old is not None:
        plan.change(Drop(path), address, "smart_host_login" if address else ".".join(path), old, None)
        if address is None:
            plan.touched = set()
    return plan
