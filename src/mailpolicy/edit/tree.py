"""Apply operations to the tree of a store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mailpolicy.edit.operations import Add, Amend, Drop, DropList, Operation, Put, PutElement, PutList, Rename, Value


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
                table[last] = _toml_value(value)
            case PutList(_, values) | Amend(_, _, _, values):
                table[last] = list(values)
            case PutElement(_, index, value):
                table[last] = [value if at == index else text for at, text in enumerate(table[last])]
            case Drop() | DropList():
                del table[last]
            case Rename(_, name):
                items = [(name if key == last else key, value) for key, value in table.items()]
                table.clear()
                table.update(items)
            case Add(_, fresh):
                table[last] = {key: _toml_value(value) for key, value in fresh.items()}
    return new


def _toml_value(value: Value) -> object:
    return list(value) if isinstance(value, tuple) else value
