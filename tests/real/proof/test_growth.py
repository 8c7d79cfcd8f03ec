"""Readers survive any input: the work of each grows as its input does, at three times the sizes of tests/test_work.py."""

from __future__ import annotations

import pytest

from tests.readers.growth import grows_in_proportion
from tests.readers.shapes import SHAPES
from tests.real.proof.promises import PROVE, Promise, Tried, scaled

# Nesting has a limit of the parser, and only names up to a limit get a suggestion.
_LIMITED = ("in arrays", "in inline tables", "of many parts", "alike", "misspelled", "objects in objects")
_NAMES = [name for name in SHAPES if not any(word in name for word in _LIMITED)]


@pytest.mark.parametrize("name", _NAMES if PROVE else _NAMES[::12])
def test_work_and_memory_grow_as_the_input(name: str, tried: Tried) -> None:
    grows_in_proportion(SHAPES[name], SHAPES[name].size * scaled(3, 1))
    tried(Promise.READERS, 1, "shapes of input, doubled: work and memory double")
