"""Exim's lookup file: the smart host login of each sender, and under `*` the server's own.

Promises: read with `lsearch*` a sender that is not listed gets the server's login. Not promised: quoting, which the
format does not have for values. Source: the Exim specification, 9.3; seen on Exim 4.96.
"""

from __future__ import annotations

import re

from mailpolicy.export.credentials import Login, gather, spellings
from mailpolicy.export.request import CannotCarry, Exported, Request
from mailpolicy.export.stamp import HIDDEN, hidden

_STRIPPED = " \t\n\v\f\r"


def export(request: Request) -> Exported:
    """The lookup file."""
    found = gather(request, stripped=_STRIPPED)
    logins: dict[str, Login] = {
        sender: login for address, login in found.senders.items() for sender in spellings(address)
    }
    if found.server is not None:
        logins["*"] = found.server
    complaints = []
    for key, login in logins.items():
        whose = "the server" if key == "*" else key
        if login.name.startswith('"'):
            complaints.append(f"the login of {whose} begins with a quote, which would be taken off")
        # client_send takes ^ for a NUL and ^^ for a ^, so after the NUL that stands before it a ^ would be misread.
        complaints += [
            f"the {what} of {whose} begins with ^, which Exim cannot send"
            for what, value in (("login", login.name), ("password", login.password))
            if value.startswith("^")
        ]
    if complaints:
        raise CannotCarry(complaints)
    return Exported("".join(f"{key}: {login.name}:{login.password}\n" for key, login in logins.items()))


_LINE = re.compile(r"((?:[^\s:@]+@[^\s:@]+|\*): [^:\t]+:).*")


def masked(line: str) -> str:
    """A line without its password; one of another form may have it anywhere, and is hidden whole."""
    match = _LINE.fullmatch(line)
    return f"{match[1]}{HIDDEN}" if match else hidden(line)
