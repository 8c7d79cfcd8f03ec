"""One edit of the store: plan it, lock, plan again if the file has changed, write the text, verify it, replace the file.

The parser must read from the new text exactly the tree that the operations make of the old one; otherwise nothing is
written. Secrets that go with an edit are the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from mailpolicy.edit import partial
from mailpolicy.edit.locking import recorded, under_lock
from mailpolicy.edit.operations import Rename
from mailpolicy.edit.plan import Plan, Planner, planned
from mailpolicy.edit.text import diff
from mailpolicy.edit.text.diff import Splice
from mailpolicy.edit.text.layout import CannotWrite
from mailpolicy.edit.text.splices import settled
from mailpolicy.edit.text.splices import splices as splices_for
from mailpolicy.edit.tree import apply_operations
from mailpolicy.errors import Refused
from mailpolicy.policy.model import Policy
from mailpolicy.secrets import pending
from mailpolicy.store import schema
from mailpolicy.store.document import without_gc
from mailpolicy.store.store import Store
from mailpolicy.system.held import Held, without_lock
from mailpolicy.system.trust import ROOT_ONLY, Trusted

if TYPE_CHECKING:
    from mailpolicy.edit.history.journal import Journal  # loaded only if host.toml asks for a journal
    from mailpolicy.policy.changes import Direction
    from mailpolicy.policy.dates import Clock
    from mailpolicy.review.guard import Guard  # loaded only if host.toml names cases


class EditResult(NamedTuple):
    """The result of an edit. `rewrite` is None if it changed no text, `diff` the unified diff, made only for a dry run.

    `update_index` indexes the new content. It takes a while, so call it when everything is printed.
    """

    plan: Plan
    rewrite: Rewrite | None = None
    now: Clock | None = None
    diff: str | None = None
    update_index: Callable[[], None] = lambda: None

    @property
    def access(self) -> Direction:
        """Return the direction in which the edit changes access."""
        from mailpolicy.policy import access, changes  # 3 ms, only for --verbose and JSON

        if self.rewrite is None or self.now is None:
            return changes.Direction.SAME
        return access.compare(self.rewrite.store.policy(), self.rewrite.policy, self.now, self.plan.affected)

    @property
    def changed(self) -> bool:
        """Return whether the store, or a secret that goes with it, was changed or would be by a dry run."""
        return bool(self.plan.operations) or any(result.changed for result in self.plan.results)


@without_gc()
def transact(
    store: Store,
    planner: Planner,
    now: Clock,
    *,
    dry_run: bool = False,
    lock_timeout: float = 10.0,
    trusted: Trusted = ROOT_ONLY,
    guard: Guard | None = None,
    journal: Journal | None = None,
    confirm: Callable[[Plan], None] | None = None,
    confirm_again: Callable[[Plan, Plan], None] | None = None,
    before_replace: Callable[[Held], None] | None = None,
) -> EditResult:
    """Edit a store by the plan that `planner` makes of its policy as it is `now`. A dry run neither locks nor writes.

    `guard` has the cases that the edit is held against, and `journal` gets an entry. `confirm` may raise to stop the edit
    before the lock is taken, and `confirm_again` under it, if the plan that was confirmed had to be made again.
    `before_replace` runs under the lock just before the file is replaced, to record what the next edit must know if this one
    is killed. `lock_timeout` is in seconds; `trusted` says who besides root may write the store.
    Raises StoreError, NotFound, Refused, StillLocked, WriteFailed and NotConfirmed.
    """
    with without_lock(store.path, trusted) as place:
        place.refuse_links()
    plan = planned(store, planner, now)
    plan.notes += pending.warnings(store.path, trusted)
    if dry_run:
        rewrite = _guarded_rewrite(store, plan, guard)
        return EditResult(plan, rewrite, now, rewrite.diff())
    if not plan.operations:
        if guard is not None:
            guard.read()  # cases that cannot be used refuse every edit
        store.update_index()
        return EditResult(plan)
    if confirm is not None:
        confirm(plan)
    return under_lock(
        store.path,
        lock_timeout,
        trusted,
        lambda held: _replace(held, store, plan, planner, now, guard, journal, confirm_again, before_replace),
    )


def _replace(
    held: Held,
    store: Store,
    plan: Plan,
    planner: Planner,
    now: Clock,
    guard: Guard | None,
    journal: Journal | None,
    confirm_again: Callable[[Plan, Plan], None] | None,
    before_replace: Callable[[Held], None] | None,
) -> EditResult:
    """Carry out a plan under the lock; make it again if the store is not the one it was made for any more."""
    with held.opened() as descriptor:
        current = store.reread(descriptor)
    held.refuse_links()
    if current is not store:
        confirmed, plan = plan, planned(current, planner, now)
        if confirm_again is not None:
            confirm_again(confirmed, plan)
        plan.notes += pending.warnings(store.path, held.trusted)
        if not plan.operations:
            return EditResult(plan)
    rewrite = _guarded_rewrite(current, plan, guard)
    if before_replace is not None:
        before_replace(held)
    content = rewrite.content()
    with recorded(journal, held, rewrite.store, content, rewrite.tree, plan):
        held.replace(content)
    return EditResult(plan, rewrite, now, update_index=lambda: current.index_replacement(content, rewrite.growth()))


def planned_policy(store: Store, plan: Plan) -> Policy:
    """Return the policy that a plan would make of the store, verified as for an edit. Raises Refused."""
    return _rewrite(store, plan).policy


class Rewrite(NamedTuple):
    """A verified new text: the old store, the splices, the new tree and policy. Of a subset, also the splices by piece."""

    store: Store
    splices: list[Splice]
    tree: dict[str, Any]
    policy: Policy
    by_piece: partial.ByPiece | None = None

    def content(self) -> bytes:
        """Return the whole new file."""
        if self.by_piece is not None:
            return partial.new_content(self.store, self.by_piece)
        return self.store.bom + diff.apply_splices(self.store.text, self.splices).encode("utf-8")

    def diff(self) -> str:
        """Return the unified diff of the whole file."""
        splices = self.splices if self.by_piece is None else partial.in_characters(self.store, self.by_piece)
        text = self.store.data.decode("utf-8")  # with the byte order mark, which is part of line 1
        mark = len(self.store.bom.decode("utf-8"))
        return diff.unified_diff(
            self.store.path, text, [Splice(start + mark, end + mark, new) for start, end, new in splices]
        )

    def growth(self) -> dict[str, tuple[int, int]] | None:
        """Return the bytes and lines each account grows by, or None if not only accounts' own lines change."""
        return partial.growth(self.store, self.by_piece) if self.by_piece is not None else None


