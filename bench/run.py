"""`python bench/run.py [NAME...]`: measure the promises about speed, print the table, write docs/performance.md.

Promises: exit status 0 where every bar is met, 1 where one is missed, 2 where nothing could be compared. With names only
these are measured, each kept as soon as it is done; the page is written once all of them are there, so that one that
was disturbed can be measured again by itself. Without names all are measured anew.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import bars
import databases
import extra_lan
import passwords
import provisioning
import scale
import table
from timing import Void

ALL = {**bars.ALL, **passwords.ALL, **scale.ALL, **extra_lan.ALL, **provisioning.ALL, **databases.ALL}
ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
KEPT = ROOT / "build" / "bench"


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in ALL]:
        print(f"there is no bar {unknown[0]}: choose among {', '.join(ALL)}", file=sys.stderr)
        return 2
    if missing := [name for name in ("cedarpy", "casbin", "tomlrt") if find_spec(name) is None]:
        print(f"{', '.join(missing)} is missing: pip install -e '.[dev,bench]'", file=sys.stderr)
        return 2
    KEPT.mkdir(parents=True, exist_ok=True)
    if not names:
        for name in ALL:
            _kept(name).unlink(missing_ok=True)
    void = False
    for name in names or ALL:
        print(f"measuring {name} ...", file=sys.stderr)
        try:
            with TemporaryDirectory(prefix="mailpolicy-bench-") as folder:
                rows = table.kept(ALL[name](Path(folder)))
        except (Void, OSError) as why:
            print(f"{name}: nothing can be compared: {why}", file=sys.stderr)
            void = True
            continue
        _kept(name).write_text(json.dumps(rows), encoding="utf-8")
        print(table.page(table.taken_up(rows)) if names else f"{len(rows)} rows", file=sys.stderr)
    if void:
        return 2
    done = {name: table.taken_up(json.loads(_kept(name).read_bytes())) for name in ALL if _kept(name).exists()}
    if len(done) == len(ALL):
        page = table.page([row for rows in done.values() for row in rows])
        print(page, end="")
        PAGE.write_text(page, encoding="utf-8")
    missed = [row for name in names or ALL for row in done[name] if not row.met]
    for row in missed:
        print(f"missed: {row.what}: {row.ratio:.3f}, and {row.wanted} is asked", file=sys.stderr)
    return 1 if missed else 0


def _kept(name: str) -> Path:
    return KEPT / f"{name}.json"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
