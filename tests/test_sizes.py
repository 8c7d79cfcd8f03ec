"""Check that the sizes that `make lint` holds are those of the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import sizes


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository in which every size is the largest allowed."""
    package = tmp_path / "src" / "mailpolicy"
    for number in range(sizes.TOP_NAMES - 1):
        write(package / f"module{number}.py", sizes.MEDIAN)
    write(package / "__init__.py", 1)
    write(package / "__main__.py", 1)
    write(package / "inner" / "__init__.py", 1)
    write(package / "inner" / "long.py", sizes.LINES)
    write(tmp_path / "tests" / "inner" / "test_long.py", sizes.LINES)
    return tmp_path


def write(path: Path, lines: int, first: str = '"""Text."""') -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([first, *["x = 1"] * (lines - 1)]) + "\n")


def test_what_is_not_exceeded_is_no_problem(tree: Path) -> None:
    assert list(sizes.problems(tree)) == []


@pytest.mark.parametrize(
    ("path", "lines", "problem"),
    [
        ("src/mailpolicy/more.py", 1, "15 names at the top, at most 14: inner, module0, "),
        ("src/mailpolicy/more/__init__.py", 1, "15 names at the top, at most 14: inner, module0, "),
        ("src/mailpolicy/inner/longer.py", 301, "longer.py: 301 lines, at most 300"),
        (
            "tests/test_longer.py",
            301,
            "test_longer.py: 301 lines, at most 300 unless its docstring begins with 'Table: '",
        ),
        (
            "tests/inner/helpers.py",
            301,
            "helpers.py: 301 lines, at most 300 unless its docstring begins with 'Table: '",
        ),
    ],
)
def test_what_is_exceeded_is_named(path: str, lines: int, problem: str, tree: Path) -> None:
    write(tree / path, lines)
    (found,) = sizes.problems(tree)
    assert problem in found


def test_a_median_that_is_exceeded_is_named(tree: Path) -> None:
    for number in range(sizes.TOP_NAMES):
        write(tree / "src" / "mailpolicy" / "inner" / f"module{number}.py", sizes.MEDIAN + 1)
        write(tree / "src" / "mailpolicy" / "inner" / f"short{number}.py", sizes.COUNTED)
    (found,) = sizes.problems(tree)
    assert f"the median file has {sizes.MEDIAN + 1} lines, at most {sizes.MEDIAN}" in found


def test_a_table_may_be_longer(tree: Path) -> None:
    write(tree / "tests" / "test_table.py", 301, '"""Table: all that there is."""')
    assert list(sizes.problems(tree)) == []
