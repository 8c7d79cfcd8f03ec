"""One edit from the first read to the last fsync: plan, lock, plan again where the file moved, write, prove, replace.

Promises: the proof runs before anything is installed; parallel writers lose no update; with `dry_run` nothing is
locked or written. Not promised: anything about secrets; those are paired with the edit by its caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mailpolicy import access, files, pending, schema
from mailpolicy.access import Access
from mailpolicy.edit import hunks, pen
from mailpolicy.edit.operations import Rename, applied
from mailpolicy.edit.plan import Plan, Planner
from mailpolicy.errors import Refused
from mailpolicy.locate import places
from mailpolicy.policy import Policy
from mailpolicy.store import Store, without_gc


class Outcome(NamedTuple):
    """What an edit came to. `diff` is the unified diff, made only for a dry run."""

    plan: Plan
    access: Access
    diff: str | None

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or would be: the store, or a secret that goes with it."""
        return bool(self.plan.operations) or any(line.changed for line in self.plan.lines)


def transact(
    store: Store,
    planner: Planner,
    *,
    dry_run: bool = False,
    lock_timeout: float = 10.0,
    confirm: Callable[[Plan], None] | None = None,
    first: Callable[[], None] | None = None,
) -> Outcome:
    """Carry out what `planner` makes of the store's policy.

    `confirm` may raise to stop an edit before the lock is taken; `first` runs under the lock before the file is
    replaced, for what must be known to the next edit should this one be killed. `lock_timeout` is in seconds.
    Raises StoreError, NotFound, Refused, StillLocked, WriteFailed, NotConfirmed.
    """
    files.refuse_unsafe(store.path)
    plan = planner(store.policy())
    plan.notes += pending.notes(store.path)
    if dry_run:
        splices, new = _written(store, plan)
        diff = hunks.unified(store.path, store.text, splices)
        return Outcome(plan, _access(store.policy(), new, plan), diff)
    if not plan.operations:
        return Outcome(plan, Access.SAME, None)
    if confirm is not None:
        confirm(plan)
    with files.locked(store.path, lock_timeout):
        current = Store.read(store.path)
        if current.data == store.data:
            current = store
        else:
            plan = planner(current.policy())
            plan.notes += pending.notes(store.path)
            if not plan.operations:
                return Outcome(plan, Access.SAME, None)
        splices, new = _written(current, plan)
        if first is not None:
            first()
        content = current.bom + hunks.spliced(current.text, splices).encode("utf-8")
        files.replace(current.path, content)
    return Outcome(plan, _access(current.policy(), new, plan), None)


def _written(store: Store, plan: Plan) -> tuple[list[hunks.Splice], Policy]:
    """The plan's splices and the policy they make, proved: what the reading parser reads is the tree that was meant."""
    if not plan.operations:
        return [], store.policy()
    try:
        with without_gc():
            splices = pen.splices(store.text, plan.operations)
    except pen.CannotWrite as reason:
        raise _by_hand(store, reason.offset, str(reason)) from None
    wanted = applied(store.tree, plan.operations)
    proof = Store(store.path, hunks.spliced(store.text, splices).encode("utf-8"))
    if _without_empty(proof.tree) != _without_empty(wanted):
        offset = splices[0].start
        offset += len(store.text[offset:]) - len(store.text[offset:].lstrip("\r\n")) if splices[0].end > offset else 0
        raise _by_hand(store, offset, "what stands around here is written in a style that would change with it")
    return splices, _new_policy(store, plan, wanted)


def _new_policy(store: Store, plan: Plan, wanted: dict[str, Any]) -> Policy:
    """The policy of the tree that was proved; where only accounts changed, the others are the values they were."""
    old, keys = store.policy(), _changed_accounts(plan)
    if keys is not None:
        accounts = wanted.get("accounts", {})
        wanted = {**wanted, "accounts": {key: accounts[key] for key in keys if key in accounts}}
    policy, problems, _ = schema.read(wanted)
    if policy is None:
        raise Refused(f"{store.path}: nothing was changed, the store would not be valid: {problems[0].message}")
    if keys is None:
        return policy
    kept = {address: account for address, account in old.accounts.items() if account.key not in keys}
    if twice := kept.keys() & policy.accounts.keys():
        raise Refused(f"{store.path}: nothing was changed, {min(twice)} would be there twice")
    return policy._replace(accounts={**kept, **policy.accounts})


def _changed_accounts(plan: Plan) -> set[str] | None:
    """The keys under which the plan writes or removes accounts; None where it changes anything else."""
    keys: set[str] = set()
    for operation in plan.operations:
        if operation.path[0] != "accounts" or len(operation.path) < 2:
            return None
        keys.add(operation.path[1])
        if isinstance(operation, Rename):
            keys.add(operation.name)
    return keys


def _without_empty(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree without empty top-level tables: without its last account the text may have no `accounts` any more."""
    return {key: value for key, value in tree.items() if value != {}}


def _by_hand(store: Store, offset: int, why: str) -> Refused:
    ((line, _),) = places(store.text, [offset])
    return Refused(f"{store.path}:{line}: nothing was changed, this edit needs a hand: {why}", code="needs-hand-edit")


def _access(old: Policy, new: Policy, plan: Plan) -> Access:
    return access.compare(old, new, plan.touched)
