"""Write TOML values, and change arrays in place."""

from __future__ import annotations

from datetime import date
from typing import Any

from mailpolicy.edit.operations import Amend, Value
from mailpolicy.edit.text.diff import Splice, apply_splices
from mailpolicy.edit.text.layout import CannotWrite, Layout
from mailpolicy.policy import dates
from mailpolicy.store.locate import Entry, comments


def literal(value: Value, replaced: str = "") -> str:
    """Return a value as TOML writes it on one line, in single quotes if the value that it replaces is."""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, date):
        return dates.text(value)
    if not isinstance(value, str):
        return str(value)
    if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
        return f"'{value}'" if replaced.startswith("'") and "'" not in value else f'"{value}"'
    import tomlkit  # 30 ms, only for a string that needs escapes

    return tomlkit.item(value).as_string()


def array(values: tuple[str, ...], newline: str) -> str:
    """Return an array with one element a line, as TOML writes it."""
    elements = newline.join(f"    {literal(value)}," for value in values)
    return f"[{newline}{elements}{newline}]"


def amend(layout: Layout, entry: Entry, operation: Amend) -> Splice:
    """Return the splice that removes and appends elements of the array that `entry` writes. Raises CannotWrite."""
    # Elements on lines of their own are cut out of the text with their comments; tomlkit removes the others.
    lines = {index: layout.lines_of_element((*operation.path, index)) for index in sorted(operation.remove)}
    whole_lines = [Splice(*found, "") for found in lines.values() if found is not None]
    gone = [index for index, found in lines.items() if found is not None]
    remaining = [index - sum(one < index for one in gone) for index, found in lines.items() if found is None]
    splice = _with_tomlkit(layout, entry, whole_lines, remaining, operation.append)
    if not operation.remove:
        before = [text for _, text in comments(layout.text[entry.value : entry.end])]
        if before != [text for _, text in comments(splice.text)]:
            raise CannotWrite(entry.start, "the comments in this array would be lost")
    return splice


def _with_tomlkit(
    layout: Layout, entry: Entry, cuts: list[Splice], remove: list[int], append: tuple[str, ...]
) -> Splice:
    """Make the cuts in an array's text, then let tomlkit remove and append elements of it, and of nothing else."""
    import tomlkit  # 30 ms, only for a change inside an array
    from tomlkit.exceptions import TOMLKitError

    try:
        begin = entry.value
        text = apply_splices(
            layout.text[begin : entry.end], [Splice(cut.start - begin, cut.end - begin, "") for cut in cuts]
        )
        document = tomlkit.parse(f"value = {text}\n")
        changed: Any = document["value"]
        for index in reversed(remove):
            del changed[index]
        for value in append:
            changed.append(value)
        text = document["value"].as_string()
    except (TOMLKitError, ValueError, LookupError, TypeError) as error:
        raise CannotWrite(entry.start, f"this value cannot be edited safely ({type(error).__name__})") from None
    if layout.newline == "\r\n":
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")  # tomlkit writes new lines with LF
    return Splice(entry.value, entry.end, text)
