"""Add, remove, rename and assign templates. A template that is in use cannot be removed."""

from __future__ import annotations

from mailpolicy.edit.operations import Add, Drop, Put, Rename
from mailpolicy.edit.plan import Plan, Result
from mailpolicy.edit.remarks import names_or_count
from mailpolicy.edit.selection import Selection, selected_accounts
from mailpolicy.errors import Refused
from mailpolicy.policy.lookup import require_template
from mailpolicy.policy.model import Policy


def add(policy: Policy, name: str) -> Plan:
    """Plan a new, empty template."""
    plan = Plan()
    exists = name in policy.templates
    if not exists:
        plan.change(Add(("templates", name), {}), None, f"templates.{name}", None, {})
    plan.results.append(Result(f"template {name}", "template", "already exists" if exists else "added", not exists))
    return plan


def remove(policy: Policy, name: str, *, if_exists: bool) -> Plan:
    """Plan the removal of a template. Raises NotFound and Refused."""
    plan = Plan()
    if if_exists and name not in policy.templates:
        plan.results.append(Result(f"template {name}", "template", "does not exist", False))
        return plan
    require_template(policy, name, offer=False)
    users = [account.address for account in policy.accounts.values() if account.template == name]
    if users:
        raise Refused(
            f"the template {name} is in use by {names_or_count(users)}",
            code="in-use",
            fix=("mailpolicy", "template", "unassign", "--with-template", name),
        )
    plan.change(Drop(("templates", name)), None, f"templates.{name}", dict(policy.templates[name]), None)
    plan.results.append(Result(f"template {name}", "template", "removed", True))
    return plan


def rename(policy: Policy, old: str, new: str) -> Plan:
    """Plan another name for a template, in all accounts that use it too. Raises NotFound and Refused."""
    require_template(policy, old, offer=False)
    plan = Plan()
    if old == new:
        plan.results.append(Result(f"template {new}", "template", "already has this name", False))
        return plan
    if new in policy.templates:
        raise Refused(f"the template {new} already exists; {old} was not renamed", code="exists")
    plan.change(Rename(("templates", old), new), None, f"templates.{old}", old, new)
    plan.results.append(Result(f"template {new}", "template", f"renamed from {old}", True))
    for account in policy.accounts.values():
        if account.template == old:
            plan.change(Put(("accounts", account.key, "template"), new), account.address, "template", old, new)
    return plan


def assign(policy: Policy, name: str | None, selection: Selection) -> Plan:
    """Plan another template for accounts, or none if `name` is None. Raises NotFound."""
    if name is not None:
        require_template(policy, name)
    plan = Plan()
    for account in selected_accounts(policy, selection, plan):
        path = ("accounts", account.key, "template")
        changed = plan.set(path, account.address, "template", account.template, name)
        plan.results.append(Result(account.address, "template", name or "none", changed))
    return plan