def refuse_invalid(store: Store, plan: Plan) -> None:
    """Raise Refused if the tree that a plan would make is not a valid store's, whatever becomes of the text."""
    _new_policy(store, plan, apply_operations(store.tree, plan.operations))


def refuse_broken_cases(store: Store, plan: Plan, guard: Guard | None) -> None:
    """Raise Refused if a plan breaks a case, before anybody is asked anything; the edit itself finds it under the lock."""
    if guard is not None:
        new = _new_policy(store, plan, apply_operations(store.tree, plan.operations))
        guard.refuse_broken(store.policy(), new)


def _guarded_rewrite(store: Store, plan: Plan, guard: Guard | None) -> Rewrite:
    """Write the operations of a plan into the text, verify the result and hold it against the cases. Raises Refused."""
    rewrite = _rewrite(store, plan)
    if guard is not None:
        guard.refuse_broken(rewrite.store.policy(), rewrite.policy)
    return rewrite


def _rewrite(store: Store, plan: Plan) -> Rewrite:
    """Write the operations of a plan into the text and verify the result. Raises Refused."""
    if not plan.operations:
        return Rewrite(store, [], store.tree, store.policy(), {} if store.subset is not None else None)
    if store.subset is not None and not partial.changes_only_account_keys(plan):
        store = Store(store.path, store.data)
    store = partial.limited_to_accounts(store, plan)
    try:
        with without_gc():
            followed = partial.is_followed(store)
            operations = settled(store.text, plan.operations, followed=followed)
            splices = splices_for(store.text, operations, followed=followed)
    except CannotWrite as reason:
        raise _needs_hand_edit(store, reason.offset, str(reason)) from None
    wanted = apply_operations(store.tree, operations)
    new = Store(store.path, diff.apply_splices(store.text, splices).encode("utf-8"))
    if _without_empty(new.tree) != _without_empty(wanted):
        offset = splices[0].start
        # A removal begins at the end of the line before; name the line that it removes.
        offset += len(store.text[offset:]) - len(store.text[offset:].lstrip("\r\n")) if splices[0].end > offset else 0
        raise _needs_hand_edit(store, offset, "this edit would also alter the surrounding lines")
    policy = _new_policy(store, plan, wanted)
    if store.subset is None:
        return Rewrite(store, splices, wanted, policy)
    by_piece = partial.splices_by_piece(store, splices)
    if by_piece is None or not partial.is_verified(store, wanted, by_piece):
        return _rewrite(Store(store.path, store.data), plan)  # no cache: it is not narrowed again
    return Rewrite(store, splices, wanted, policy, by_piece)


def _new_policy(store: Store, plan: Plan, wanted: dict[str, Any]) -> Policy:
    """Return the policy of the new tree. If only accounts change, only these are validated again."""
    old, keys = store.policy(), _changed_accounts(plan)
    if keys is not None:
        accounts = wanted.get("accounts", {})
        wanted = {**wanted, "accounts": {key: accounts[key] for key in keys if key in accounts}}
    policy, problems, _ = schema.validate(wanted)
    if policy is None:
        raise Refused(f"not changed: the store would not be valid: {problems[0].message}", file=store.path)
    if keys is None:
        return policy
    kept = {address: account for address, account in old.accounts.items() if account.key not in keys}
    if twice := kept.keys() & policy.accounts.keys():
        raise Refused(f"not changed: account {min(twice)} would be defined twice", file=store.path)
    return policy._replace(accounts={**kept, **policy.accounts})


def _changed_accounts(plan: Plan) -> set[str] | None:
    """Return the keys of the accounts that a plan writes or removes, or None if it changes anything else."""
    keys: set[str] = set()
    for operation in plan.operations:
        if operation.path[0] != "accounts" or len(operation.path) < 2:
            return None
        keys.add(operation.path[1])
        if isinstance(operation, Rename):
            keys.add(operation.name)
    return keys


def _without_empty(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the tree without empty top-level tables; when the last account goes, so does `accounts` in the text."""
    return {key: value for key, value in tree.items() if value != {}}


def _needs_hand_edit(store: Store, offset: int, why: str) -> Refused:
    line = store.line_at(offset)
    return Refused(f"not changed, edit it by hand: {why}", file=store.path, line=line, code="needs-hand-edit")
