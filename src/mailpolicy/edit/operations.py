"""What a change does to the TOML tree, apart from how the text shows it.

Promises: pure functions; the old tree is left as it is. Not promised: that the changed tree is a valid store; the
proof asks that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

Scalar = bool | int | str
Path = tuple[str, ...]


def shown_value(value: Scalar | None) -> str:
    """The value of a key as the file has it, for a sentence."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(str(value)) if isinstance(value, str) else str(value)  # of a choice its text, not its name in the code


class Put(NamedTuple):
    """Give the key `path` a value, in the place it has or after the last key of its table."""

    path: Path
    value: Scalar


class PutList(NamedTuple):
    """Write the array `path` anew, one element a line."""

    path: Path
    values: tuple[str, ...]


class Amend(NamedTuple):
    """Take elements out of the array `path` by their indices, and append others."""

    path: Path
    remove: tuple[int, ...]
    append: tuple[str, ...]


class Drop(NamedTuple):
    """Take a key or a whole table out."""

    path: Path


class Rename(NamedTuple):
    """Give the table `path` another last name."""

    path: Path
    name: str


class Add(NamedTuple):
    """A new table."""

    path: Path
    table: dict[str, Scalar]


Operation = Put | PutList | Amend | Drop | Rename | Add


def applied(tree: dict[str, Any], operations: Iterable[Operation]) -> dict[str, Any]:
    """A new tree with the operations applied; the parts they do not touch are shared with the old one."""
    copied: dict[int, dict[str, Any]] = {}  # the copies made here, which later operations may change in place

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
