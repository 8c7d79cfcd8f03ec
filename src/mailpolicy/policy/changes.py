"""Changes of access between two policies, and of where passwords would be sent."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from mailpolicy.diagnostics import KeyPath
from mailpolicy.policy.bindings import Owner
from mailpolicy.policy.networks import NetworkSet
from mailpolicy.policy.service import Service

if TYPE_CHECKING:
    from datetime import datetime


class Direction(StrEnum):
    """The direction of a change."""

    WIDENED = "widened"
    NARROWED = "narrowed"
    BOTH = "both"
    SAME = "same"


class AccessChange(NamedTuple):
    """The addresses from which an account may use a service, before and after a change that affects them.

    `moment` is set if the change only comes later.
    """

    address: str
    service: Service
    before: NetworkSet
    after: NetworkSet
    direction: Direction
    moment: datetime | None = None


class Redirection(NamedTuple):
    """A password, or with `is_token` a token, that would be sent to another destination."""

    owner: Owner
    before: str
    after: str
    is_token: bool = False

    @property
    def service(self) -> str:
        """Return the word that reports print in the column of the service."""
        return "credentials"

    @property
    def direction(self) -> Direction:
        """Return WIDENED: another server gets it, and nobody loses access."""
        return Direction.WIDENED

    @property
    def moment(self) -> None:
        """Return None: it comes at once."""

    @property
    def address(self) -> str | None:
        """Return the account, or None for the server."""
        return self.owner.address


class Cause(NamedTuple):
    """A key that causes a change; `new` is true if the new policy has the key, false if only the old one had it."""

    key: KeyPath
    new: bool


def direction(changes: Iterable[AccessChange | Redirection]) -> Direction:
    """Return the direction of many changes taken together."""
    directions = {change.direction for change in changes}
    if not directions:
        return Direction.SAME
    return directions.pop() if len(directions) == 1 else Direction.BOTH
