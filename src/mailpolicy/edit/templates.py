"""Adding, removing, renaming and assigning templates.

Promises: a template in use is never removed; a rename reaches every account that uses it.
"""

from __future__ import annotations

from mailpolicy.edit.operations import Add, Drop, Put, Rename
from mailpolicy.edit.plan import Line, Plan
from mailpolicy.edit.remarks import named
from mailpolicy.edit.selection import Targets, chosen
from mailpolicy.errors import Refused
from mailpolicy.policy.lookup import require_template
from mailpolicy.policy.model import Policy


def add(policy: Policy, name: str) -> Plan:
    """A new template without a switch."""
    plan = Plan()
    there = name in policy.templates
    if not there:
        plan.change(Add(("templates", name), {}), None, f"templates.{name}", None, {})
    plan.lines.append(Line(f"template {name}", "template", "there already" if there else "added", not there))
    return plan


def remove(policy: Policy, name: str, *, if_exists: bool) -> Plan:
    """A template out of the store. Raises NotFound and Refused."""
    plan = Plan()
    if if_exists and name not in policy.templates:
        plan.lines.append(Line(f"template {name}", "template", "not there", False))
        return plan
    require_template(policy, name, offer=False)
    users = [account.address for account in policy.accounts.values() if account.template == name]
    if users:
        raise Refused(
            f"the template {name} is in use by {named(users)}",
            code="in-use",
            fix=("mailpolicy", "template", "unassign", "--with-template", name),
        )
    plan.change(Drop(("templates", name)), None, f"templates.{name}", dict(policy.templates[name]), None)
    plan.lines.append(Line(f"template {name}", "template", "removed", True))
    return plan


def rename(policy: Policy, old: str, new: str) -> Plan:
    """Another name for a template, in all accounts that use it. Raises NotFound and Refused."""
    require_template(policy, old, offer=False)
    plan = Plan()
    if old == new:
        plan.lines.append(Line(f"template {new}", "template", "called so already", False))
        return plan
    if new in policy.templates:
        raise Refused(f"the template {new} exists already, {old} keeps its name", code="exists")
    plan.change(Rename(("templates", old), new), None, f"templates.{old}", old, new)
    plan.lines.append(Line(f"template {new}", "template", f"renamed from {old}", True))
    for account in policy.accounts.values():
        if account.template == old:
            plan.change(Put(("accounts", account.key, "template"), new), account.address, "template", old, new)
    return plan


def assign(policy: Policy, name: str | None, targets: Targets) -> Plan:
    """Give accounts a template, or with None take it away. Raises NotFound."""
    if name is not None:
        require_template(policy, name)
    plan = Plan()
    for account in chosen(policy, targets, plan):
        changed = account.template != name
        if changed:
            path = ("accounts", account.key, "template")
            plan.change(
                Drop(path) if name is None else Put(path, name), account.address, "template", account.template, name
            )
        plan.lines.append(Line(account.address, "template", name or "none", changed))
    return plan
