"""The codes of `validate`: each with its meaning, an example that triggers it, and a fix.

`explain`, docs/rules.md and SARIF are made from these entries, and the tests run each example. To add a code, add one
entry to the module of its subject.
"""

from __future__ import annotations

from mailpolicy.diagnostics.rules.dates import DATES
from mailpolicy.diagnostics.rules.file import FILE
from mailpolicy.diagnostics.rules.lan import LAN
from mailpolicy.diagnostics.rules.naming import NAMING
from mailpolicy.diagnostics.rules.rule import Rule
from mailpolicy.diagnostics.rules.secrets import SECRETS
from mailpolicy.diagnostics.rules.sources import SOURCES
from mailpolicy.diagnostics.rules.warnings import WARNINGS

RULES: dict[str, Rule] = dict(sorted({**FILE, **NAMING, **LAN, **SOURCES, **WARNINGS, **SECRETS, **DATES}.items()))

__all__ = ["RULES", "Rule"]
