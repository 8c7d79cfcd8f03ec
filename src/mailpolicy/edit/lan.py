"""Add networks to the LAN, remove them, and reset it."""

from __future__ import annotations

from mailpolicy.edit import entries
from mailpolicy.edit.entries import EntryList
from mailpolicy.edit.operations import PutList
from mailpolicy.edit.plan import Plan, Result
from mailpolicy.policy.lan import RESERVED, is_reserved
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted, joined


def add(policy: Policy, texts: tuple[str, ...]) -> Plan:
    """Plan the addition of networks to the LAN. A network that the LAN or another argument already contains is not added."""
    plan = Plan()
    for entry in entries.add(plan, _lan(policy), texts):
        if not is_reserved(entry.networks):
            plan.notes.append(f"warning: {entry.text} is not entirely within the ranges reserved for local use")
    plan.notes.append(_lan_only_count(policy))
    return plan


def remove(policy: Policy, texts: tuple[str, ...]) -> Plan:
    """Plan the removal of networks from the LAN, with a warning if other entries still contain addresses of them."""
    plan = Plan()
    entries.remove(plan, _lan(policy), texts)
    plan.notes.append(_lan_only_count(policy))
    return plan


def reset(policy: Policy) -> Plan:
    """Plan a LAN of exactly the reserved ranges."""
    plan = Plan()
    changed = tuple(entry.text for entry in policy.server.lan_entries) != RESERVED
    if changed:
        listed = _lan(policy)
        listed.change(plan, PutList(listed.path, RESERVED), RESERVED)
    plan.results.append(Result("lan", "reset", ", ".join(RESERVED), changed))
    plan.notes.append(_lan_only_count(policy))
    return plan


def _lan(policy: Policy) -> EntryList:
    server = policy.server
    return EntryList(("server", "lan"), "lan", "the LAN", server.lan_entries if "lan" in server.written else None)


def _lan_only_count(policy: Policy) -> str:
    restrictable = [service for service in policy.services if service.own_lan_switch is not None]
    lan_only = sum(
        any(
            policy.setting(account, service.switch).value
            and policy.setting(account, service.own_lan_switch or "").value
            for service in restrictable
        )
        for account in policy.accounts.values()
    )
    services = joined([service.label for service in restrictable], "or")
    return f"{counted(lan_only, 'account')} {'is' if lan_only == 1 else 'are'} restricted to the LAN for {services}"
