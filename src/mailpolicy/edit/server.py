"""Changing what holds for the whole server: its keys, the LAN, and the logins at the smart host.

Promises: networks are compared as networks, not as texts; taking out one that a wider entry still covers is refused.
"""

from __future__ import annotations

from mailpolicy.edit.operations import Amend, Drop, Path, Put, PutList, Scalar
from mailpolicy.edit.plan import Line, Plan
from mailpolicy.edit.remarks import counted
from mailpolicy.edit.targets import no_account
from mailpolicy.errors import Refused
from mailpolicy.lan import RESERVED, is_reserved, lan_entry
from mailpolicy.networks import Network, network_set
from mailpolicy.policy import LanEntry, Policy
from mailpolicy.service import Service


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
    """Networks into the LAN; one that is in it already is `ok`."""
    plan = Plan()
    entries = list(policy.server.lan_entries)
    fresh: list[str] = []
    for text in texts:
        networks = lan_entry(text)
        same, wider = _find(entries, networks)
        if same is None and wider is None:
            fresh.append(text)
            entries.append(LanEntry(text, networks))
            plan.lines.append(Line("lan", text, "in the LAN", True))
            if not is_reserved(networks):
                plan.notes.append(f"warning: {text} is not wholly inside the ranges reserved for local use")
        else:
            covering = f"in the LAN, inside {wider.text}" if same is None and wider is not None else "in the LAN"
            plan.lines.append(Line("lan", text, covering, False))
    if fresh:
        _list_change(plan, policy, Amend(("server", "lan"), (), tuple(fresh)), [entry.text for entry in entries])
    plan.notes.append(_confined(policy))
    return plan


def lan_remove(policy: Policy, texts: tuple[str, ...]) -> Plan:
    """Networks out of the LAN. Raises Refused where a wider entry still covers one."""
    plan = Plan()
    entries = list(policy.server.lan_entries)
    gone: list[int] = []
    for text in texts:
        networks = lan_entry(text)
        left = [(index, entry) for index, entry in enumerate(entries) if index not in gone]
        same = [index for index, entry in left if network_set(entry.networks) == network_set(networks)]
        _, wider = _find([entry for index, entry in left if index not in same], networks)
        if wider is not None:
            raise Refused(f"{text} would stay in the LAN: the wider entry {wider.text} still covers it", code="covered")
        rest = network_set(network for index, entry in left if index not in same for network in entry.networks)
        inside = [
            entry.text
            for index, entry in left
            if index not in same and network_set(entry.networks) <= network_set(networks)
        ]
        if network_set(networks) <= rest:
            raise Refused(f"{text} would stay in the LAN: {', '.join(inside)} together still cover it", code="covered")
        gone += same
        plan.lines.append(Line("lan", text, "partly in the LAN" if inside else "not in the LAN", bool(same)))
        if inside:
            plan.notes.append(f"still in the LAN, inside {text}: {', '.join(inside)}")
    if gone:
        kept = [entry.text for index, entry in enumerate(entries) if index not in gone]
        _list_change(plan, policy, Amend(("server", "lan"), tuple(gone), ()), kept)
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
    same = next((entry for entry in entries if network_set(entry.networks) == wanted), None)
    wider = next((entry for entry in entries if entry is not same and wanted <= network_set(entry.networks)), None)
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
    return f"{counted(confined)} {'is' if confined == 1 else 'are'} confined to the LAN for POP or IMAP"


def set_login(policy: Policy, address: str | None, login: str | None) -> Plan:
    """The login of an account, or with None for `address` the server's; with None for `login` it stays as it is."""
    plan = Plan()
    if address is None:
        old, path = policy.server.smart_host_login, ("server", "smart_host", "login")
    else:
        account = policy.accounts.get(address)
        if account is None:
            raise no_account(policy, [address])
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
        account = policy.accounts.get(address)
        if account is None:
            raise no_account(policy, [address])
        old, path = account.login, ("accounts", account.key, "smart_host_login")
    if old is not None:
        plan.change(Drop(path), address, "smart_host_login" if address else ".".join(path), old, None)
        if address is None:
            plan.touched = set()
    return plan
