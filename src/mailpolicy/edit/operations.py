"""Operations on the TOML tree of a store, apart from how the text shows them.

They do not check whether the changed tree is a valid store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Scalar = bool | int | str
Path = tuple[str, ...]


def differences(existing: Mapping[str, Scalar | None], wanted: Mapping[str, Scalar | None]) -> str:
    """Return the existing settings that are not as wanted, such as `pop = true, no template`; "" if all are."""
    return ", ".join(
        f"no {key}" if (old := existing.get(key)) is None else f"{key} = {_toml_text(old)}"
        for key, value in wanted.items()
        if existing.get(key) != value
    )


def _toml_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(str(value)) if isinstance(value, str) else str(value)  # str() of an enum is its value


class Put(NamedTuple):
    """Set the key `path`, in its place or after the last key of its table."""

    path: Path
    value: Scalar


class PutList(NamedTuple):
    """Write the array `path` anew, with one element a line."""

    path: Path
    values: tuple[str, ...]


class Amend(NamedTuple):
    """Remove elements of the array `path` by their indices, and append others."""

    path: Path
    remove: tuple[int, ...]
    append: tuple[str, ...]


class Drop(NamedTuple):
    """Remove a key or a whole table."""

    path: Path


class Rename(NamedTuple):
    """Give the table `path` another last name."""

    path: Path
    name: str


class Add(NamedTuple):
    """Add a table."""

    path: Path
    table: dict[str, Scalar]


Operation = Put | PutList | Amend | Drop | Rename | Add


def apply_operations(tree: dict[str, Any], operations: Iterable[Operation]) -> dict[str, Any]:
    """Return a new tree with the operations applied. The old tree stays as it is; unchanged parts are shared."""
    # Only the tables on the way to a change are copied, once: an edit of ten thousand accounts shares all the others.
    copied: dict[int, dict[str, Any]] = {}

    def own(table: dict[str, Any]) -> dict[str, Any]:
        if id(table) in copied:
            return table
        copy = dict(table)
        copied[id(copy)] = copy
        return copy

    new = own(tree)
    for operation in operations:
        *parents, last = operation.path
        table = new
        for part in parents:
            table[part] = own(table.get(part, {}))
            table = table[part]
        match operation:
            case Put(_, value):
                table[last] = value
            case PutList(_, values):
                table[last] = list(values)
            case Amend(_, remove, append):
                table[last] = [text for index, text in enumerate(table.get(last, [])) if index not in remove] + list(
                    append
                )
            case Drop():
                del table[last]
            case Rename(_, name):
                items = [(name if key == last else key, value) for key, value in table.items()]
                table.clear()
                table.update(items)
            case Add(_, fresh):
                table[last] = dict(fresh)
    return new
