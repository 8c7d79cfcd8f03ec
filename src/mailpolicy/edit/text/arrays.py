"""Add elements to an array and remove them, so that each undoes the other; the style of the array stays.

An element on lines of its own comes and goes with these lines, and with the comments that touch it from above. The others
come and go with the comma before them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mailpolicy.edit.text.diff import Splice, apply_splices
from mailpolicy.edit.text.layout import CannotWrite, Layout
from mailpolicy.store.locate import Entry, comments, skip_blank

_NAME = "array"
_INDENT = "    "


def amended(text: str, newline: str, remove: Collection[int], append: Sequence[str]) -> str:
    """Return the text of an array with elements removed, by their positions, and others appended, as they are written.

    Raises CannotWrite.
    """
    if remove:
        array = _Array(text, newline)
        text = array.changed(array.removal(remove))
    for value in append:
        array = _Array(text, newline)
        text = array.changed(array.addition(value))
    return text


class _Array:
    """The layout of one array, as the value of a key that is only there to make a document of it."""

    def __init__(self, text: str, newline: str) -> None:
        self.layout = Layout(f"{_NAME} = {text}", newline)
        self.text = self.layout.text
        entry = self.layout.entry((_NAME,))
        assert entry is not None, "the key is in the text"
        self.begin, self.end = entry.value + 1, entry.end - 1  # inside the brackets
        self.elements: list[Entry] = []
        while (element := self.layout.entry((_NAME, len(self.elements)))) is not None:
            self.elements.append(element)

    def changed(self, splices: list[Splice]) -> str:
        """Return the array with the splices made."""
        return apply_splices(self.text, splices)[self.layout.statements(())[0].value :]

    def addition(self, value: str) -> list[Splice]:
        """Return the splices that append an element."""
        if not self.elements:
            return [self._first(value)]
        last = self.elements[-1]
        comma, end = self._comma(last), self.layout.line_end(last.end)
        if self._lines(len(self.elements) - 1) is not None and (comma is None or comma < end):
            # On a line of its own below the last one, with a comma if that has one.
            indent = self.text[self.layout.line_start(last.start) : last.start]
            added = Splice(end, end, f"{self.layout.newline_at(end)}{indent}{value}{'' if comma is None else ','}")
            return [Splice(last.end, last.end, ","), added] if comma is None else [added]
        separator = ", "
        if len(self.elements) > 1:
            between = self.text[self.elements[-2].end : last.start]
            separator = between if between.strip(" \t") == "," else separator
        return [Splice(last.end, last.end, f"{separator}{value}")]

    def _first(self, value: str) -> Splice:
        inside = self.text[self.begin : self.end]
        if "\n" not in inside:
            return Splice(self.begin, self.end, f"{inside}{value}{inside}")
        # Above any comment, as a comment that touches an element from above would go with it.
        end = self.layout.line_end(self.begin)
        return Splice(end, end, f"{self.layout.newline}{_INDENT}{value},")

    def removal(self, positions: Collection[int]) -> list[Splice]:
        """Return the splices that remove elements. Raises CannotWrite."""
        stay = [index for index in range(len(self.elements)) if index not in positions]
        inline = [index for index in sorted(positions) if self._lines(index) is None]
        made = [Splice(*found, "") for index in sorted(positions) if (found := self._lines(index)) is not None]
        if inline and not stay and len(inline) == len(self.elements):
            return [self._without_comments(self._emptied())]
        for index in inline:
            # The elements ahead of the first that stays go with the comma behind them.
            before = stay and stay[0] < index
            start = self.elements[index - 1].end if before else self.elements[index].start
            stop = (
                self.elements[index].end
                if before or index + 1 == len(self.elements)
                else self.elements[index + 1].start
            )
            made.append(self._without_comments(Splice(start, stop, "")))
        if stay and stay[-1] < len(self.elements) - 1 and self._comma(self.elements[-1]) is None:
            # The comma behind the new last element was there for the removed ones.
            at = self._comma(self.elements[stay[-1]])
            if at is not None and not any(splice.start <= at < splice.end for splice in made):
                made.append(Splice(at, at + 1, ""))
        return _merged(made)

    def _emptied(self) -> Splice:
        left = self.text[self.begin : self.elements[0].start]
        right = self.text[self.elements[-1].end : self.end]
        return Splice(self.begin, self.end, left if left == right else "")

    def _without_comments(self, splice: Splice) -> Splice:
        if any(comments(self.text[splice.start : splice.end])):
            raise CannotWrite(splice.start, "a comment in this array would be lost")
        return splice

    def _lines(self, index: int) -> tuple[int, int] | None:
        return self.layout.lines_of_element((_NAME, index))

    def _comma(self, element: Entry) -> int | None:
        """Return the offset of the comma behind an element, or None if there is none."""
        position = skip_blank(self.text, element.end)
        return position if self.text.startswith(",", position) else None


def _merged(removals: list[Splice]) -> list[Splice]:
    """Return the removals in order, those that overlap as one."""
    merged: list[Splice] = []
    for start, end, _ in sorted(removals):
        if merged and start <= merged[-1].end:
            merged[-1] = Splice(merged[-1].start, max(merged[-1].end, end), "")
        else:
            merged.append(Splice(start, end, ""))
    return merged
