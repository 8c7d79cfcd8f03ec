"""Write TOML values, and change arrays in place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from mailpolicy.diagnostics import dotted
from mailpolicy.edit.operations import Amend, NewTable, Value
from mailpolicy.edit.text.arrays import amended
from mailpolicy.edit.text.diff import Splice
from mailpolicy.edit.text.layout import CannotWrite, Layout
from mailpolicy.store.locate import Entry


def literal(value: Value | NewTable, replaced: str = "") -> str:
    """Return a value as TOML writes it on one line, in single quotes if the value that it replaces is."""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(pair(*item) for item in value.items())} }}" if value else "{}"
    if isinstance(value, date):
        from mailpolicy.policy import dates  # only for a date

        return dates.text(value)
    if not isinstance(value, str):
        return str(value)
    if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
        return f"'{value}'" if replaced.startswith("'") and "'" not in value else f'"{value}"'
    import tomlkit  # 30 ms, only for a string that needs escapes

    return tomlkit.item(value).as_string()


def pair(key: str, value: Value | NewTable) -> str:
    """Return a key with its value on one line."""
    return f"{dotted((key,))} = {literal(value)}"


def array(values: tuple[str, ...], newline: str) -> str:
    """Return an array with one element a line, as TOML writes it."""
    elements = newline.join(f"    {literal(value)}," for value in values)
    return f"[{newline}{elements}{newline}]"


def amend(layout: Layout, entry: Entry, operation: Amend) -> Splice:
    """Return the splice that removes and appends elements of the array that `entry` writes. Raises CannotWrite."""
    text = layout.text[entry.value : entry.end]
    if not text.startswith("["):
        raise CannotWrite(entry.start, "this value is not an array")
    try:
        changed = amended(text, layout.newline, operation.remove, [literal(value) for value in operation.append])
    except CannotWrite as reason:
        raise CannotWrite(entry.start, str(reason)) from None
    return Splice(entry.value, entry.end, changed)
