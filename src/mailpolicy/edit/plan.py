"""What a command wants to change, worked out on a policy before anything is written.

Promises: plain values; a plan without operations changes nothing. Not promised: that the text allows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mailpolicy.edit.operations import Operation
from mailpolicy.errors import Advice
from mailpolicy.policy.model import Policy


class Line(NamedTuple):
    """One thing that a command did: to what, which setting, what holds now, and whether that is new."""

    subject: str
    item: str
    result: str
    changed: bool


class Change(NamedTuple):
    """One key that gets another value; `address` is None for what is no account's, None is an absent value."""

    address: str | None
    key: str | None
    old: Any
    new: Any


class Plan:
    """The operations of one command, and what to tell about them."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.lines: list[Line] = []
        self.changes: list[Change] = []
        self.notes: list[str | Advice] = []
        self.touched: set[str] | None = set()  # the accounts whose access may change; None for all

    def change(self, operation: Operation, address: str | None, key: str | None, old: Any, new: Any) -> None:
        """Add an operation and the change it makes."""
        self.operations.append(operation)
        self.changes.append(Change(address, key, old, new))
        if self.touched is not None and address is not None:
            self.touched.add(address)
        elif address is None:
            self.touched = None


Planner = Callable[[Policy], Plan]
