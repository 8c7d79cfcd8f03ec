"""Switch a service on or off, and between LAN only and anywhere, for accounts or for a layer.

`on` and `off` write the service's own key, `lan-only` and `anywhere` the LAN key; neither touches the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.edit import exceptions, remarks
from mailpolicy.edit.layers import selected_layer
from mailpolicy.edit.plan import Plan, Result
from mailpolicy.edit.remarks import names_or_count
from mailpolicy.edit.selection import Selection, selected_accounts
from mailpolicy.errors import Advice, Refused
from mailpolicy.policy.account import Account
from mailpolicy.policy.model import Gate, Policy
from mailpolicy.policy.service import Service, closes

if TYPE_CHECKING:
    from mailpolicy.policy.dates import End


class Verb(StrEnum):
    """The commands for a service."""

    ON = "on"
    OFF = "off"
    LAN_ONLY = "lan-only"
    ANYWHERE = "anywhere"
    INHERIT = "inherit"


def switch(
    policy: Policy,
    service: Service,
    verb: Verb,
    selection: Selection,
    restriction: Verb | None = None,
    until: End | None = None,
) -> Plan:
    """Plan one verb; with `restriction`, `lan-only` or `anywhere` is written in the same step as `on`.

    With `until` the keys are written into the exceptions of the accounts. Raises NotFound and Refused.
    """
    wanted = _wanted_keys(service, verb, restriction)
    plan = Plan()
    # In a layer Outlook Connector without IMAP is only a warning: an account that uses the layer may still set IMAP.
    if selection.layer is not None:
        return _switch_layer(policy, service, wanted, selection, plan)
    if verb is not Verb.INHERIT:  # to remove a key that has no effect does no harm
        require_governed(policy, service)
    accounts = selected_accounts(policy, selection, plan)
    if wanted.get(Service.CONNECTOR.switch):
        refuse_connector(policy, accounts)
    if service is Service.IMAP and verb is Verb.OFF:
        note_connector_stops(policy, accounts, plan)
    if until is not None:
        exceptions.refuse_second(policy, accounts, _values(wanted), until)
    # An exception must not keep a door open that is closed here.
    closing = {key for key, value in wanted.items() if closes(key, value)}
    pinned = []
    taken: list[Account] = []
    left: list[Account] = []
    effects: dict[tuple[object, ...], _Effect] = {}  # by shape: accounts of one shape resolve alike
    closed: list[tuple[Account, tuple[Gate, ...]]] = []
    for account in accounts:
        shape = account.shape
        if (effect := effects.get(shape)) is None:
            effect = effects[shape] = _effect(policy, account, service, wanted, until)
        if effect.pins:
            pinned.append(account.address)
        if effect.gates:
            closed.append((account._replace(own=effect.after.own, in_force=effect.after.in_force), effect.gates))
        if until is not None:
            changed = exceptions.write(policy, plan, account, _values(wanted), until)
        else:
            changed = False
            for key, value in wanted.items():
                old = account.own.get(key)
                changed = plan.set(("accounts", account.key, key), account.address, key, old, value) or changed
            if account.in_force:
                if account.in_force.keys() & (wanted.keys() - closing):
                    left.append(account)
                if exceptions.narrow(plan, account, dict.fromkeys(closing)):
                    taken.append(account)
                    changed = True
        plan.results.append(Result(account.address, str(service), effect.state, changed))
    if pinned:
        has = "has its" if len(pinned) == 1 else "have their"
        text = (
            f"{names_or_count(pinned)} now {has} own setting, with the value inherited until now; to inherit it again"
        )
        plan.notes.append(remarks.with_command(text, (service.value, "inherit"), pinned))
    plan.notes += exceptions.notes(taken, left, sorted(closing))
    if verb not in (Verb.OFF, Verb.INHERIT):
        plan.notes += remarks.still_closed(service, closed)
    return plan


def require_governed(policy: Policy, service: Service) -> None:
    """Raise Refused for a service that the store does not decide about: a setting of an account would have no effect."""
    if not policy.governs(service):
        raise Refused(
            f"{service} is not governed by the store, so a setting of an account would have no effect",
            code="not-governed",
            fix=("mailpolicy", "server", "govern", str(service)),
        )


class _Effect(NamedTuple):
    """The effect of a command on accounts with the same keys."""

    pins: bool  # a key gets the value that it inherited before
    state: str
    after: Account  # as one of them is afterwards
    gates: tuple[Gate, ...]  # still closed afterwards


def _effect(
    policy: Policy, account: Account, service: Service, wanted: Mapping[str, bool | None], until: End | None
) -> _Effect:
    permanent = account.without_exception()
    pins = until is None and any(
        value is not None and account.own.get(key) is None and policy.setting(permanent, key).value is value
        for key, value in wanted.items()
    )
    if until is not None:
        new = exceptions.with_keys(policy, account, _values(wanted))
        state = f"{remarks.service_state(policy, new, service)}, until {until}"
    else:
        own = {key: value for key, value in account.own.items() if key not in wanted}
        new = account._replace(own=own | _values(wanted))
        state = remarks.service_state(policy, new.without_exception(), service)
    gates = policy._replace(accounts={new.address: new}).gates(new.address, service)
    return _Effect(pins, state, new, gates)


def _values(wanted: Mapping[str, bool | None]) -> dict[str, bool]:
    return {key: value for key, value in wanted.items() if value is not None}


def refuse_connector(policy: Policy, accounts: Iterable[Account], *, new: bool = False) -> None:
    """Raise Refused if Outlook Connector cannot be switched on: it is not installed, or an account has no IMAP.

    Accounts that are `new` are not in the store yet, so the fix is the command that adds them.
    """
    closed = {account.address: policy.gates(account.address, Service.CONNECTOR) for account in accounts}
    if any(Gate.CONNECTOR_NOT_INSTALLED in gates for gates in closed.values()):
        raise Refused(
            "Outlook Connector is not installed on the server, so it cannot be switched on",
            code="connector-not-installed",
            fix=("mailpolicy", "server", "set", "outlook-connector-installed", "on"),
        )
    without = [address for address, gates in closed.items() if Gate.CONNECTOR_NEEDS_IMAP in gates]
    if without:
        # Exceptions that have other ends take a command each; the one for the first of them comes first.
        options = {address: policy.accounts[address].until_option(Service.IMAP.switch) for address in without}
        option = options[without[0]]
        helped = [address for address in without if options[address] == option]
        raise Refused(
            f"Outlook Connector needs IMAP, which is off for {', '.join(without)}",
            code="needs-imap",
            fix=("mailpolicy", "account", "add", *without, "--imap", "on", "--outlook-connector", "on")
            if new
            else ("mailpolicy", "imap", "on", *helped, *option),
        )


def _wanted_keys(service: Service, verb: Verb, restriction: Verb | None) -> dict[str, bool | None]:
    lan = service.own_lan_switch
    match verb:
        case Verb.INHERIT:
            return {service.switch: None, **({lan: None} if lan else {})}
        case Verb.LAN_ONLY | Verb.ANYWHERE:
            assert lan is not None, "the command line offers these only if there is such a key"
            return {lan: verb is Verb.LAN_ONLY}
        case Verb.ON | Verb.OFF:
            wanted: dict[str, bool | None] = {service.switch: verb is Verb.ON}
            if restriction is not None and lan is not None:
                wanted[lan] = restriction is Verb.LAN_ONLY
            return wanted


def _switch_layer(
    policy: Policy, service: Service, wanted: Mapping[str, bool | None], selection: Selection, plan: Plan
) -> Plan:
    layer = selected_layer(policy, selection)
    new = {**layer.table, **wanted}
    changed = False
    for key, value in wanted.items():
        path = (*layer.path, key)
        changed = plan.set(path, None, ".".join(path), layer.table.get(key), value) or changed
    kept = {key: value for key, value in new.items() if value is not None}
    after, users = layer.replaced(policy, kept), layer.users
    # The first key is the one the command is about: accounts that set it, themselves or by template, are not reached.
    keeping = layer.keeping(policy, next(iter(wanted)))
    lan = service.lan_switch
    switches = {key: value for key, value in kept.items() if isinstance(value, bool)}
    said = remarks.state_text(service, switches.get(service.switch), switches.get(lan) if lan is not None else None)
    plan.results.append(Result(layer.subject, str(service), said, changed))
    if wanted.get(service.switch) and service is not Service.CONNECTOR:
        plan.notes += remarks.server_gates(after, service)
    if wanted.get(Service.CONNECTOR.switch):
        without = [
            account.address
            for account in users
            if after.setting(account, Service.CONNECTOR.switch).value
            and not after.setting(account, Service.IMAP.switch).value
        ]
        if without:
            plan.notes.append(f"warning: Outlook Connector needs IMAP, which is off for {names_or_count(without)}")
        if not policy.server.outlook_connector_installed:
            plan.notes.append("warning: Outlook Connector is not installed on the server")
    if wanted.get(Service.IMAP.switch) is False:
        note_connector_stops(policy, [account for account in users if account not in keeping], plan)
    if not policy.governs(service):
        govern = ("mailpolicy", "server", "govern", str(service))
        plan.notes.append(Advice(f"note: {service} is not governed yet, so this has no effect until it is", govern))
    plan.notes.append(layer.reach(keeping))
    return plan


def note_connector_stops(policy: Policy, accounts: Iterable[Account], plan: Plan) -> None:
    """Note the accounts for which switching IMAP off stops Outlook Connector too."""
    stopped = [
        account.address
        for account in accounts
        if policy.setting(account, Service.CONNECTOR.switch).value
        and policy.setting(account, Service.IMAP.switch).value
    ]
    if stopped:
        plan.notes.append(f"this also stops Outlook Connector, which needs IMAP, for {names_or_count(stopped)}")
