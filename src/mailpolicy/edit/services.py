"""Switching a service on or off, and between the LAN and anywhere, for accounts or for a layer.

Promises: `on` and `off` write the service's own key and `lan-only` and `anywhere` the LAN one, neither touches the
other; a refusal names every account it is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from mailpolicy.edit import remarks
from mailpolicy.edit.operations import Drop, Path, Put
from mailpolicy.edit.plan import Line, Plan
from mailpolicy.edit.remarks import named
from mailpolicy.edit.selection import Targets, chosen
from mailpolicy.errors import Refused
from mailpolicy.policy.lookup import require_template
from mailpolicy.policy.model import Account, Gate, Layer, Policy
from mailpolicy.policy.names import counted
from mailpolicy.policy.service import Service


class Verb(StrEnum):
    """What to do with a service."""

    ON = "on"
    OFF = "off"
    LAN_ONLY = "lan-only"
    ANYWHERE = "anywhere"
    INHERIT = "inherit"


def switch(policy: Policy, service: Service, verb: Verb, targets: Targets, reach: Verb | None = None) -> Plan:
    """The plan for one verb; `reach` is `lan-only` or `anywhere` written in the same step as `on`.

    Raises NotFound and Refused.
    """
    wanted = _wanted(service, verb, reach)
    plan = Plan()
    if targets.layer is not None:
        return _switch_layer(policy, service, wanted, targets, plan)
    accounts = chosen(policy, targets, plan)
    if wanted.get(Service.CONNECTOR.switch):
        refuse_connector(policy, accounts)
    if service is Service.IMAP and verb is Verb.OFF:
        _name_stopped(policy, accounts, plan)
    pinned = []
    group: dict[tuple[object, ...], _Outcome] = {}  # by shape
    closed: list[tuple[str, tuple[Gate, ...]]] = []
    for account in accounts:
        shape = account.shape
        if (outcome := group.get(shape)) is None:
            outcome = group[shape] = _outcome(policy, account, service, wanted)
        if outcome.pins:
            pinned.append(account.address)
        closed.append((account.address, outcome.gates))
        changed = False
        for key, value in wanted.items():
            old = account.own.get(key)
            changed = _write(plan, ("accounts", account.key, key), account.address, key, old, value) or changed
        plan.lines.append(Line(account.address, str(service), outcome.result, changed))
    if pinned:
        has = "has its" if len(pinned) == 1 else "have their"
        text = f"{named(pinned)} now {has} own setting, with the value inherited until now; inherit goes back"
        plan.notes.append(remarks.about(text, (service.value, "inherit"), pinned))
    if verb not in (Verb.OFF, Verb.INHERIT):
        plan.notes += remarks.still_closed(service, closed)
    return plan


class _Outcome(NamedTuple):
    """Whether one of the keys that are wanted pins what was inherited, what holds with them, and what stays closed."""

    pins: bool
    result: str
    gates: tuple[Gate, ...]


def _outcome(policy: Policy, account: Account, service: Service, wanted: Mapping[str, bool | None]) -> _Outcome:
    pins = any(
        value is not None and account.own.get(key) is None and policy.setting(account, key).value is value
        for key, value in wanted.items()
    )
    own = {key: value for key, value in account.own.items() if key not in wanted}
    own |= {key: value for key, value in wanted.items() if value is not None}
    new = account._replace(own=own)
    gates = policy._replace(accounts={new.address: new}).gates(new.address, service)
    return _Outcome(pins, remarks.shown(policy, new, service), gates)


def refuse_connector(policy: Policy, accounts: Iterable[Account], *, new: bool = False) -> None:
    """Raise Refused if Outlook Connector cannot be switched on: it is not installed, or an account has no IMAP.

    Accounts that are `new` are not in the store yet, so the command that helps is the one that adds them.
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
        raise Refused(
            f"Outlook Connector rides on IMAP, which is off for {', '.join(without)}",
            code="needs-imap",
            fix=("mailpolicy", "account", "add", *without, "--imap", "on", "--outlook-connector", "on")
            if new
            else ("mailpolicy", "imap", "on", *without),
        )


def _wanted(service: Service, verb: Verb, reach: Verb | None) -> dict[str, bool | None]:
    lan = service.own_lan_switch
    match verb:
        case Verb.INHERIT:
            return {service.switch: None, **({lan: None} if lan else {})}
        case Verb.LAN_ONLY | Verb.ANYWHERE:
            assert lan is not None, "the command line offers these only if there is such a key"
            return {lan: verb is Verb.LAN_ONLY}
        case Verb.ON | Verb.OFF:
            wanted: dict[str, bool | None] = {service.switch: verb is Verb.ON}
            if reach is not None and lan is not None:
                wanted[lan] = reach is Verb.LAN_ONLY
            return wanted


def _write(plan: Plan, path: Path, address: str | None, key: str, old: bool | None, value: bool | None) -> bool:
    if old is value:
        return False
    plan.change(Drop(path) if value is None else Put(path, value), address, key, old, value)
    return True


def _switch_layer(
    policy: Policy, service: Service, wanted: Mapping[str, bool | None], targets: Targets, plan: Plan
) -> Plan:
    path: Path
    if targets.in_template is not None:
        require_template(policy, targets.in_template)
        path, subject = ("templates", targets.in_template), f"template {targets.in_template}"
        table = policy.templates[targets.in_template]
    else:
        path, subject, table = ("defaults",), "defaults", policy.defaults
    new = {**table, **wanted}
    changed = False
    for key, value in wanted.items():
        changed = _write(plan, (*path, key), None, ".".join((*path, key)), table.get(key), value) or changed
    kept = {key: value for key, value in new.items() if value is not None}
    if targets.in_template is not None:
        after = policy._replace(templates={**policy.templates, targets.in_template: kept})
        users = [account for account in policy.accounts.values() if account.template == targets.in_template]
        layers: tuple[Layer, ...] = (Layer.ACCOUNT,)
    else:
        after = policy._replace(defaults=kept)
        users = list(policy.accounts.values())
        layers = (Layer.ACCOUNT, Layer.TEMPLATE)
    key = next(iter(wanted))
    keeping = [account for account in users if policy.setting(account, key).layer in layers]
    lan = service.lan_switch
    said = remarks.reach_of(service, kept.get(service.switch), kept.get(lan) if lan is not None else None)
    plan.lines.append(Line(subject, str(service), said, changed))
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
            plan.notes.append(f"warning: Outlook Connector rides on IMAP, which is off for {named(without)}")
        if not policy.server.outlook_connector_installed:
            plan.notes.append("warning: Outlook Connector is not installed on the server")
    if wanted.get(Service.IMAP.switch) is False:
        _name_stopped(policy, [account for account in users if account not in keeping], plan)
    plan.notes.append(
        f"reaches {counted(len(users) - len(keeping), 'account')}; {len(keeping)} keep{'s its' if len(keeping) == 1 else ' their'} own setting"
    )
    return plan


def _name_stopped(policy: Policy, accounts: Iterable[Account], plan: Plan) -> None:
    stopped = [
        account.address
        for account in accounts
        if policy.setting(account, Service.CONNECTOR.switch).value
        and policy.setting(account, Service.IMAP.switch).value
    ]
    if stopped:
        plan.notes.append(f"this stops Outlook Connector, which rides on IMAP, for {named(stopped)}")
