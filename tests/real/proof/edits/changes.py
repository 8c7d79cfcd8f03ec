"""What an edit may do to the text, told from the trees before and after it alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.real.proof.edits.owners import BLANK, COMMENT, HEADER, KEY, Line, Path, owned_lines

_GAP = "gap"  # where the lines of a key were
_MARK = re.compile(r"~\d+(?:=\S+)?")
_ABSENT = object()
_Kept = tuple[str, Path, str]


def normal(tree: Mapping[str, Any], in_order: bool) -> dict[str, Any]:
    """The tree without empty tables at the top: they mean nothing, and the last account may take `accounts` along.

    An undo puts entries of lists back at their end, so that is compared without their order.
    """
    return {key: value if in_order else _sorted(value) for key, value in tree.items() if value != {}}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(inner) for key, inner in value.items()}
    return sorted(value) if isinstance(value, list) else value


def verify_text(
    old: str,
    new: str,
    before: dict[str, Any],
    after: dict[str, Any],
    renamed: Mapping[Path, Path],
    replaced: Path | None,
) -> None:
    """Assert that only lines of what changed differ, and that every comment stands where it stood, with the same owner.

    `replaced` is a list that was written anew, with everything in it.
    """
    before = _renamed_tree(before, renamed)
    changed = set(_differences(before, after, ()))
    one = [line._replace(owner=_renamed(line.owner, renamed)) for line in owned_lines(old)]
    two = owned_lines(new)
    headers = {line.owner for line in one if line.kind == HEADER} ^ {line.owner for line in two if line.kind == HEADER}
    # A header that an edit leaves or makes for an account whose only trace was a table in it may keep that table's comment.
    fresh = {owner for owner in headers if len(owner) == 2}
    gone = {path for path in changed if _at(after, path) is _ABSENT}
    lost = gone | ({replaced} if replaced else set())

    def kept(lines: list[Line]) -> Iterator[_Kept]:
        for kind, owner, text in lines:
            text = text.rstrip("\r")
            if kind == BLANK:
                if not headers:
                    yield kind, owner, ""
            elif kind == KEY:
                if not any(_meet(path, owner) for path in changed):
                    yield (
                        kind,
                        owner,
                        _comment_of(text) if any(_meet(path, owner) for path in renamed.values()) else text,
                    )
                elif any(owner[: len(path)] == path for path in gone) and lines is one and not headers:
                    yield _GAP, (), ""
            elif kind == HEADER:
                within = any(path[: len(owner)] == owner for path in changed) and owner in headers
                if not (_inside(owner, changed) or (within and "#" not in text)):
                    yield kind, owner, _comment_of(text) if _inside(owner, renamed.values()) else text
            elif not (owner and _inside(owner, changed)) and owner[:2] not in fresh:
                yield kind, owner, text

    kept_two = _without_last_blanks(list(kept(two)))
    kept_one = _without_last_blanks(_without_gaps(list(kept(one)), kept_two))
    for number, (line, other) in enumerate(zip(kept_one, kept_two, strict=False)):
        # A comment below a last key that goes may be parted from the other keys then, by the blank line above that key.
        if line[0] == COMMENT and other[1] == () and any(path[: len(line[1])] == line[1] != path for path in gone):
            kept_one[number] = (line[0], (), line[2])
    assert kept_one == kept_two, "lines of what did not change differ: " + repr(
        next(
            (pair for pair in zip(kept_one, kept_two, strict=False) if pair[0] != pair[1]),
            (kept_one[len(kept_two) :], kept_two[len(kept_one) :]),
        )
    )
    _verify_comments(one, two, after, changed, lost)
    assert (old.count("\r\n") == old.count("\n")) <= (new.count("\r\n") == new.count("\n") or "\n" not in old), (
        "line ends"
    )
    assert old.startswith("\ufeff") == new.startswith("\ufeff")


def _without_gaps(one: list[_Kept], two: list[_Kept]) -> list[_Kept]:
    """Lines with a blank one where a key was, if there is one now: it parts a comment from the next header."""
    found: list[_Kept] = []
    for number, line in enumerate(one):
        following = next((other for other in one[number:] if other[0] != _GAP), None)
        if line[0] != _GAP:
            found.append(line)
        elif following is not None and following[0] != BLANK and found and found[-1][0] == COMMENT:
            found += [line for line in two[len(found) : len(found) + 1] if line == (BLANK, (), "")]
    return found


def _without_last_blanks(lines: list[_Kept]) -> list[_Kept]:
    """Lines without blank ones at the end: the last one shows only if its line ends."""
    while lines and lines[-1][0] == BLANK:
        lines.pop()
    return lines


def _verify_comments(one: list[Line], two: list[Line], after: Any, changed: set[Path], gone: set[Path]) -> None:
    """Assert that the comments in a changed statement are still in it, but those of an element that went."""
    statements: dict[Path, str] = {line.owner: line.text for line in two if line.kind == KEY}
    for line in one:
        if line.kind != KEY or not any(_meet(path, line.owner) for path in changed):
            continue
        value = _at(after, line.owner)
        if value is _ABSENT or any(path[: len(line.owner)] == line.owner for path in gone):
            continue
        for mark in _MARK.findall(line.text):
            element = mark.partition("=")[2]
            assert mark in statements.get(line.owner, "") or (element and element not in value), f"{mark} is lost"


def _comment_of(text: str) -> str:
    return text[text.rindex("#") :] if "# ~" in text else ""


def _renamed(path: Path, renamed: Mapping[Path, Path]) -> Path:
    for old, new in renamed.items():
        if path[: len(old)] == old:
            return (*new, *path[len(old) :])
    return path


def _renamed_tree(tree: dict[str, Any], renamed: Mapping[Path, Path]) -> dict[str, Any]:
    new = dict(tree)
    for (top, old), (_, name) in renamed.items():
        new[top] = {name if key == old else key: value for key, value in new[top].items()}
    return new


def _differences(old: Any, new: Any, path: Path) -> Iterator[Path]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new or type(old) is not type(new):
            yield path
        return
    for key in {**old, **new}:
        yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), (*path, key))


def _at(tree: Any, path: Path) -> Any:
    for part in path:
        if not isinstance(tree, dict) or part not in tree:
            return _ABSENT
        tree = tree[part]
    return tree


def _inside(path: Path, others: Any) -> bool:
    return any(path[: len(other)] == other for other in others)


def _meet(one: Path, other: Path) -> bool:
    return one[: len(other)] == other[: len(one)]
