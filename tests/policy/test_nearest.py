"""The number of slips between two names is that of the table that defines it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailpolicy.policy.nearest import _edits
from tests.readers.growth import work

names = st.text(alphabet="ab0", max_size=9)


def _table(name: str, other: str) -> int:
    """Optimal string alignment, as its definition has it."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(name, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            edits = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and name[i - 2] == against:
                edits = min(edits, rows[-2][j - 2] + 1)
            row.append(edits)
        rows.append(row)
    return rows[-1][-1]


@given(name=names, other=names, most=st.integers(0, 2))
@example(name="aab", other="aba", most=1)
@example(name="ca", other="abc", most=2)
def test_edits(name: str, other: str, most: int) -> None:
    edits = _table(name, other)
    assert _edits(name, other, most) == (edits if edits <= most else None)


@pytest.mark.parametrize(
    ("name", "other"), [("b" * 100 + "x", "b" * 100 + "y"), ("ax" + "b" * 50 + "pq", "aa" + "b" * 50 + "p")]
)
def test_what_two_names_have_in_common_takes_few_steps(name: str, other: str) -> None:
    """A store may have a hundred mistyped names, and two thousand to compare each with."""
    assert work(lambda: _edits(name, other, 2)) < 500
