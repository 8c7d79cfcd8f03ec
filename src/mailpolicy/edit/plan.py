"""The plan of an edit, made from a policy before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mailpolicy.edit.operations import Drop, Operation, Path, Value, replacing
from mailpolicy.errors import Advice
from mailpolicy.policy.model import Policy
from mailpolicy.store.store import Store

if TYPE_CHECKING:
    from mailpolicy.policy.dates import Clock


class Result(NamedTuple):
    """One result that a command prints: its subject, the setting, the state after the edit, and whether it is new."""

    subject: str
    item: str
    state: str
    changed: bool


class Change(NamedTuple):
    """One key with another value. `address` is None if the key is no account's; a value is None if the key is absent."""

    address: str | None
    key: str | None
    old: Any
    new: Any


class Plan:
    """The operations of one command, and the results and notes to print. Without operations it changes nothing."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.results: list[Result] = []
        self.changes: list[Change] = []
        self.notes: list[str | Advice] = []
        self.affected: set[str] | None = set()  # the accounts whose access may change; None for all
        self.undoes: str | None = None  # the entry of the journal that it takes back
        self.takes_effect = True  # false if exports stay the same for now
        self.question: str | None = None  # to ask a person before the edit is carried out
        self.report: Mapping[str, Any] | None = None  # on each account of an import, for JSON
        self.needs_yes = False  # nobody to ask is a no
        # The accounts by what is done with them. A dry run of such a plan prints the results, and not the diff.
        self.listed: Mapping[str, list[str]] | None = None

    def change(self, operation: Operation, address: str | None, key: str | None, old: Any, new: Any) -> None:
        """Add an operation and the change it makes."""
        self.operations.append(operation)
        self.changes.append(Change(address, key, old, new))
        if self.affected is not None and address is not None:
            self.affected.add(address)
        elif address is None:
            self.affected = None

    def extend(self, other: Plan) -> None:
        """Add the operations and changes of another plan about accounts."""
        for operation, change in zip(other.operations, other.changes, strict=True):
            self.change(operation, *change)

    def set(self, path: Path, address: str | None, key: str, old: Value | None, new: Value | None) -> bool:
        """Set a key to another value, or remove it if `new` is None. Returns False if it already has that value."""
        if old == new:
            return False
        self.change(Drop(path) if new is None else replacing(path, old, new), address, key, old, new)
        return True


class TreePlanner(NamedTuple):
    """A planner that needs the keys of the store as they are written."""

    plan: Callable[[Store], Plan]


Planner = Callable[[Policy], Plan] | TreePlanner


def planned(store: Store, planner: Planner, now: Clock) -> Plan:
    """Return the plan for a store as it is `now`. Raises StoreError, NotFound and Refused."""
    if isinstance(planner, TreePlanner):
        return planner.plan(store)
    return planner(store.policy().at_present(now))
