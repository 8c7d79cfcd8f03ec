"""A patch program of the tests' own."""

from __future__ import annotations


def patched(text: str, diff: str) -> str:
    """Apply a diff to a text: walk the hunks and insist on every context line."""
    old = text.split("\n") if text else []
    lines = diff.split("\n")
    assert lines[0].startswith("--- ")
    assert lines[1].startswith("+++ ")
    new: list[str] = []
    position = 0
    ends_bare = False
    index = 2
    while index < len(lines) and lines[index]:
        start = int(lines[index].split()[1].lstrip("-").split(",")[0])
        count = lines[index].split()[1].partition(",")[2] or "1"
        begin = start - 1 if int(count) else start
        new += old[position:begin]
        position = begin
        grown_start, _, grown = lines[index].split()[2].lstrip("+").partition(",")
        assert int(grown_start) == len(new) + (grown != "0"), "the hunk says where it stands in the new file"
        index += 1
        while index < len(lines) and lines[index] and not lines[index].startswith("@@"):
            mark, line = lines[index][0], lines[index][1:]
            if mark in " -":
                assert old[position] == line
                position += 1
            if mark in " +":
                new.append(line)
                ends_bare = False
            if mark == "\\" and lines[index - 1][0] in " +":
                ends_bare = True
            index += 1
    rest = old[position:]
    if rest == [""] and ends_bare:
        rest = []
    if rest:
        return "\n".join([*new, *rest])
    return "\n".join(new) + ("" if ends_bare or not new else "\n")
