"""The services of the Mail Services page, and everything that is true of one of them.

A service that is added here has a key, commands, a column in lists and a place in every verdict; what another program
calls it is said in the exports.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Facts(NamedTuple):
    """What is true of a service. `meaning` is that of its key, `lan_meaning` that of its LAN key, if it has one.

    `column` is its heading in lists. `rides_on` names the service that it uses, whose LAN key confines it too. To one that
    `connects_out` nobody connects, so no address of a client counts.
    """

    label: str
    meaning: str
    lan_meaning: str | None = None
    aliases: tuple[str, ...] = ()
    column: str | None = None
    rides_on: str | None = None
    needs_pro: bool = False
    connects_out: bool = False


class Service(StrEnum):
    """A service, by the name that the command line gives it."""

    POP = (
        "pop",
        Facts("POP", "mail can be read over POP3", "POP only from the LAN", aliases=("pop3", "pop3s")),
    )
    IMAP = (
        "imap",
        Facts(
            "IMAP",
            "mail can be read over IMAP; needs the pro edition",
            "IMAP, and with it Outlook Connector, only from the LAN",
            aliases=("imap4", "imaps"),
            needs_pro=True,
        ),
    )
    MULTIPOP = ("multipop", Facts("MultiPOP", "mail may be collected from other servers", connects_out=True))
    CONNECTOR = (
        "outlook-connector",
        Facts(
            "Outlook Connector",
            "Outlook folders can be shared; needs IMAP, and Outlook Connector installed",
            aliases=("connector", "mdaemon-connector"),
            column="connector",
            rides_on="imap",
            needs_pro=True,
        ),
    )

    label: str  # as a sentence names it
    facts: Facts
    switch: str  # the key that switches it on
    own_lan_switch: str | None  # the key that confines it and belongs to it
    lan_switch: str | None  # the key that confines it, which may be that of the service that it rides on

    def __new__(cls, name: str, facts: Facts) -> Service:
        """Make the member and its keys, which are asked for in every verdict."""
        service = str.__new__(cls, name)
        service._value_ = name
        service.facts, service.label = facts, facts.label
        service.switch = name.replace("-", "_")
        service.own_lan_switch = f"{service.switch}_lan_only" if facts.lan_meaning is not None else None
        service.lan_switch = f"{facts.rides_on}_lan_only" if facts.rides_on is not None else service.own_lan_switch
        return service


# The keys that an account, a template and the defaults share, with what they mean.
MEANINGS: dict[str, str] = {}
for _service in Service:
    MEANINGS[_service.switch] = _service.facts.meaning
    if _service.own_lan_switch is not None:
        MEANINGS[_service.own_lan_switch] = _service.facts.lan_meaning or ""
SWITCHES = tuple(MEANINGS)

BY_NAME: dict[str, Service] = {name: service for service in Service for name in (service.value, *service.facts.aliases)}


def confined_by(switch: str) -> Service:
    """Return the service that a LAN key belongs to."""
    return next(service for service in Service if service.own_lan_switch == switch)
