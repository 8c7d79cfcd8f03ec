"""Check that no regular expression of the program meets a fault of a Python that we support."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages

import mailpolicy

_ONE_CHARACTER = {"LITERAL", "NOT_LITERAL", "IN", "ANY"}


def _patterns() -> Iterator[re.Pattern[str]]:
    """Every pattern that is a constant of a module, or in a tuple that is one."""
    for module in walk_packages(mailpolicy.__path__, "mailpolicy."):
        if module.name.endswith("__main__"):
            continue  # it runs the program
        for value in vars(import_module(module.name)).values():
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, re.Pattern):
                    yield one


def _possessive(tree: object) -> Iterator[list[tuple[object, object]]]:
    """What a parsed pattern repeats possessively."""
    if isinstance(tree, tuple) and len(tree) == 2 and str(tree[0]) == "POSSESSIVE_REPEAT":
        yield tree[1][2]
    if isinstance(tree, (tuple, list)) or hasattr(tree, "data"):
        for part in tree:  # type: ignore[attr-defined]
            yield from _possessive(part)


def test_only_single_characters_are_repeated_possessively() -> None:
    """A possessive group matches wrongly before Python 3.11.5: an atomic group says the same, and works."""
    patterns = {pattern.pattern: pattern.flags for pattern in _patterns() if isinstance(pattern.pattern, str)}
    found = 0
    for pattern, flags in patterns.items():
        for repeated in _possessive(re._parser.parse(pattern, flags & ~re.U)):  # type: ignore[attr-defined]
            found += 1
            assert [str(operation) for operation, _ in repeated if str(operation) not in _ONE_CHARACTER] == [], pattern
    assert found > 50
