"""`python bench/run.py [NAME...]`: measure the promises about speed, print the table, write docs/performance.md.

Promises: exit status 0 where every bar is met, 1 where one is missed, 2 where nothing could be compared. The page is
written only by a whole run; with names of bars only these are measured and printed.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import bars
import table
from timing import Void

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in bars.ALL]:
        print(f"there is no bar {unknown[0]}: choose among {', '.join(bars.ALL)}", file=sys.stderr)
        return 2
    if find_spec("cedarpy") is None:
        print("cedarpy is missing: pip install -e '.[dev,bench]'", file=sys.stderr)
        return 2
    results: list[table.Bar] = []
    try:
        for name in names or bars.ALL:
            print(f"measuring {name} ...", file=sys.stderr)
            with TemporaryDirectory(prefix="mailpolicy-bench-") as folder:
                results += bars.ALL[name](Path(folder))
    except (Void, OSError) as why:
        print(f"nothing can be compared: {why}", file=sys.stderr)
        return 2
    page = table.page(results)
    print(page, end="")
    if not names:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
    missed = [bar for bar in results if not bar.met]
    for bar in missed:
        print(f"missed: {bar.what}: {bar.ratio:.3f}, and {bar.wanted} is asked", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
