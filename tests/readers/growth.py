"""How the work and the memory of a reader grow with its input.

Work is counted and not timed: the lines of Python that run, and the calls of functions in C. What such a function does
inside is not seen, so tests/test_patterns.py gives each regular expression the input that is worst for it.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

from tests.readers import READERS, printed
from tests.readers.shapes import Shape

FACTOR = 2.4  # for twice the input


def work(act: Callable[[], object]) -> int:
    """Return how many lines ran and how many functions in C were called."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "c_call"

    before = sys.gettrace(), sys.getprofile()
    sys.setprofile(profile)
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return count


def peak(act: Callable[[], object]) -> int:
    """Return the most bytes that were taken at one time, as if Python never looked for cycles: when it does is chance."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.enable()


def grows_in_proportion(shape: Shape, size: int) -> None:
    """Check that twice the input of a shape is about twice the work and twice the memory."""
    sizes = (1, size, 2 * size)
    inputs = [found.encode() if isinstance(found := shape.make(each), str) else found for each in sizes]

    def reading(data: bytes) -> Callable[[], object]:
        return lambda: printed(READERS[shape.reader].read, data)

    reading(inputs[0])()  # what is made once
    constant, once, twice = (work(reading(data)) for data in inputs)
    assert twice - constant <= FACTOR * max(once - constant, constant), f"{constant}, {once}, {twice}"
    once, twice = (peak(reading(data)) for data in inputs[1:])
    assert twice <= FACTOR * once + shape.slack, f"{once} and {twice} bytes"
