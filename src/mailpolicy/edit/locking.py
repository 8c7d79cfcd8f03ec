"""Replace a store under its lock, with an entry in its journal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from mailpolicy.edit.plan import Plan
from mailpolicy.store.store import Store
from mailpolicy.system.held import Held, Moved, locked
from mailpolicy.system.trust import Trusted

if TYPE_CHECKING:
    from mailpolicy.edit.history.journal import Journal  # loaded only if host.toml asks for a journal

_RETRIES = 2
T = TypeVar("T")


def under_lock(
    path: str, timeout: float, trusted: Trusted, replace: Callable[[Held], T], *, make_folders: int | None = None
) -> T:
    """Call `replace` with the locked store and return its result.

    If the path leads to another file by the time of the replacement, it starts again there. `timeout` is in seconds.
    """
    for _ in range(_RETRIES):
        with suppress(Moved), locked(path, timeout, trusted, make_folders=make_folders) as held:
            return replace(held)
    with locked(path, timeout, trusted, make_folders=make_folders) as held:
        return replace(held)


def recorded(
    journal: Journal | None,
    held: Held,
    old: Store | None,
    content: bytes,
    tree: dict[str, Any],
    plan: Plan | None = None,
) -> AbstractContextManager[None]:
    """Run the block, which replaces the store, with an entry in the journal if there is one; see Journal.recorded()."""
    if journal is None:
        return nullcontext()
    if plan is None:
        return journal.recorded(held, old, content, tree)
    return journal.recorded(held, old, content, tree, plan.operations, plan.undoes)
