"""Notes on an edit: services that stay closed in spite of it, and services that are open by inheritance.

The gates are those of the policy after the edit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from mailpolicy.errors import Advice, Command
from mailpolicy.policy.account import Account
from mailpolicy.policy.model import Gate, Layer, Policy
from mailpolicy.policy.names import counted
from mailpolicy.policy.service import Service

MAX_NAMED = 20  # how many accounts a sentence names before it only counts

Note = str | Advice


def still_closed(service: Service, closed: Iterable[tuple[Account, tuple[Gate, ...]]]) -> list[Note]:
    """Return a note for each gate that keeps a service closed for accounts that were just given it."""
    by_gate: dict[tuple[Gate, Command], list[str]] = {}
    switches = {Gate.SERVICE_OFF: service.switch, Gate.CONNECTOR_NEEDS_IMAP: Service.IMAP.switch}
    for account, gates in closed:
        for gate in gates:
            option = account.until_option(switches[gate]) if gate in switches else ()
            by_gate.setdefault((gate, option), []).append(account.address)
    notes: list[Note] = []
    label = service.label
    for (gate, option), whom in sorted(by_gate.items(), key=lambda item: list(Gate).index(item[0][0])):
        named = names_or_count(whom)
        match gate:
            case Gate.ACCOUNT_SUSPENDED:
                text = f"{label} stays unavailable while suspended: {named}"
                notes.append(with_command(text, ("account", "resume"), whom))
            case Gate.ACCOUNT_EXPIRED:
                text = f"{label} stays unavailable, because the account has expired: {named}"
                notes.append(with_command(text, ("account", "expire", "--never"), whom))
            case Gate.SERVICE_OFF:
                notes.append(with_command(f"{label} is still off for {named}", (service.value, "on"), whom, option))
            case Gate.CONNECTOR_NEEDS_IMAP:
                text = f"{label} needs IMAP, which is off for {named}"
                notes.append(with_command(text, ("imap", "on"), whom, option))
            case Gate.IMAP_NEEDS_PRO | Gate.CONNECTOR_NOT_INSTALLED | Gate.MULTIPOP_OFF_ON_SERVER:
                notes.append(server_gate(service, gate))
            case Gate.UNKNOWN_ACCOUNT | Gate.OUTSIDE_LAN:
                raise AssertionError(f"{gate} is no gate that stays closed for an account of the store")
            case _:
                assert_never(gate)
    return notes


def server_gate(service: Service, gate: Gate) -> Advice:
    """Return the note on a gate that only a setting of the server opens."""
    from mailpolicy.policy.verdict import SERVER_GATES  # 1 ms, only for a service that stays closed

    setting = SERVER_GATES[gate]
    return Advice(f"warning: {service.label} stays unavailable: it {setting.closed}", setting.fix)


def server_gates(policy: Policy, service: Service) -> list[Note]:
    """Return a note for each gate that keeps a service closed whatever accounts, templates and defaults say."""
    from mailpolicy.policy.verdict import SERVER_GATES  # as above

    nobody = policy._replace(accounts={"": Account("", "", {})})
    return [server_gate(service, gate) for gate in nobody.gates("", service) if gate in SERVER_GATES]


def with_command(text: str, command: Command, addresses: list[str], option: Command = ()) -> Note:
    """Return a note with the command for these addresses, or without it if there are many."""
    return Advice(text, ("mailpolicy", *command, *addresses, *option)) if len(addresses) <= MAX_NAMED else text


def inherited(policy: Policy, account: Account, settings: Iterable[str]) -> list[str]:
    """Return the services an account can use without having a setting for them, as in `IMAP on, from anywhere (defaults)`."""
    after = policy._replace(accounts={account.address: account})
    found = []
    for service in policy.services:
        if service.switch in settings or after.gates(account.address, service):
            continue
        layer = after.setting(account, service.switch).layer
        where = f"template {account.template}" if layer is Layer.TEMPLATE else str(layer)
        found.append(f"{service.label} {service_state(after, account, service)} ({where})")
    return found


def service_state(policy: Policy, account: Account, service: Service) -> str:
    """Return the state of a service of an account, such as `on, from the LAN only`."""
    on = policy.setting(account, service.switch).value
    return state_text(service, on, service.lan_switch is not None and policy.setting(account, service.lan_switch).value)


def state_text(service: Service, on: bool | None, lan_only: bool | None) -> str:
    """Return a switch and its LAN switch in words; None is a switch that the layer does not set."""
    if service.own_lan_switch is None:
        return "not set" if on is None else "on" if on else "off"
    access = {True: "from the LAN only", False: "from anywhere", None: ""}[lan_only]
    if on is None:
        return access or "not set"
    if on:
        return f"on, {access}" if access else "on"
    return "off (LAN only when switched on)" if lan_only else "off"


def names_or_count(addresses: Iterable[str]) -> str:
    """Return the addresses, or their number if there are more than 20."""
    listed = list(addresses)
    return ", ".join(listed) if len(listed) <= MAX_NAMED else counted(len(listed), "account")
