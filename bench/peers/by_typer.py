"""mailpolicy without the short way: every line is parsed by Typer."""

import gc
import sys

from mailpolicy.cli.run import by_typer, run

gc.set_threshold(50_000)  # as in main()
status = run(sys.argv[1:], command=by_typer)
gc.freeze()
sys.exit(status)
