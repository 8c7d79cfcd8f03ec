"""Twice the input is about twice the work and twice the memory, for every reader and every shape of its input."""

from __future__ import annotations

import pytest

from tests.readers.growth import grows_in_proportion
from tests.readers.shapes import SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_twice_the_input_is_twice_the_work(name: str) -> None:
    grows_in_proportion(SHAPES[name], SHAPES[name].size)
