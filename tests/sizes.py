"""Check the sizes of the source and of the tests: what a reader can keep in view. `make lint` runs this."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "mailpolicy"
TOP_NAMES = 14
LINES = 300
MEDIAN = 100  # of the files of the source
COUNTED = 10  # shorter files, most of them an `__init__`, say nothing about the size of the others
TABLE = "Table: "  # how the docstring of a test file begins that is longer because it is one


def names(package: Path) -> set[str]:
    """Return the modules and packages at the top of a package."""
    found = {path.stem for path in package.glob("*.py")} | {path.parent.name for path in package.glob("*/__init__.py")}
    return found - {"__init__", "__main__"}


def lines(path: Path) -> int:
    """Return how many lines a file has."""
    return len(path.read_text(encoding="utf-8").splitlines())


def is_table(path: Path) -> bool:
    """Return whether a test file says that it is a table."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return docstring is not None and docstring.startswith(TABLE)


def problems(root: Path) -> Iterator[str]:
    """Yield a sentence for each size that is exceeded below a folder like this repository's."""
    package = root / "src" / "mailpolicy"
    top = names(package)
    if len(top) > TOP_NAMES:
        yield f"{package}: {len(top)} names at the top, at most {TOP_NAMES}: {', '.join(sorted(top))}"
    source = {path: lines(path) for path in sorted(package.rglob("*.py"))}
    yield from (f"{path}: {count} lines, at most {LINES}" for path, count in source.items() if count > LINES)
    middle = median(count for count in source.values() if count > COUNTED)
    if middle > MEDIAN:
        yield f"{package}: the median file has {middle:g} lines, at most {MEDIAN}"
    for path in sorted((root / "tests").rglob("*.py")):
        if lines(path) > LINES and not is_table(path):
            yield f"{path}: {lines(path)} lines, at most {LINES} unless its docstring begins with {TABLE!r}"


if __name__ == "__main__":
    found = list(problems(ROOT))
    print("\n".join(found))
    sys.exit(bool(found))
