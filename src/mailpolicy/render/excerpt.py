"""A line of a file with a caret below the place of a finding, for a terminal.

Control characters are escaped. The caret is in the right place also among tabs and wide characters, and of a long line
only the part around it is shown, so that nothing wraps.
"""

from __future__ import annotations

from rich.cells import cell_len

from mailpolicy.policy.names import printable

_TAB = " " * 4
_MORE = "..."
_LEAST = 20  # cells of the line, on however narrow a terminal


def lines(number: int, column: int, source: str, width: int) -> list[str]:
    """Return the lines of the excerpt, none wider than the terminal; number and column count from 1."""
    margin = " " * len(str(number))
    before, after = _window(source.rstrip("\r"), column - 1, max(width - len(margin) - len(" | "), _LEAST))
    return [
        f"{margin} |",
        f"{number} | {before}{after}".rstrip(),
        f"{margin} | {' ' * cell_len(before)}^",
    ]


def _window(source: str, at: int, room: int) -> tuple[str, str]:
    """Return the text shown before the caret and from it on, together no wider than `room`; a cut end is marked."""
    # Only what could be shown is looked at, however long the line.
    before, after = _shown(source[max(at - room, 0) : at]), _shown(source[at : at + room])
    head = _fitting(before[::-1], max(room // 2, room - max(_cells(after), 1)), cut=at > room)[::-1]
    tail = _fitting(after, room - _cells(head), cut=len(source) > at + room)
    return "".join(head), "".join(tail)


def _cells(characters: list[str]) -> int:
    return sum(map(cell_len, characters))


def _shown(text: str) -> list[str]:
    return [_TAB if character == "\t" else printable(character) for character in text]


def _fitting(characters: list[str], room: int, *, cut: bool) -> list[str]:
    """Return as many of the characters as fit into `room`, with a mark if some are cut."""
    if not cut and _cells(characters) <= room:
        return characters
    kept: list[str] = []
    left = room - len(_MORE)
    for character in characters:
        left -= cell_len(character)
        if left < 0:
            break
        kept.append(character)
    return [*kept, _MORE]
