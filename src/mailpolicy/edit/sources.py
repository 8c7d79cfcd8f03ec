"""Add, change and remove the MultiPOP sources of an account."""

from __future__ import annotations

from collections.abc import Mapping

from mailpolicy.edit import remarks
from mailpolicy.edit.operations import Add, Drop, Path, Scalar, differences
from mailpolicy.edit.plan import Plan, Result
from mailpolicy.edit.server import display_text
from mailpolicy.errors import NotFound, Refused
from mailpolicy.policy.account import Account
from mailpolicy.policy.lookup import require_account
from mailpolicy.policy.model import Policy
from mailpolicy.policy.nearest import nearest
from mailpolicy.policy.service import Service
from mailpolicy.policy.source import Source


def add(policy: Policy, address: str, name: str, settings: Mapping[str, Scalar], source: Source) -> Plan:
    """Plan a new source, which is `source`, with these settings. Raises NotFound, and Refused if its name is taken."""
    account = require_account(policy, address)
    plan = Plan()
    existing = account.sources.get(name)
    if existing is not None:
        if different := differences(existing._asdict(), {key: getattr(source, key) for key in settings}):
            raise Refused(f"source {name} of {address} already exists with {different}", code="exists")
        plan.results.append(Result(address, f"source {name}", "already exists with these settings", False))
        return plan
    plan.change(Add(_path(account, name), dict(settings)), address, f"sources.{name}", None, dict(settings))
    plan.results.append(Result(address, f"source {name}", "added", True))
    if gates := policy.gates(address, Service.MULTIPOP):
        plan.notes.append(f"note: nothing is collected for {address} yet")
        plan.notes += remarks.still_closed(Service.MULTIPOP, [(account, gates)])
    return plan


def change(policy: Policy, address: str, name: str, settings: Mapping[str, Scalar | None]) -> Plan:
    """Plan other values for keys of a source; None removes a limit. Raises NotFound."""
    account, source = require_account(policy, address), require(policy, address, name)
    plan = Plan()
    for key, value in settings.items():
        path = _path(account, name, key)
        changed = plan.set(path, address, f"sources.{name}.{key}", getattr(source, key), value)
        shown = "no limit" if value is None else display_text(value)
        plan.results.append(Result(address, f"source {name} {key.replace('_', '-')}", shown, changed))
    return plan


def remove(policy: Policy, address: str, name: str, *, if_exists: bool = False) -> Plan:
    """Plan the removal of a source. Raises NotFound."""
    account = require_account(policy, address)
    plan = Plan()
    if if_exists and name not in account.sources:
        plan.results.append(Result(address, f"source {name}", "does not exist", False))
        return plan
    require(policy, address, name)
    # The last source goes with the table of sources, which would stay behind empty.
    path = _path(account, name) if len(account.sources) > 1 else _path(account, name)[:-1]
    plan.change(Drop(path), address, f"sources.{name}", dict(as_table(account.sources[name])), None)
    plan.results.append(Result(address, f"source {name}", "removed", True))
    return plan


def require(policy: Policy, address: str, name: str) -> Source:
    """Return the source of that name. Raises NotFound."""
    account = require_account(policy, address)
    source = account.sources.get(name)
    if source is None:
        hint = nearest(name, account.sources)
        raise NotFound(
            f"{address} has no source {name}" + (f", did you mean {hint}?" if hint else ""), code="no-such-source"
        )
    return source


def as_table(source: Source) -> dict[str, Scalar]:
    """Return the keys and values of a source; limits that are not set are left out."""
    return {
        key: str(value) if isinstance(value, str) else value
        for key, value in source._asdict().items()
        if value is not None
    }


def _path(account: Account, *below: str) -> Path:
    return ("accounts", account.key, "sources", *below)
