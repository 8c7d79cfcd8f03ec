"""The values that a key may have if its type allows more, and the check of a table against them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailpolicy.diagnostics import KeyPath, Problem
from mailpolicy.policy import names
from mailpolicy.policy.source import Auth, Tls

EDITIONS = ("pro", "standard")
# The values that a key may have in any table, if its type allows more.
CHOICES: dict[str, tuple[str, ...]] = {"edition": EDITIONS, "tls": tuple(Tls), "auth": tuple(Auth)}
RANGES = {"port": (1, 65535), "max_size_kb": (1, 2147483647), "delete_after_days": (1, 2147483647)}


def check_values(table: Mapping[str, Any], path: KeyPath, problems: list[Problem]) -> None:
    """Add a problem for each value that has the right type and is not an allowed one."""
    for key in [key for key in table if key in CHOICES]:
        if table[key] not in CHOICES[key]:
            choices = names.joined((f"'{choice}'" for choice in CHOICES[key]), "or")
            message = f"{key} is '{names.short(table[key])}': write {choices}"
            problems.append(Problem("MP008", (*path, key), message))
    for key in [key for key in table if key in RANGES]:
        least, most = RANGES[key]
        if not least <= table[key] <= most:
            message = f"{key} is {number_text(table[key])}: write a number from {least} to {most}"
            problems.append(Problem("MP008", (*path, key), message))


def number_text(number: int) -> str:
    """Return a number for a message."""
    # Python refuses to print one with thousands of digits, which one written in hexadecimal can have.
    return str(number) if -(2**63) <= number < 2**63 else "larger than 64 bits"
