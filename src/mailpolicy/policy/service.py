"""The services of the Mail Services page, and the facts about each.

A new member gets a key, commands, a column in lists and a place in every verdict; the exports say what other programs
call it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Facts(NamedTuple):
    """The facts about a service.

    `meaning` describes its key, and `lan_meaning` its LAN key if it has one; `column` is its heading in lists, `short`
    the one on a terminal. `uses` names the service whose LAN key restricts this one too. A service that `connects_out`
    has no clients, so IP addresses do not matter to it. An `optional` one is governed only if `[server] govern` names it.
    """

    label: str
    meaning: str
    lan_meaning: str | None = None
    aliases: tuple[str, ...] = ()
    column: str | None = None
    short: str | None = None
    uses: str | None = None
    needs_pro: bool = False
    optional: bool = False
    connects_out: bool = False


class Service(StrEnum):
    """A service, by its name on the command line."""

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
    MULTIPOP = (
        "multipop",
        Facts("MultiPOP", "mail may be collected from other servers", short="mpop", connects_out=True),
    )
    CONNECTOR = (
        "outlook-connector",
        Facts(
            "Outlook Connector",
            "Outlook folders can be shared; needs IMAP, and Outlook Connector installed",
            aliases=("connector", "mdaemon-connector"),
            column="connector",
            short="oc",
            uses="imap",
            needs_pro=True,
        ),
    )
    SMTP = (
        "smtp",
        Facts(
            "SMTP",
            "mail can be sent with a login, over submission and SMTP; only if governed",
            "SMTP only from the LAN",
            aliases=("submission", "smtps"),
            optional=True,
        ),
    )
    SIEVE = (
        "sieve",
        Facts(
            "Sieve",
            "filters can be changed over ManageSieve; only if governed",
            "Sieve only from the LAN",
            aliases=("managesieve",),
            optional=True,
        ),
    )

    label: str  # its name in sentences
    facts: Facts
    switch: str  # the key that switches it on
    own_lan_switch: str | None  # its own key that restricts it to the LAN
    lan_switch: str | None  # the key that restricts it to the LAN, perhaps that of the service that it uses
    switches: tuple[str, ...]  # its own keys

    def __new__(cls, name: str, facts: Facts) -> Service:
        """Make a member and its keys once, as every verdict asks for them."""
        service = str.__new__(cls, name)
        service._value_ = name
        service.facts, service.label = facts, facts.label
        service.switch = name.replace("-", "_")
        service.own_lan_switch = f"{service.switch}_lan_only" if facts.lan_meaning is not None else None
        service.lan_switch = f"{facts.uses}_lan_only" if facts.uses is not None else service.own_lan_switch
        service.switches = (service.switch, *([service.own_lan_switch] if service.own_lan_switch else []))
        return service


# The keys that an account, a template and the defaults share, with what they mean.
SWITCH_MEANINGS: dict[str, str] = {}
for _service in Service:
    SWITCH_MEANINGS[_service.switch] = _service.facts.meaning
    if _service.own_lan_switch is not None:
        SWITCH_MEANINGS[_service.own_lan_switch] = _service.facts.lan_meaning or ""
SWITCHES = tuple(SWITCH_MEANINGS)

GOVERNABLE = tuple(service for service in Service if service.facts.optional)

_OPENING = frozenset(service.switch for service in Service)  # the others restrict

BY_NAME: dict[str, Service] = {name: service for service in Service for name in (service.value, *service.facts.aliases)}


def closes(switch: str, value: bool | None) -> bool:
    """Return whether a value of a switch lets in nobody, or fewer: a service that is off, or LAN only."""
    return value is not None and value is (switch not in _OPENING)


def service_of_lan_switch(switch: str) -> Service:
    """Return the service that a LAN key belongs to."""
    return next(service for service in Service if service.own_lan_switch == switch)
