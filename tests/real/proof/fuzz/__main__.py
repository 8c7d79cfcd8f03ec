"""Fuzz all readers, as many at a time as there are processors: `python -m tests.real.proof.fuzz [MINUTES]`.

New inputs are kept in build/fuzz/READER, for the next run to begin with. What a reader did not survive is in build/fuzzed:
mend it, and move the input to tests/fuzzed/READER.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.helpers import ROOT
from tests.readers import READERS
from tests.real.proof.fuzz import UNSUPPORTED, fuzz


def main(minutes: str = "10") -> int:
    """Print a line for each reader when it is done; return 1 if one did not survive an input."""
    if UNSUPPORTED is not None:
        print(UNSUPPORTED, file=sys.stderr)
        return 2
    build, failed = ROOT / "build", False
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seconds = max(1, round(60 * float(minutes)))
        running = {pool.submit(fuzz, name, seconds, build / "fuzz" / name, build / "fuzzed"): name for name in READERS}
        for done in as_completed(running):
            name, found = running[done], done.result()
            kept = sum(1 for _ in (build / "fuzz" / name).iterdir())
            print(f"{name:<8}{found.executions:>12,} inputs, {kept} kept", flush=True)
            for path in found.inputs:
                failed = True
                print(f"{found.report}\n{name} did not survive {path}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
