"""Exim's lookup file: the smart host login of each sender, and under `*` the server's own.

Promises: read with `lsearch*` a sender that is not listed gets the server's login. Not promised: quoting, which the
format does not have for values. Source: the Exim specification, 9.3; seen on Exim 4.96 and 4.98.
"""

from __future__ import annotations

from mailpolicy.export.credentials import Login, gather, spellings
from mailpolicy.export.request import CannotCarry, Exported, Request

_STRIPPED = " \t\n\v\f\r"


def export(request: Request) -> Exported:
    """The lookup file."""
    found = gather(request, stripped=_STRIPPED)
    logins: dict[str, Login] = {
        sender: login for address, login in found.senders.items() for sender in spellings(address)
    }
    if found.server is not None:
        logins["*"] = found.server
    quoted = [key for key, login in logins.items() if login.name.startswith('"')]
    if quoted:
        raise CannotCarry(f"the login of {key} begins with a quote" for key in quoted)
    return Exported("".join(f"{key}: {login.name}:{login.password}\n" for key, login in logins.items()))


def masked(line: str) -> str:
    """A line without its password."""
    if line.startswith("#") or ": " not in line:
        return line
    key, _, value = line.partition(": ")
    login, colon, _ = value.partition(":")
    return f"{key}: {login}{colon}********"
