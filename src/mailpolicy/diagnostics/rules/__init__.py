"""Every code of `validate`: what it means, an example that triggers it, and its cure.

Promises: one entry for each code, and nothing about it anywhere else; `explain`, docs/rules.md and SARIF are made from
it, and the tests hold each example to it. A new code is one entry in the module of its subject.
"""

from __future__ import annotations

from mailpolicy.diagnostics.rules.file import FILE
from mailpolicy.diagnostics.rules.lan import LAN
from mailpolicy.diagnostics.rules.naming import NAMING
from mailpolicy.diagnostics.rules.rule import Rule
from mailpolicy.diagnostics.rules.secrets import SECRETS
from mailpolicy.diagnostics.rules.sources import SOURCES
from mailpolicy.diagnostics.rules.warnings import DOUBTS

RULES: dict[str, Rule] = dict(sorted({**FILE, **NAMING, **LAN, **SOURCES, **DOUBTS, **SECRETS}.items()))

__all__ = ["RULES", "Rule"]
