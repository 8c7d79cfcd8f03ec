"""Splices of a text, and their unified diff, which is made without comparing the whole texts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import NamedTuple

_CONTEXT = 3  # lines
_MAX_COMPARED = 20_000  # lines; difflib takes minutes for more


class Splice(NamedTuple):
    """Replace the characters from `start` to `end` by `text`."""

    start: int
    end: int
    text: str


class _Change(NamedTuple):
    """Lines `first` to `last` (exclusive) of the old text become `lines`."""

    first: int
    last: int
    lines: list[str]


def apply_splices(text: str, splices: Sequence[Splice]) -> str:
    """Return the text with the splices made, which must be sorted and must not overlap."""
    parts: list[str] = []
    position = 0
    for start, end, new in splices:
        parts += (text[position:start], new)
        position = end
    return "".join([*parts, text[position:]])


def compare(old: str, new: str) -> list[Splice]:
    """Return splices of whole lines that turn the old text into the new one.

    If a great deal differs it is one splice from the first difference to the last.
    """
    before, after = _lines(old), _lines(new)
    same, tail = _common_ends(before, after)
    before_middle, after_middle = before[same : len(before) - tail], after[same : len(after) - tail]
    ranges = [(0, len(before_middle), 0, len(after_middle))]
    if len(before_middle) + len(after_middle) <= _MAX_COMPARED:
        from difflib import SequenceMatcher  # costs start-up

        matcher = SequenceMatcher(None, before_middle, after_middle)
        ranges = [(first, last, begin, end) for tag, first, last, begin, end in matcher.get_opcodes() if tag != "equal"]
    starts = [0, *accumulate(map(len, before))]
    return [
        Splice(starts[same + first], starts[same + last], "".join(after_middle[begin:end]))
        for first, last, begin, end in ranges
        if (first, begin) != (last, end)
    ]


def unified_diff(name: str, text: str, splices: Sequence[Splice]) -> str:
    """Return the unified diff of the splices in a file called `name`; "" if they change nothing.

    `patch` accepts it even if the last line has no line ending. It may be longer than the shortest diff.
    """
    lines = _lines(text)
    starts = [0, *accumulate(map(len, lines))]
    changes: list[_Change] = []
    for group in _group_by_lines(starts, splices):
        first = _line_at(starts, group[0].start)
        last = min(_line_at(starts, group[-1].end) + 1, len(lines))
        begin = starts[first]
        moved = [Splice(start - begin, end - begin, new) for start, end, new in group]
        old = lines[first:last]
        new = _lines(apply_splices("".join(old), moved))
        same, tail = _common_ends(old, new)
        changes.append(_Change(first + same, last - tail, new[same : len(new) - tail]))
    return "".join(_render(name, lines, changes))


def _lines(text: str) -> list[str]:
    # Only at \n: str.splitlines() also splits at separators that TOML allows inside a line.
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _common_ends(old: list[str], new: list[str]) -> tuple[int, int]:
    """Return the number of equal lines at the start, and of those at the end that are not among the former."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    ends = zip(reversed(old), reversed(new), strict=False)
    tail = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    return same, min(tail, min(len(old), len(new)) - same)


def _line_at(starts: list[int], offset: int) -> int:
    """Return the index of the line at an offset; the end of the text belongs to its last line."""
    return bisect_right(starts, offset, hi=max(1, len(starts) - 1)) - 1


def _group_by_lines(starts: list[int], splices: Sequence[Splice]) -> list[list[Splice]]:
    """Group the splices so that no two groups share a line."""
    groups: list[list[Splice]] = []
    reached = -1
    for splice in splices:
        line = _line_at(starts, splice.start)
        if groups and line <= reached:
            groups[-1].append(splice)
        else:
            groups.append([splice])
        reached = _line_at(starts, splice.end)
    return groups


def _quoted(name: str) -> str:
    """Return a file name as git and `patch` read it: in quotes with octal escapes if it could be misread."""
    if name.isprintable() and '"' not in name and "\\" not in name:
        return name
    shown = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:03o}"
        for byte in name.encode("utf-8", "surrogateescape")
    )
    return f'"{shown}"'


def _render(name: str, lines: list[str], changes: list[_Change]) -> list[str]:
    shown = _quoted(name)
    out = [f"--- {shown}\n", f"+++ {shown}\n"] if changes else []
    shift = index = 0
    while index < len(changes):
        following = index + 1
        # Changes whose contexts touch share a hunk.
        while following < len(changes) and changes[following].first - changes[following - 1].last <= 2 * _CONTEXT:
            following += 1
        hunk = changes[index:following]
        begin, stop = max(0, hunk[0].first - _CONTEXT), min(len(lines), hunk[-1].last + _CONTEXT)
        growth = sum(len(change.lines) - (change.last - change.first) for change in hunk)
        out.append(f"@@ -{_range(begin, stop - begin)} +{_range(begin + shift, stop - begin + growth)} @@\n")
        position = begin
        for change in hunk:
            out += (_marked(" ", line) for line in lines[position : change.first])
            out += (_marked("-", line) for line in lines[change.first : change.last])
            out += (_marked("+", line) for line in change.lines)
            position = change.last
        out += (_marked(" ", line) for line in lines[position:stop])
        shift += growth
        index = following
    return out


def _range(begin: int, count: int) -> str:
    # An empty range is written with the line before it, and a count of one is left out.
    return f"{begin + 1 if count else begin},{count}" if count != 1 else f"{begin + 1}"


def _marked(mark: str, line: str) -> str:
    return f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n\\ No newline at end of file\n"
