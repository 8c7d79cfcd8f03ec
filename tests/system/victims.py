"""A file of root in which nothing may change."""

from __future__ import annotations

VICTIM = "precious\n"
