"""A template or the defaults as the target of an edit: its table, and the accounts that it reaches."""

from __future__ import annotations

from typing import NamedTuple

from mailpolicy.edit.operations import Path
from mailpolicy.edit.selection import Selection
from mailpolicy.policy.account import Account, Settings
from mailpolicy.policy.lookup import require_template
from mailpolicy.policy.model import Layer, Policy
from mailpolicy.policy.names import counted


class LayerTarget(NamedTuple):
    """A template or the defaults: its path, its name in results, its keys, and the accounts below it."""

    path: Path
    subject: str
    table: Settings
    users: list[Account]
    above: tuple[Layer, ...]  # the layers whose keys come before those of this one

    def keeping(self, policy: Policy, key: str) -> list[Account]:
        """Return the accounts that this layer does not reach, as they have the key themselves or by template."""
        return [account for account in self.users if policy.resolved(account.without_exception(), key)[1] in self.above]

    def reach(self, keeping: list[Account]) -> str:
        """Return how many accounts the layer reaches, in words."""
        keep = "keeps its" if len(keeping) == 1 else "keep their"
        reached = counted(len(self.users) - len(keeping), "account")
        return f"applies to {reached}; {len(keeping)} {keep} own setting"

    def replaced(self, policy: Policy, table: Settings) -> Policy:
        """Return the policy with other keys in this layer."""
        if self.path[0] == "templates":
            return policy._replace(templates={**policy.templates, self.path[1]: table})
        return policy._replace(defaults=table)


def selected_layer(policy: Policy, selection: Selection) -> LayerTarget:
    """Return the layer that a selection names. Raises NotFound."""
    accounts = policy.accounts.values()
    if (name := selection.in_template) is None:
        path, above = ("defaults",), (Layer.ACCOUNT, Layer.TEMPLATE)
        return LayerTarget(path, "defaults", policy.defaults, list(accounts), above)
    require_template(policy, name)
    users = [account for account in accounts if account.template == name]
    return LayerTarget(("templates", name), f"template {name}", policy.templates[name], users, (Layer.ACCOUNT,))
