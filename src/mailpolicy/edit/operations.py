"""Operations on the TOML tree of a store, apart from how the text shows them.

They do not check whether the changed tree is a valid store.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

Scalar = bool | int | str | date
Value = Scalar | tuple[str, ...]  # a tuple is written as an array on one line
NewTable = Mapping[str, "Value | NewTable"]  # a table inside a new table gets a header of its own below it
Path = tuple[str, ...]


def differences(existing: Mapping[str, Value | None], wanted: Mapping[str, Value | None]) -> str:
    """Return the existing settings that are not as wanted, such as `pop = true, no template`; "" if all are."""
    return ", ".join(
        f"no {key}" if (old := existing.get(key)) is None else f"{key} = {toml_text(old)}"
        for key, value in wanted.items()
        if existing.get(key) != value
    )


def toml_text(value: Value | NewTable) -> str:
    """Return a value for a sentence, as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_text, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {toml_text(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, date):
        from mailpolicy.policy import dates  # only for a date

        return dates.text(value)
    return repr(str(value)) if isinstance(value, str) else str(value)  # str() of an enum is its value


class Put(NamedTuple):
    """Set the key `path`, in its place or after the last key of its table."""

    path: Path
    value: Value


class PutList(NamedTuple):
    """Write the array `path` anew, with one element a line."""

    path: Path
    values: tuple[str, ...]


class Amend(NamedTuple):
    """Make the array `path` the one in `values`: remove elements by their indices, and append others.

    The text is changed by the indices and the tree by the values, so that the proof of an edit compares the two.
    """

    path: Path
    remove: tuple[int, ...]
    append: tuple[str, ...]
    values: tuple[str, ...]


def replacing(path: Path, old: Value | None, new: Value) -> Put | Amend:
    """Return the operation that sets a key; an array is amended if it only loses elements and gets others at its end."""
    if isinstance(old, tuple) and isinstance(new, tuple):
        kept = tuple(element for element in old if element in new)
        if new[: len(kept)] == kept:
            gone = tuple(index for index, element in enumerate(old) if element not in new)
            return Amend(path, gone, new[len(kept) :], new)
    return Put(path, new)


class PutElement(NamedTuple):
    """Replace one element of the array `path`."""

    path: Path
    position: int
    value: str


class Drop(NamedTuple):
    """Remove a key or a whole table."""

    path: Path


class DropList(NamedTuple):
    """Remove the array `path` with its elements, or only these if the key would not come back as it was written."""

    path: Path
    values: tuple[str, ...]


class Rename(NamedTuple):
    """Give the table `path` another last name."""

    path: Path
    name: str


class Add(NamedTuple):
    """Add a table with the tables in it."""

    path: Path
    table: Mapping[str, Value | NewTable]


Operation = Put | PutList | PutElement | Amend | Drop | DropList | Rename | Add
