"""Which accounts, or which layer, a command is about.

Promises: all unknown addresses are named at once and nothing is changed; a domain is itself and not its subdomains.
"""

from __future__ import annotations

from typing import NamedTuple

from mailpolicy.edit.plan import Plan
from mailpolicy.errors import NotFound
from mailpolicy.policy.lookup import no_account, require_template
from mailpolicy.policy.model import Account, Layer, Policy


class Targets(NamedTuple):
    """Normalised addresses, or all accounts that a domain or a template selects, or a layer; exactly one of them."""

    addresses: tuple[str, ...] = ()
    domain: str | None = None
    with_template: str | None = None
    everyone: bool = False
    in_template: str | None = None
    in_defaults: bool = False
    skip_unknown: bool = False

    @property
    def layer(self) -> Layer | None:
        """The layer that is meant, None where accounts are."""
        if self.in_template is not None:
            return Layer.TEMPLATE
        return Layer.DEFAULTS if self.in_defaults else None


def chosen(policy: Policy, targets: Targets, plan: Plan, *, offer: bool = True) -> list[Account]:
    """The accounts that are meant. Raises NotFound, with an offer to add a missing one where that makes sense."""
    accounts = policy.accounts.values()
    if targets.everyone:
        found = list(accounts)
        if not found:
            plan.notes.append("there is no account in the store")
        return found
    if targets.domain is not None:
        found = [account for account in accounts if account.domain == targets.domain]
        if not found:
            raise NotFound(f"no account has the domain {targets.domain}")
        return found
    if targets.with_template is not None:
        require_template(policy, targets.with_template, offer=False)
        found = [account for account in accounts if account.template == targets.with_template]
        if not found:
            plan.notes.append(f"no account uses the template {targets.with_template}")
        return found
    unknown = [address for address in targets.addresses if address not in policy.accounts]
    if unknown and targets.skip_unknown:
        plan.notes.append(f"skipped, no such account: {', '.join(unknown)}")
    elif unknown:
        raise no_account(policy, unknown, offer=offer)
    return [policy.accounts[address] for address in targets.addresses if address in policy.accounts]
