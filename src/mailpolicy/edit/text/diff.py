"""The unified diff of an edit, made from what was spliced and not by comparing the whole texts again.

Promises: `patch` accepts it, also without a newline at the end of the file. Not promised: the shortest possible diff.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import NamedTuple

_CONTEXT = 3
_COMPARED = 20_000  # lines


class Splice(NamedTuple):
    """Put `text` in the place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


class _Chunk(NamedTuple):
    """Lines `first` to `last` (exclusive) of the old text become `lines`."""

    first: int
    last: int
    lines: list[str]


def spliced(text: str, splices: Sequence[Splice]) -> str:
    """The text with the splices made; they are sorted and do not overlap."""
    parts: list[str] = []
    position = 0
    for start, end, new in splices:
        parts += (text[position:start], new)
        position = end
    return "".join([*parts, text[position:]])


def between(old: str, new: str) -> list[Splice]:
    """Splices that make the new text of the old one, line by line.

    Where very much differs it is one splice from the first to the last difference: comparing longer would take minutes.
    """
    before, after = _lines(old), _lines(new)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    rest = min(len(before), len(after)) - same
    ends = zip(reversed(before), reversed(after), strict=False)
    tail = min(rest, sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends)))
    before_middle, after_middle = before[same : len(before) - tail], after[same : len(after) - tail]
    blocks = [(0, len(before_middle), 0, len(after_middle))]
    if len(before_middle) + len(after_middle) <= _COMPARED:
        from difflib import SequenceMatcher  # costs start-up

        matcher = SequenceMatcher(None, before_middle, after_middle)
        blocks = [(first, last, begin, end) for tag, first, last, begin, end in matcher.get_opcodes() if tag != "equal"]
    starts = [0, *accumulate(map(len, before))]
    return [
        Splice(starts[same + first], starts[same + last], "".join(after_middle[begin:end]))
        for first, last, begin, end in blocks
        if (first, begin) != (last, end)
    ]


def unified(name: str, text: str, splices: Sequence[Splice]) -> str:
    """The unified diff of a file called `name` for the splices in its text."""
    lines = _lines(text)
    starts = [0, *accumulate(map(len, lines))]
    chunks: list[_Chunk] = []
    for group in _by_lines(starts, splices):
        first = _line(starts, group[0].start)
        last = min(_line(starts, group[-1].end) + 1, len(lines))
        begin = starts[first]
        moved = [Splice(start - begin, end - begin, new) for start, end, new in group]
        old = lines[first:last]
        new = _lines(spliced("".join(old), moved))
        same = 0
        while same < min(len(old), len(new)) and old[same] == new[same]:
            same += 1
        tail = 0
        while tail < min(len(old), len(new)) - same and old[-1 - tail] == new[-1 - tail]:
            tail += 1
        chunks.append(_Chunk(first + same, last - tail, new[same : len(new) - tail]))
    return "".join(_render(name, lines, chunks))


def _lines(text: str) -> list[str]:
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _line(starts: list[int], offset: int) -> int:
    """The line of an offset, from 0; the end of the text belongs to its last line."""
    return bisect_right(starts, offset, hi=max(1, len(starts) - 1)) - 1


def _by_lines(starts: list[int], splices: Sequence[Splice]) -> list[list[Splice]]:
    """The splices in groups that share no line."""
    groups: list[list[Splice]] = []
    reached = -1
    for splice in splices:
        line = _line(starts, splice.start)
        if groups and line <= reached:
            groups[-1].append(splice)
        else:
            groups.append([splice])
        reached = _line(starts, splice.end)
    return groups


def _quoted(name: str) -> str:
    """A file's name as git and `patch` read it: one that could be misread in quotes, its bytes in octal digits."""
    if name.isprintable() and '"' not in name and "\\" not in name:
        return name
    shown = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:03o}"
        for byte in name.encode("utf-8", "surrogateescape")
    )
    return f'"{shown}"'


def _render(name: str, lines: list[str], chunks: list[_Chunk]) -> list[str]:
    shown = _quoted(name)
    out = [f"--- {shown}\n", f"+++ {shown}\n"] if chunks else []
    shift = index = 0
    while index < len(chunks):
        following = index + 1
        while following < len(chunks) and chunks[following].first - chunks[following - 1].last <= 2 * _CONTEXT:
            following += 1
        hunk = chunks[index:following]
        begin, stop = max(0, hunk[0].first - _CONTEXT), min(len(lines), hunk[-1].last + _CONTEXT)
        grown = sum(len(chunk.lines) - (chunk.last - chunk.first) for chunk in hunk)
        out.append(f"@@ -{_span(begin, stop - begin)} +{_span(begin + shift, stop - begin + grown)} @@\n")
        position = begin
        for chunk in hunk:
            out += (_marked(" ", line) for line in lines[position : chunk.first])
            out += (_marked("-", line) for line in lines[chunk.first : chunk.last])
            out += (_marked("+", line) for line in chunk.lines)
            position = chunk.last
        out += (_marked(" ", line) for line in lines[position:stop])
        shift += grown
        index = following
    return out


def _span(begin: int, count: int) -> str:
    return f"{begin + 1 if count else begin},{count}" if count != 1 else f"{begin + 1}"


def _marked(mark: str, line: str) -> str:
    return f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n\\ No newline at end of file\n"
