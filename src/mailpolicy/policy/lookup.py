"""Look up accounts, templates and networks by name; report a missing one with the nearest name that exists."""

from __future__ import annotations

from collections.abc import Collection

from mailpolicy.errors import Command, NotFound
from mailpolicy.policy.account import Account
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import printable
from mailpolicy.policy.nearest import nearest, nearest_address


def require_account(policy: Policy, address: str, *, offer: bool = True) -> Account:
    """Return the account of a normalised address, or raise NotFound.

    If no account has a similar address and `offer` is set, the failure offers to add the account.
    """
    account = policy.accounts.get(address)
    if account is None:
        raise no_account(policy, [address], offer=offer)
    return account


def no_account(policy: Policy, unknown: list[str], *, offer: bool = True) -> NotFound:
    """Return the failure that names every unknown address, and for a single one the nearest that exists."""
    if len(unknown) > 1:
        return NotFound(f"no such accounts: {', '.join(unknown)}; nothing was changed", code="no-such-account")
    hint = nearest_address(unknown[0], policy.accounts)
    message = f"no account {unknown[0]}" + (f", did you mean {hint}?" if hint else "")
    fix = ("mailpolicy", "account", "add", unknown[0]) if offer and not hint else None
    return NotFound(message, code="no-such-account", fix=fix)


def no_domain(domain: str) -> NotFound:
    """Return the failure for a domain without accounts."""
    return NotFound(f"there are no accounts in the domain {domain}")


def require_template(policy: Policy, name: str, *, offer: bool = True) -> None:
    """Raise NotFound if there is no such template.

    If none has a similar name, the failure offers to add the template if `offer` is set, else to list those there are.
    """
    if name not in policy.templates:
        raise _no_such("template", name, policy.templates, ("mailpolicy", "template", "add", name) if offer else None)


def require_network(policy: Policy, name: str, *, offer: bool = True) -> None:
    """Raise NotFound if there is no such network; like require_template()."""
    if name not in policy.networks:
        add = ("mailpolicy", "network", "add", name, "ENTRY...")
        raise _no_such("network", name, policy.networks, add if offer else None)


def _no_such(kind: str, name: str, known: Collection[str], add: Command | None) -> NotFound:
    hint = nearest(name, known)
    message = f"no {kind} {printable(name)}" + (f", did you mean {hint}?" if hint else "")
    fix = add or (("mailpolicy", kind, "list") if known else None)
    return NotFound(message, code=f"no-such-{kind}", fix=fix if not hint else None)
