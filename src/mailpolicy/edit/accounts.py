"""Adding, removing, renaming and suspending accounts.

Promises: an account that is there already and is as asked is `ok`; one that differs is refused, naming the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mailpolicy.diagnostics import dotted
from mailpolicy.edit import remarks
from mailpolicy.edit.operations import Add, Drop, Put, Rename, Scalar, shown_value
from mailpolicy.edit.plan import Line, Plan
from mailpolicy.edit.selection import Targets, chosen
from mailpolicy.edit.services import refuse_connector
from mailpolicy.errors import Refused
from mailpolicy.policy.bindings import Owner, passwords_to_set
from mailpolicy.policy.lookup import require_account, require_template
from mailpolicy.policy.model import Account, Policy
from mailpolicy.policy.service import Service

SUSPEND_NOTE = (
    "this stops POP, IMAP, MultiPOP and Outlook Connector; not stopped are sending (SMTP), open sessions, "
    "and webmail unless that logs in over IMAP"
)


def add(policy: Policy, addresses: Iterable[str], asked: Mapping[str, Scalar]) -> Plan:
    """New accounts, each with the keys `asked` for in its own table. Raises NotFound and Refused."""
    if isinstance(template := asked.get("template"), str):
        require_template(policy, template)
    plan = Plan()
    fresh = [address for address in dict.fromkeys(addresses) if address not in policy.accounts]
    if asked.get(Service.CONNECTOR.switch) is True:
        switches = {key: value for key, value in asked.items() if isinstance(value, bool)}
        named = template if isinstance(template, str) else None
        trial = {address: Account(address, address, switches, named) for address in fresh}
        refuse_connector(policy._replace(accounts=trial), trial.values(), new=True)
    differing = []
    for address in dict.fromkeys(addresses):
        existing = policy.accounts.get(address)
        if existing is None:
            table = dict(asked)
            plan.change(Add(("accounts", address), table), address, None, None, table)
            plan.lines.append(Line(address, "account", "added", True))
        else:
            differing += _difference(existing, asked)
            plan.lines.append(Line(address, "account", "there already, with these settings", False))
    if differing:
        raise Refused(f"exists already with different settings: {'; '.join(differing)}", code="exists")
    if fresh:
        plan.notes += _remarks(policy, fresh, asked)
    return plan


def _remarks(policy: Policy, fresh: list[str], asked: Mapping[str, Scalar]) -> Iterator[remarks.Note]:
    """What new accounts inherit, and what was asked for and stays closed; they are all alike."""
    template = asked.get("template")
    own = {key: value for key, value in asked.items() if isinstance(value, bool)}
    account = Account(fresh[0], fresh[0], own, template if isinstance(template, str) else None)
    if inherited := remarks.inherited(policy, account, asked):
        yield f"note: {remarks.named(fresh)} inherit{'s' * (len(fresh) == 1)} {'; '.join(inherited)}"
    after = policy._replace(accounts={account.address: account})
    for service in Service:
        if asked.get(service.switch) is True:
            gates = after.gates(account.address, service)
            yield from remarks.still_closed(service, ((address, gates) for address in fresh))
    if "smart_host_login" in asked:
        yield passwords_to_set([Owner(address) for address in fresh])


def _difference(account: Account, asked: Mapping[str, Scalar]) -> list[str]:
    """The keys of the account's own table that are not as asked, each with what it is."""
    there: dict[str, Scalar | None] = {**account.own, "template": account.template, "smart_host_login": account.login}
    return [
        f"{dotted(('accounts', account.key, key))} is {shown_value(there.get(key))}"
        for key, value in asked.items()
        if there.get(key) != value
    ]


def remove(policy: Policy, targets: Targets, *, if_exists: bool) -> Plan:
    """Accounts out of the store, with the comments that belong to them. Raises NotFound."""
    plan = Plan()
    absent = [address for address in targets.addresses if address not in policy.accounts] if if_exists else []
    missing = set(absent)
    there = targets._replace(addresses=tuple(address for address in targets.addresses if address not in missing))
    plan.lines += (Line(address, "account", "not there", False) for address in absent)
    for account in chosen(policy, there, plan, offer=False):
        plan.change(Drop(("accounts", account.key)), account.address, None, _table(account), None)
        plan.lines.append(Line(account.address, "account", "removed", True))
    return plan


def _table(account: Account) -> dict[str, Scalar]:
    table: dict[str, Scalar] = dict(account.own)
    if account.template is not None:
        table["template"] = account.template
    if account.suspended:
        table["suspended"] = True
    if account.login is not None:
        table["smart_host_login"] = account.login
    return table


def rename(policy: Policy, old: str, new: str) -> Plan:
    """Another address for an account. Raises NotFound and Refused."""
    account = require_account(policy, old, offer=False)
    plan = Plan()
    if old == new:
        plan.lines.append(Line(new, "account", "called so already", False))
        return plan
    if new in policy.accounts:
        raise Refused(f"{new} exists already, {old} keeps its address", code="exists")
    plan.change(Rename(("accounts", account.key), new), old, "address", old, new)
    assert plan.touched is not None
    plan.touched.add(new)
    plan.lines.append(Line(new, "account", f"renamed from {old}", True))
    return plan


def suspend(policy: Policy, targets: Targets) -> Plan:
    """Close the four services of accounts. Raises NotFound."""
    plan = Plan()
    for account in chosen(policy, targets, plan):
        if not account.suspended:
            plan.change(Put(("accounts", account.key, "suspended"), True), account.address, "suspended", None, True)
        plan.lines.append(Line(account.address, "account", "suspended", not account.suspended))
    plan.notes.append(SUSPEND_NOTE)
    return plan


def resume(policy: Policy, targets: Targets) -> Plan:
    """Take the suspension of accounts away; the key goes. Raises NotFound."""
    plan = Plan()
    for account in chosen(policy, targets, plan):
        if account.suspended:
            plan.change(Drop(("accounts", account.key, "suspended")), account.address, "suspended", True, None)
        plan.lines.append(Line(account.address, "account", "not suspended", account.suspended))
    return plan
