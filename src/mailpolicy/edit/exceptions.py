"""Exceptions of accounts: settings that apply until an end. Write keys into them, take keys out, end them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mailpolicy.edit import remarks
from mailpolicy.edit.operations import Drop
from mailpolicy.edit.plan import Plan, Result
from mailpolicy.edit.selection import Selection, selected_accounts
from mailpolicy.errors import Refused
from mailpolicy.policy.account import Account, Settings, Value
from mailpolicy.policy.model import Policy

if TYPE_CHECKING:
    from mailpolicy.policy.dates import End

_NAME = "temporary"


def is_live(policy: Policy, account: Account) -> bool:
    """Return whether an account has an exception that is not over."""
    exception = account.temporary
    return exception is not None and policy.moment is not None and not exception.until.is_over(policy.moment)


def with_keys(policy: Policy, account: Account, wanted: Settings) -> Account:
    """Return the account as it is with these keys in its exception."""
    kept = account.in_force if is_live(policy, account) else {}
    return account._replace(in_force={**kept, **wanted})


def refuse_second(policy: Policy, accounts: Iterable[Account], wanted: Settings, until: End) -> None:
    """Raise Refused for accounts that have an exception with another end which holds other keys than these."""
    having = [
        account
        for account in accounts
        if (exception := account.temporary) is not None
        and is_live(policy, account)
        and exception.until.instant != until.instant
        and not exception.switches.keys() <= wanted.keys()
    ]
    if not having:
        return
    named = "; ".join(f"{account.address} until {account.temporary and account.temporary.until}" for account in having)
    addresses = [account.address for account in having]
    raise Refused(
        f"an account has one exception at a time, and one with other settings is in force: {named}",
        code="exception-exists",
        fix=("mailpolicy", "temporary", "end", *addresses),
    )


def write(policy: Policy, plan: Plan, account: Account, wanted: Settings, until: End) -> bool:
    """Write keys into the account's exception until then; one that is over is replaced. Return whether anything changed."""
    exception = account.temporary
    old: Mapping[str, Value] = exception.switches if exception is not None else {}
    over = exception is not None and not is_live(policy, account)
    path, address = ("accounts", account.key, _NAME), account.address
    same = exception is not None and not over and exception.until.instant == until.instant
    changed = False
    if not same:
        before = exception.until.written if exception is not None else None
        changed = plan.set((*path, "until"), address, f"{_NAME}.until", before, until.written)
    for key in old if over else ():
        if key not in wanted:
            changed = plan.set((*path, key), address, f"{_NAME}.{key}", old[key], None) or changed
    for key, value in wanted.items():
        changed = plan.set((*path, key), address, f"{_NAME}.{key}", old.get(key), value) or changed
    return changed


def narrow(plan: Plan, account: Account, wanted: Mapping[str, Value | None]) -> bool:
    """Write keys of the account's exception, or take out those that are None, and it away if none is left.

    Only keys that it has are written. Return whether it had any.
    """
    exception = account.temporary
    if exception is None or exception.switches.keys().isdisjoint(wanted):
        return False
    kept = {key: wanted.get(key, value) for key, value in exception.switches.items()}
    if all(value is None for value in kept.values()):
        _remove(plan, account)
        return True
    for key, value in kept.items():
        plan.set(
            ("accounts", account.key, _NAME, key), account.address, f"{_NAME}.{key}", exception.switches[key], value
        )
    return True


def _remove(plan: Plan, account: Account) -> None:
    assert account.temporary is not None
    old = {"until": account.temporary.until.written, **account.temporary.switches}
    plan.change(Drop(("accounts", account.key, _NAME)), account.address, _NAME, old, None)


def end(policy: Policy, selection: Selection) -> Plan:
    """Plan the end of the exceptions of accounts. Raises NotFound."""
    plan = Plan()
    _end(plan, selected_accounts(policy, selection, plan, offer=False))
    return plan


def end_over(policy: Policy) -> Plan:
    """Plan the removal of all exceptions that are over."""
    plan = Plan()
    over = [account for account in policy.dated if account.temporary is not None and not is_live(policy, account)]
    if not over:
        plan.notes.append("no exception is over")
    _end(plan, over)
    return plan


def _end(plan: Plan, accounts: Iterable[Account]) -> None:
    plan.takes_effect = False
    for account in accounts:
        plan.takes_effect = plan.takes_effect or bool(account.in_force)
        if account.temporary is None:
            plan.results.append(Result(account.address, "exception", "none", False))
            continue
        _remove(plan, account)
        plan.results.append(Result(account.address, "exception", f"until {account.temporary.until}, ended", True))


def notes(taken: Iterable[Account], left: Iterable[Account], keys: Iterable[str]) -> list[remarks.Note]:
    """Return a note on the exceptions that keys were taken out of, and on those that keep them, by their ends."""
    found: list[remarks.Note] = []
    for until, addresses in _by_end(taken).items():
        text = (
            f"also taken out of the exception until {until}: {', '.join(keys)}, for {remarks.names_or_count(addresses)}"
        )
        found.append(text)
    for until, addresses in _by_end(left).items():
        text = f"an exception stays in force until {until} for {remarks.names_or_count(addresses)}; to end it now"
        found.append(remarks.with_command(text, ("temporary", "end"), addresses))
    return found


def _by_end(accounts: Iterable[Account]) -> dict[str, list[str]]:
    ends: dict[str, list[str]] = {}
    for account in accounts:
        if account.temporary is not None:
            ends.setdefault(str(account.temporary.until), []).append(account.address)
    return ends
