"""What is worth saying about an edit besides what it did: what stays closed all the same, and what is open by inheritance.

Promises: the gates are asked of the policy as it is afterwards. Not promised: more than one sentence for each gate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from mailpolicy.errors import Advice, Command
from mailpolicy.policy.model import Account, Gate, Layer, Policy
from mailpolicy.policy.names import counted
from mailpolicy.policy.service import Service
from mailpolicy.policy.verdict import ON_SERVER

_NAMED = 20  # how many accounts a sentence names before it only counts

Note = str | Advice


def still_closed(service: Service, closed: Iterable[tuple[str, tuple[Gate, ...]]]) -> list[Note]:
    """What keeps a service closed for addresses that were just given it, each with the gates that are closed for it."""
    by_gate: dict[Gate, list[str]] = {}
    for address, gates in closed:
        for gate in gates:
            by_gate.setdefault(gate, []).append(address)
    notes: list[Note] = []
    for gate in sorted(by_gate, key=list(Gate).index):
        whom = by_gate[gate]
        match gate:
            case Gate.ACCOUNT_SUSPENDED:
                notes.append(
                    about(f"{service.label} stays closed, suspended: {named(whom)}", ("account", "resume"), whom)
                )
            case Gate.SERVICE_OFF:
                notes.append(about(f"{service.label} is still off for {named(whom)}", (service.value, "on"), whom))
            case Gate.CONNECTOR_NEEDS_IMAP:
                notes.append(about(f"{service.label} needs IMAP, which is off for {named(whom)}", ("imap", "on"), whom))
            case Gate.IMAP_NEEDS_PRO | Gate.CONNECTOR_NOT_INSTALLED | Gate.MULTIPOP_OFF_ON_SERVER:
                notes.append(server_gate(service, gate))
            case Gate.UNKNOWN_ACCOUNT | Gate.OUTSIDE_LAN:
                raise AssertionError(f"{gate} is no gate that stays closed for an account of the store")
            case _:
                assert_never(gate)
    return notes


def server_gate(service: Service, gate: Gate) -> Advice:
    """What to say of a gate that only the server's settings open."""
    setting = ON_SERVER[gate]
    return Advice(f"warning: {service.label} stays closed: it {setting.closed}", setting.fix)


def server_gates(policy: Policy, service: Service) -> list[Note]:
    """What keeps a service closed whatever accounts, templates and defaults say."""
    nobody = policy._replace(accounts={"": Account("", "", {})})
    return [server_gate(service, gate) for gate in nobody.gates("", service) if gate in ON_SERVER]


def about(text: str, command: Command, addresses: list[str]) -> Note:
    """A sentence with the command for these addresses, as long as they are few."""
    return Advice(text, ("mailpolicy", *command, *addresses)) if len(addresses) <= _NAMED else text


def inherited(policy: Policy, account: Account, asked: Iterable[str]) -> list[str]:
    """What an account may use without having been given it, such as `IMAP on, from anywhere (defaults)`."""
    after = policy._replace(accounts={account.address: account})
    found = []
    for service in Service:
        if service.switch in asked or after.gates(account.address, service):
            continue
        layer = after.setting(account, service.switch).layer
        where = f"template {account.template}" if layer is Layer.TEMPLATE else str(layer)
        found.append(f"{service.label} {shown(after, account, service)} ({where})")
    return found


def shown(policy: Policy, account: Account, service: Service) -> str:
    """What holds for a service of an account, such as `on, from the LAN only`."""
    on = policy.setting(account, service.switch).value
    return reach_of(service, on, service.lan_switch is not None and policy.setting(account, service.lan_switch).value)


def reach_of(service: Service, on: bool | None, confined: bool | None) -> str:
    """A switch and its LAN switch in words; None where a layer does not set one."""
    if service.own_lan_switch is None:
        return "not set" if on is None else "on" if on else "off"
    reach = {True: "from the LAN only", False: "from anywhere", None: ""}[confined]
    if on is None:
        return reach or "not set"
    if on:
        return f"on, {reach}" if reach else "on"
    return "off (LAN only when switched on)" if confined else "off"


def named(addresses: Iterable[str]) -> str:
    """The addresses, or from 21 on their number."""
    listed = list(addresses)
    return ", ".join(listed) if len(listed) <= _NAMED else counted(len(listed), "account")
