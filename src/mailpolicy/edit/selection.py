"""Select the accounts, or the layer, that a command is about.

A domain does not include its subdomains.
"""

from __future__ import annotations

from typing import NamedTuple

from mailpolicy.edit.plan import Plan
from mailpolicy.policy.account import Account
from mailpolicy.policy.lookup import no_account, no_domain, require_template
from mailpolicy.policy.model import Layer, Policy


class Selection(NamedTuple):
    """Normalised addresses, or all accounts of a domain or template, or all, or a layer; exactly one of them is set."""

    addresses: tuple[str, ...] = ()
    domain: str | None = None
    with_template: str | None = None
    everyone: bool = False
    in_template: str | None = None
    in_defaults: bool = False
    skip_unknown: bool = False

    @property
    def layer(self) -> Layer | None:
        """Return the selected layer, or None if accounts are selected."""
        if self.in_template is not None:
            return Layer.TEMPLATE
        return Layer.DEFAULTS if self.in_defaults else None


def selected_accounts(policy: Policy, selection: Selection, plan: Plan, *, offer: bool = True) -> list[Account]:
    """Return the selected accounts. Raises NotFound with all unknown addresses; with `offer`, its fix adds the account."""
    accounts = policy.accounts.values()
    if selection.everyone:
        found = list(accounts)
        if not found:
            plan.notes.append("the store has no accounts")
        return found
    if selection.domain is not None:
        found = [account for account in accounts if account.domain == selection.domain]
        if not found:
            raise no_domain(selection.domain)
        return found
    if selection.with_template is not None:
        require_template(policy, selection.with_template, offer=False)
        found = [account for account in accounts if account.template == selection.with_template]
        if not found:
            plan.notes.append(f"no account uses the template {selection.with_template}")
        return found
    unknown = [address for address in selection.addresses if address not in policy.accounts]
    if unknown and selection.skip_unknown:
        plan.notes.append(f"skipped (no such account): {', '.join(unknown)}")
    elif unknown:
        raise no_account(policy, unknown, offer=offer)
    return [policy.accounts[address] for address in selection.addresses if address in policy.accounts]
