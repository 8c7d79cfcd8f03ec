"""One edit from the first read to the last fsync: plan, lock, plan again where the file moved, write, prove, replace.

Promises: the proof runs before anything is installed; parallel writers lose no update; with `dry_run` nothing is
locked or written. Not promised: anything about secrets; those are paired with the edit by its caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mailpolicy.edit import partial
from mailpolicy.edit.operations import Rename, applied
from mailpolicy.edit.plan import Plan, Planner
from mailpolicy.edit.text import diff
from mailpolicy.edit.text.diff import Splice
from mailpolicy.edit.text.layout import CannotWrite
from mailpolicy.edit.text.splices import splices as splices_of
from mailpolicy.errors import Refused
from mailpolicy.policy import access
from mailpolicy.policy.changes import Direction
from mailpolicy.policy.model import Policy
from mailpolicy.secrets import pending
from mailpolicy.store import schema
from mailpolicy.store.document import without_gc
from mailpolicy.store.outline import Piece
from mailpolicy.store.store import Store
from mailpolicy.system.held import Held, Moved, locked, without_lock
from mailpolicy.system.trust import ROOT_ONLY, Trusted


class Outcome(NamedTuple):
    """What an edit came to. `diff` is the unified diff, made only for a dry run.

    `keep_index` indexes what was written, if it is still there: for when all is said, as it takes a while.
    """

    plan: Plan
    access: Direction
    diff: str | None
    keep_index: Callable[[], None] = lambda: None

    @property
    def changed(self) -> bool:
        """Whether anything was changed, or would be: the store, or a secret that goes with it."""
        return bool(self.plan.operations) or any(line.changed for line in self.plan.lines)


@without_gc()
def transact(
    store: Store,
    planner: Planner,
    *,
    dry_run: bool = False,
    lock_timeout: float = 10.0,
    trusted: Trusted = ROOT_ONLY,
    confirm: Callable[[Plan], None] | None = None,
    first: Callable[[Held], None] | None = None,
) -> Outcome:
    """Carry out what `planner` makes of the store's policy.

    `confirm` may raise to stop an edit before the lock is taken; `first` runs under the lock before the file is
    replaced, for what must be known to the next edit should this one be killed. `lock_timeout` is in seconds; whom root
    trusts with the store says `trusted`. If the path leads to another file by the time of the replacement the edit
    starts again there. Raises StoreError, NotFound, Refused, StillLocked, WriteFailed, NotConfirmed.
    """
    with without_lock(store.path, trusted) as place:
        place.refuse_links()
    plan = planner(store.policy())
    plan.notes += pending.warnings(store.path, trusted)
    if dry_run:
        edited = _edited(store, plan)
        return Outcome(plan, _access(edited, plan), edited.diff())
    if not plan.operations:
        store.keep_index()
        return Outcome(plan, Direction.SAME, None)
    if confirm is not None:
        confirm(plan)
    for again in (True, True, False):
        try:
            with locked(store.path, lock_timeout, trusted) as held:
                return _carried_out(held, store, plan, planner, first)
        except Moved:
            if not again:
                raise
    raise AssertionError("the last try returns or raises")


def _carried_out(
    held: Held, store: Store, plan: Plan, planner: Planner, first: Callable[[Held], None] | None
) -> Outcome:
    """Carry out a plan under the lock, made again if the store is no longer what it was planned on."""
    with held.opened() as descriptor:
        current = store.again(descriptor)
    held.refuse_links()
    if current is not store:
        plan = planner(current.policy())
        plan.notes += pending.warnings(store.path, held.trusted)
        if not plan.operations:
            return Outcome(plan, Direction.SAME, None)
    edited = _edited(current, plan)
    if first is not None:
        first(held)
    content = edited.content()
    held.replace(content)
    return Outcome(plan, _access(edited, plan), None, lambda: current.replaced(content, edited.grown()))


def planned_policy(store: Store, plan: Plan) -> Policy:
    """The policy that a plan would make of the store, proved; nothing is written. Raises Refused."""
    return _edited(store, plan).policy


class _Edited(NamedTuple):
    """A store, the splices of its text, and the policy that they make; `parts` are the splices in a cut store's pieces."""

    store: Store
    splices: list[diff.Splice]
    policy: Policy
    parts: dict[Piece, list[diff.Splice]] | None = None

    def content(self) -> bytes:
        """The whole new file."""
        if self.parts is not None:
            return partial.joined(self.store, self.parts)
        return self.store.bom + diff.spliced(self.store.text, self.splices).encode("utf-8")

    def diff(self) -> str:
        """The unified diff of the whole file."""
        splices = self.splices if self.parts is None else partial.in_whole(self.store, self.parts)
        text = self.store.data.decode("utf-8")  # a byte order mark belongs to line 1
        mark = len(self.store.bom.decode("utf-8"))
        return diff.unified(
            self.store.path, text, [Splice(start + mark, end + mark, new) for start, end, new in splices]
        )

    def grown(self) -> dict[str, tuple[int, int]] | None:
        """By how many bytes and lines each account has grown, where only accounts' own lines have changed."""
        return partial.grown(self.store, self.parts) if self.parts is not None else None


def _edited(store: Store, plan: Plan) -> _Edited:
    """The plan carried out, and proved: what the reading parser reads is the tree that was meant."""
    if not plan.operations:
        return _Edited(store, [], store.policy(), {} if store.cut is not None else None)
    if store.cut is not None and not partial.within_accounts(plan):
        store = Store(store.path, store.data)
    store = partial.narrowed(store, plan)
    try:
        with without_gc():
            splices = splices_of(store.text, plan.operations)
    except CannotWrite as reason:
        raise _by_hand(store, reason.offset, str(reason)) from None
    wanted = applied(store.tree, plan.operations)
    proof = Store(store.path, diff.spliced(store.text, splices).encode("utf-8"))
    if _without_empty(proof.tree) != _without_empty(wanted):
        offset = splices[0].start
        offset += len(store.text[offset:]) - len(store.text[offset:].lstrip("\r\n")) if splices[0].end > offset else 0
        raise _by_hand(store, offset, "this edit would also alter the surrounding lines")
    policy = _new_policy(store, plan, wanted)
    if store.cut is None:
        return _Edited(store, splices, policy)
    parts = partial.touched(store, splices)
    if parts is None or not partial.proved(store, wanted, parts):
        return _edited(Store(store.path, store.data), plan)
    return _Edited(store, splices, policy, parts)


def _new_policy(store: Store, plan: Plan, wanted: dict[str, Any]) -> Policy:
    """The policy of the tree that was proved; where only accounts changed, the others are the values they were."""
    old, keys = store.policy(), _changed_accounts(plan)
    if keys is not None:
        accounts = wanted.get("accounts", {})
        wanted = {**wanted, "accounts": {key: accounts[key] for key in keys if key in accounts}}
    policy, problems, _ = schema.read(wanted)
    if policy is None:
        raise Refused(f"nothing was changed, the store would not be valid: {problems[0].message}", file=store.path)
    if keys is None:
        return policy
    kept = {address: account for address, account in old.accounts.items() if account.key not in keys}
    if twice := kept.keys() & policy.accounts.keys():
        raise Refused(f"nothing was changed, {min(twice)} would be there twice", file=store.path)
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
    line = store.line_at(offset)
    return Refused(f"not changed, edit it by hand: {why}", file=store.path, line=line, code="needs-hand-edit")


def _access(edited: _Edited, plan: Plan) -> Direction:
    return access.compare(edited.store.policy(), edited.policy, plan.touched)
