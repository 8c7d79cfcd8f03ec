"""A page of facts for a terminal: sections of labelled entries, as wide as the terminal at most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailpolicy.policy.names import printable
from mailpolicy.render.table import Paint, plain, wrapped

_INDENT = "  "
_WIDEST_LABEL = 46  # a longer one stands in a line of its own


class Entry(NamedTuple):
    """A label and the text beside it; `style` is the label's."""

    label: str
    text: str = ""
    style: str = ""


class Section(NamedTuple):
    """A title and its entries; a page begins with one whose title is its subject."""

    title: str
    entries: list[Entry]


def page(sections: Iterable[Section], width: int, paint: Paint = plain) -> Iterator[str]:
    """Yield the lines of a page; a section without entries is left out, and so is its title."""
    shown = [section for section in sections if section.entries]
    for index, section in enumerate(shown):
        if index:
            yield ""
        yield paint("heading", printable(section.title))
        labels = [printable(entry.label) for entry in section.entries]
        column = max((len(label) for label in labels if len(label) <= _WIDEST_LABEL), default=0)
        for label, entry in zip(labels, section.entries, strict=True):
            room = max(width - len(_INDENT) - column - 2, 20)
            lines = wrapped(printable(entry.text), room) if entry.text else []
            if len(label) > column:
                start = _INDENT + " " * (len(label) - len(label.lstrip()))
                for line in wrapped(label.strip(), max(width - len(start), 20)):
                    yield start + paint(entry.style, line)
                label = ""
                if not lines:
                    continue
            first = lines.pop(0) if lines else ""
            yield f"{_INDENT}{paint(entry.style, label)}{' ' * (column - len(label))}  {first}".rstrip()
            yield from (f"{_INDENT}{' ' * column}  {line}" for line in lines)
