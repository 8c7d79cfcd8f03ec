"""Exim's lookup file: the smart host login of each sender, and under `*` the server's own.

Read with `lsearch*`, a sender that is not listed gets the server's login. The format has no quoting for values. Source:
the Exim specification, 9.3; seen on Exim 4.96.
"""

from __future__ import annotations

import re

from mailpolicy.export.credentials import Login, collect, spellings
from mailpolicy.export.request import CannotCarry, Exported, Request
from mailpolicy.export.stamp import password_masked

_STRIPPED = " \t\n\v\f\r"


def export(request: Request) -> Exported:
    """Return the lookup file."""
    found = collect(request, stripped=_STRIPPED)
    logins: dict[str, Login] = {
        sender: login for address, login in found.senders.items() for sender in spellings(address)
    }
    if found.server is not None:
        logins["*"] = found.server
    problems = []
    for key, login in logins.items():
        owner = "the server" if key == "*" else key
        if login.name.startswith('"'):
            problems.append(f"the login of {owner} begins with a quote, which Exim removes")
        # client_send reads ^ as NUL and ^^ as ^, so a ^ directly after the NUL that separates the fields is misread.
        problems += [
            f"the {field} of {owner} begins with ^, which Exim cannot send"
            for field, value in (("login", login.name), ("password", login.password))
            if value.startswith("^")
        ]
    if problems:
        raise CannotCarry(problems)
    return Exported("".join(f"{key}: {login.name}:{login.password}\n" for key, login in logins.items()))


_LINE = re.compile(r"((?:[^\s:@]+@[^\s:@]+|\*): [^:\t]+:).*")


def masked(line: str) -> str:
    """Return a line without its password; a line of another form is masked whole."""
    return password_masked(_LINE, line)
