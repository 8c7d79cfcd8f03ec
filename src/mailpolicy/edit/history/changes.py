"""The changes of an edit, key by key: found by comparing two trees, written as JSON, and read from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from mailpolicy.edit.operations import Operation, Path, Rename
from mailpolicy.edit.tree import apply_operations
from mailpolicy.policy import dates
from mailpolicy.store.tables import TABLES, When

MAX_KEYS = 1000  # of one entry; of a larger edit only their number is kept

Tree = Mapping[str, Any]

# JSON has no dates, but a key has one type.
_DATED = {key for table in TABLES.values() for key, (kind, _) in table.keys.items() if kind is When}


class KeyChange(NamedTuple):
    """A key, or a whole table, with another value; None if it is absent."""

    path: Path
    old: Any
    new: Any

    @property
    def keys(self) -> int:
        """Return how many keys that are."""
        return max(_leaves(self.old), _leaves(self.new))


class ListChange(NamedTuple):
    """A list that has lost entries and got others."""

    path: Path
    removed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def keys(self) -> int:
        """Return how many entries that are."""
        return len(self.removed) + len(self.added)


class Renaming(NamedTuple):
    """A table with another last name."""

    path: Path
    name: str
    keys: int = 1

    @property
    def new_path(self) -> Path:
        """Return the path under which the table is now."""
        return (*self.path[:-1], self.name)


TreeChange = KeyChange | ListChange | Renaming


def inverse(change: TreeChange) -> TreeChange:
    """Return the change that takes another back."""
    match change:
        case KeyChange(path, old, new):
            return KeyChange(path, new, old)
        case ListChange(path, removed, added):
            return ListChange(path, added, removed)
        case Renaming(path, _):
            return Renaming(change.new_path, path[-1])


def find(old: Tree, new: Tree, operations: Sequence[Operation] = ()) -> list[TreeChange]:
    """Return the changes from one tree to another; which tables were renamed is only known from the operations."""
    renamings = [operation for operation in operations if isinstance(operation, Rename)]
    changes: list[TreeChange] = [Renaming(operation.path, operation.name) for operation in renamings]
    old = apply_operations(dict(old), renamings)
    for table in dict.fromkeys((*old, *new)):
        # An empty table at the top is the same as none.
        changes += _compare((table,), old.get(table), new.get(table), at_top=True)
    return changes


def _compare(path: Path, old: Any, new: Any, *, at_top: bool = False) -> Iterator[TreeChange]:
    if old is new:  # what an edit leaves alone is shared by the two trees
        return
    if at_top and isinstance(new if old is None else old, dict):
        old, new = old or {}, new or {}
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from _compare((*path, key), old.get(key), new.get(key))
    elif old != new or type(old) is not type(new):
        if isinstance(old, list) and isinstance(new, list):
            removed = tuple(entry for entry in old if entry not in new)
            added = tuple(entry for entry in new if entry not in old)
            # Not if entries are repeated or only their order is new, which entries added and removed do not tell.
            if (removed or added) and len({*old}) == len(old) and len({*new}) == len(new):
                yield ListChange(path, removed, added)
                return
        yield KeyChange(path, old, new)


def _leaves(value: Any) -> int:
    return sum(map(_leaves, value.values())) or 1 if isinstance(value, dict) else 1


def as_json(change: TreeChange) -> dict[str, Any]:
    """Return a change as it stands in the journal."""
    match change:
        case KeyChange(path, old, new):
            return {"path": path, "old": _plain(old), "new": _plain(new)}
        case ListChange(path, removed, added):
            return {"path": path, "removed": removed, "added": added}
        case Renaming(path, name):
            return {"path": path, "renamed": name}


def from_json(value: Mapping[str, Any]) -> TreeChange:
    """Return a change of the journal. Raises LookupError, TypeError and ValueError for anything else."""
    path = _strings(value["path"])
    if not path:
        raise ValueError("a change has a path")
    if "renamed" in value:
        return Renaming(path, str(value["renamed"]))
    if "added" in value:
        return ListChange(path, _strings(value["removed"]), _strings(value["added"]))
    return KeyChange(path, _typed(path[-1], value["old"]), _typed(path[-1], value["new"]))


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise TypeError("not an array of strings")
    return tuple(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return dates.text(value) if isinstance(value, date) else value


def _typed(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {inner: _typed(inner, one) for inner, one in value.items()}
    if key in _DATED and isinstance(value, str):
        return datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
    return value
