"""Lines of a text by character offset; a text may mix LF and CRLF."""

from __future__ import annotations


def newline_of(text: str) -> str:
    """Return the line ending to use in a text."""
    return "\r\n" if "\r\n" in text else "\n"


class Lines:
    """The lines of one text. The end of a line is always before its line ending."""

    def __init__(self, text: str, newline: str) -> None:
        self.text = text
        self.newline = newline  # for a line after a last line that has none

    def line_start(self, offset: int) -> int:
        """Return the start of the line at `offset`."""
        return self.text.rfind("\n", 0, offset) + 1

    def line_end(self, offset: int) -> int:
        """Return the end of the line at `offset`."""
        end = self.text.find("\n", offset)
        if end == -1:
            return len(self.text)
        return end - 1 if end > offset and self.text[end - 1] == "\r" else end

    def newline_at(self, end: int) -> str:
        """Return the line ending at `end`, or that of the other lines if the last line has none."""
        if self.text.startswith("\r\n", end):
            return "\r\n"
        return "\n" if self.text.startswith("\n", end) else self.newline

    def next_line(self, end: int) -> int:
        """Return the start of the line after the one that ends at `end`."""
        if self.text.startswith("\r\n", end):
            return end + 2
        return end + 1 if self.text.startswith("\n", end) else len(self.text)

    def end_above(self, start: int) -> int:
        """Return the end of the line above the one that begins at `start`."""
        return start - 2 if self.text.endswith("\r\n", 0, start) else max(0, start - 1)

    def is_blank(self, offset: int) -> bool:
        """Return whether there is only white space from `offset` to the end of its line."""
        return self.text[offset : self.line_end(offset)].strip(" \t") == ""

    def is_comment(self, start: int, end: int) -> bool:
        """Return whether the line from `start` to `end` is a comment."""
        return self.text[start:end].lstrip(" \t").startswith("#")

    def content_before(self, start: int) -> int:
        """Return the end of the last line above `start` that is not blank, or 0."""
        end = start
        while end > 0 and self.text[end - 1] in " \t\r\n":
            end -= 1
        return self.line_end(end) if end else 0

    def blank_lines_above(self, start: int) -> int:
        """Return the number of blank lines directly above the line that begins at `start`."""
        return max(0, self.text.count("\n", self.content_before(start), start) - 1)

    def is_comment_above(self, start: int) -> bool:
        """Return whether the line above the one that begins at `start` is a comment."""
        return start > 0 and self.is_comment(self.line_start(start - 1), start)

    def is_between_lines(self, offset: int) -> bool:
        """Return whether a line begins or ends at `offset`."""
        return offset in (self.line_start(offset), self.line_end(offset))

    def leads_to_header(self, offset: int, added: str) -> bool:
        """Return whether a header follows `offset`, where a line begins or ends, with only comments between.

        `added` is text that is inserted there.
        """
        if added:
            first, _, rest = added.lstrip("\r").partition("\n")
            return not first and rest.startswith("[")
        start = offset if offset == self.line_start(offset) else self.next_line(offset)
        while start < len(self.text) and self.is_comment(start, self.line_end(start)):
            start = self.next_line(self.line_end(start))
        return self.text[start : self.line_end(start)].lstrip(" \t").startswith("[")
