"""Apply operations to the tree of a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mailpolicy.edit.operations import (
    Add,
    Amend,
    Drop,
    DropList,
    NewTable,
    Operation,
    Put,
    PutElement,
    PutList,
    Rename,
    Value,
)


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
                table[name] = table.pop(last)
            case Add(_, fresh):
                table[last] = _toml_value(fresh)
    return new


def _toml_value(value: Value | NewTable) -> object:
    if isinstance(value, Mapping):
        return {key: _toml_value(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value
