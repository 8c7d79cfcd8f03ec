"""Say in words what a change of the journal changes."""

from __future__ import annotations

from typing import Any

from mailpolicy.edit.history.changes import KeyChange, ListChange, Renaming, TreeChange
from mailpolicy.edit.operations import Path, toml_text
from mailpolicy.policy.names import NameRejected, account_address

_NAMED = {"accounts": "account", "templates": "template", "networks": "network"}  # tables of tables


def address(path: Path) -> str | None:
    """Return the address of the account whose table the key is in, None if it is in no account's."""
    if path[0] != "accounts" or len(path) < 2:
        return None
    try:
        return account_address(path[1])
    except NameRejected:
        return path[1]


def subject(path: Path) -> tuple[str, str]:
    """Return whom a change is about, and the key."""
    kind = _NAMED.get(path[0])
    if kind is None or len(path) < 2:
        return path[0], ".".join(path[1:]) or path[0]
    name = address(path) or f"{kind} {path[1]}"
    return name, ".".join(path[2:]) or kind


def state(change: TreeChange) -> str:
    """Return how it is after the change."""
    match change:
        case KeyChange(_, old, None):
            return "removed" if isinstance(old, dict) else "not set"
        case KeyChange(_, _, new):
            return "added" if isinstance(new, dict) else _value(new)
        case ListChange(_, removed, added):
            return " ".join([*(f"-{text}" for text in removed), *(f"+{text}" for text in added)])
        case Renaming(path, _):
            return f"renamed from {path[-1]}"


def sentence(change: TreeChange) -> str:
    """Return the whole change in one line."""
    who, key = subject(change.new_path if isinstance(change, Renaming) else change.path)
    was = f" (was {_value(change.old)})" if isinstance(change, KeyChange) and _is_value(change.old) else ""
    what = who if who.startswith(f"{key} ") else f"{who} {key}"
    return f"{what} {state(change)}{was}"


def _is_value(value: Any) -> bool:
    return value is not None and not isinstance(value, dict)


def _value(value: Any) -> str:
    return toml_text(tuple(value) if isinstance(value, list) else value)
