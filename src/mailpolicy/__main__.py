"""`python -m mailpolicy`: the same as the command mailpolicy."""

import sys

from mailpolicy.cli import main

sys.exit(main())
