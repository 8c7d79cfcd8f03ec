"""The number of slips between two names is that of the table that defines it."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from mailpolicy.policy.nearest import _edits

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
