"""Adding an element to an array and removing it: each style keeps its style, and gives its own bytes back."""

from __future__ import annotations

import pytest
import tomli

from mailpolicy.edit.text.arrays import amended
from mailpolicy.edit.text.layout import CannotWrite

# An array, and with "new" behind it.
STYLES = [
    ("[]", '["new"]'),
    ("[ ]", '[ "new" ]'),
    ("[\n]", '[\n    "new",\n]'),
    ("[ # all\n  # none yet\n  ]", '[ # all\n    "new",\n  # none yet\n  ]'),
    ('["a"]', '["a", "new"]'),
    ("['a']", "['a', \"new\"]"),
    ('[ "a" ]', '[ "a", "new" ]'),
    ('["a",]', '["a", "new",]'),
    ('[ "a", ]', '[ "a", "new", ]'),
    ('["a","b"]', '["a","b","new"]'),
    ('["a" , "b"]', '["a" , "b" , "new"]'),
    ('["a, # b"]', '["a, # b", "new"]'),
    ('[\n  "a",\n]', '[\n  "a",\n  "new",\n]'),
    ('[\n\t"a",\n\t"b"\n]', '[\n\t"a",\n\t"b",\n\t"new"\n]'),
    ('[\n  "a", # one\n  "b" # two\n  # end\n]', '[\n  "a", # one\n  "b", # two\n  "new"\n  # end\n]'),
    ('[ # why\n  # one\n  "a", # x\n\n  # two\n  "b", # y\n]', '[ # why\n  # one\n  "a", # x\n\n  # two\n  "b", # y\n  "new",\n]'),
    ('["a",\n "b"]', '["a",\n "b", "new"]'),
    ('["a"\n]', '["a", "new"\n]'),
    ('[\n  "a", "b",\n]', '[\n  "a", "b", "new",\n]'),
    ('[\n  "a"\n  , "b"\n]', '[\n  "a"\n  , "b", "new"\n]'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "more"), STYLES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_there_and_back(text: str, more: str, newline: str) -> None:
    text, more = text.replace("\n", newline), more.replace("\n", newline)
    assert amended(text, newline, (), ['"new"']) == more
    assert amended(more, newline, [more.count('"') // 2 - 1 + more.count("'") // 2], []) == text


# An array, the positions to remove, and the rest.
REMOVED = [
    ('["a", "b", "c"]', [0], '["b", "c"]'),
    ('["a", "b", "c"]', [0, 1], '["c"]'),
    ('["a", "b", "c"]', [0, 2], '["b"]'),
    ('["a", "b",]', [1], '["a",]'),
    ('[ "a", "b" ]', [0, 1], "[ ]"),
    ('[\n  # one\n  "a", # x\n\n  "b", # y\n]', [0], '[\n\n  "b", # y\n]'),
    ('[\n  "a",\n  # two\n  "b"\n]', [1], '[\n  "a"\n]'),
    ('[\n  "a",\n  "b"\n]', [0], '[\n  "b"\n]'),
    ('[\n  "a", "b",\n  "c",\n]', [0, 2], '[\n  "b",\n]'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "positions", "rest"), REMOVED)
def test_removals(text: str, positions: list[int], rest: str) -> None:
    assert amended(text, "\n", positions, []) == rest
    left = [value for index, value in enumerate(_value(text)) if index not in positions]
    assert _value(rest) == left


def _value(text: str) -> list[str]:
    value: list[str] = tomli.loads(f"value = {text}")["value"]
    return value


def test_a_comment_beside_an_element_is_not_lost() -> None:
    with pytest.raises(CannotWrite, match="a comment in this array would be lost"):
        amended('["a", # why\n "b"]', "\n", [0], [])
