"""Adding, changing and removing the MultiPOP sources of an account.

Promises: a source that is there already and is as asked is `ok`; one that differs is refused, naming the key.
"""

from __future__ import annotations

from collections.abc import Mapping

from mailpolicy.diagnostics import dotted
from mailpolicy.edit import remarks
from mailpolicy.edit.operations import Add, Drop, Path, Put, Scalar, shown_value
from mailpolicy.edit.plan import Line, Plan
from mailpolicy.edit.server import text_of
from mailpolicy.errors import NotFound, Refused
from mailpolicy.policy.lookup import require_account
from mailpolicy.policy.model import Account, Policy, Source
from mailpolicy.policy.nearest import nearest
from mailpolicy.policy.service import Service


def add(policy: Policy, address: str, name: str, asked: Mapping[str, Scalar], source: Source) -> Plan:
    """A new source with the keys `asked` for, which make `source`. Raises NotFound and Refused."""
    account = require_account(policy, address)
    plan = Plan()
    existing = account.sources.get(name)
    if existing is not None:
        differing = [
            f"{dotted(_path(account, name, key))} is {shown_value(getattr(existing, key))}"
            for key in asked
            if getattr(existing, key) != getattr(source, key)
        ]
        if differing:
            raise Refused(f"exists already with different settings: {'; '.join(differing)}", code="exists")
        plan.lines.append(Line(address, f"source {name}", "there already, with these settings", False))
        return plan
    plan.change(Add(_path(account, name), dict(asked)), address, f"sources.{name}", None, dict(asked))
    plan.lines.append(Line(address, f"source {name}", "added", True))
    if gates := policy.gates(address, Service.MULTIPOP):
        plan.notes.append(f"note: nothing is collected for {address} yet")
        plan.notes += remarks.still_closed(Service.MULTIPOP, [(address, gates)])
    return plan


def change(policy: Policy, address: str, name: str, asked: Mapping[str, Scalar | None]) -> Plan:
    """Other values for keys of a source; None takes a limit away. Raises NotFound."""
    account, source = require_account(policy, address), require(policy, address, name)
    plan = Plan()
    for key, value in asked.items():
        old = getattr(source, key)
        changed = old != value
        if changed:
            path = _path(account, name, key)
            operation = Drop(path) if value is None else Put(path, value)
            plan.change(operation, address, f"sources.{name}.{key}", old, value)
        shown = "no limit" if value is None else text_of(value)
        plan.lines.append(Line(address, f"source {name} {key.replace('_', '-')}", shown, changed))
    return plan


def remove(policy: Policy, address: str, name: str, *, if_exists: bool = False) -> Plan:
    """A source out of the store. Raises NotFound."""
    account = require_account(policy, address)
    plan = Plan()
    if if_exists and name not in account.sources:
        plan.lines.append(Line(address, f"source {name}", "not there", False))
        return plan
    require(policy, address, name)
    # With its last source an account has no table of sources any more.
    path = _path(account, name) if len(account.sources) > 1 else _path(account, name)[:-1]
    plan.change(Drop(path), address, f"sources.{name}", dict(written(account.sources[name])), None)
    plan.lines.append(Line(address, f"source {name}", "removed", True))
    return plan


def require(policy: Policy, address: str, name: str) -> Source:
    """The source of that name. Raises NotFound."""
    account = require_account(policy, address)
    source = account.sources.get(name)
    if source is None:
        hint = nearest(name, account.sources)
        raise NotFound(
            f"{address} has no source {name}" + (f", did you mean {hint}?" if hint else ""), code="no-such-source"
        )
    return source


def written(source: Source) -> dict[str, Scalar]:
    """What a source says, key by key; what is unlimited is left out."""
    return {
        key: str(value) if isinstance(value, str) else value
        for key, value in source._asdict().items()
        if value is not None
    }


def _path(account: Account, *below: str) -> Path:
    return ("accounts", account.key, "sources", *below)
