"""Postfix's smtp_sasl_password_maps: the smart host login of each sender, and the server's own.

Promises: the text is the same for texthash, lmdb, hash and cdb; no key stands twice. Not promised: quoting, which the
format does not have; values are literal to the end of the line. Source: postconf(5), SASL_README.
"""

from __future__ import annotations

import re

from mailpolicy.export.credentials import Login, gather, smart_host, spellings
from mailpolicy.export.request import Exported, Request
from mailpolicy.export.stamp import HIDDEN, hidden
from mailpolicy.policy.model import Policy

_STRIPPED = " \t\n\v\f\r"


def export(request: Request) -> Exported:
    """The map as text."""
    found = gather(request, stripped=_STRIPPED)
    lines = [_line(sender, login) for address, login in found.senders.items() for sender in spellings(address)]
    notes = []
    if found.server is not None:
        lines.append(_line(nexthop(request.policy), found.server))
    elif request.policy.server.per_account_auth:
        notes.append("note: the server has no login, so mail of senders without their own goes out unauthenticated")
    return Exported("".join(lines), tuple(notes))


def nexthop(policy: Policy) -> str:
    """The smart host as relayhost and the map's key name it; the brackets keep Postfix from asking for MX records."""
    host = smart_host(policy)
    return f"[{'ipv6:' if ':' in host else ''}{host}]:{policy.server.relay_port}"


def _line(key: str, login: Login) -> str:
    return f"{key} {login.name}:{login.password}\n"


_LINE = re.compile(r"((?:[^\s:@]+@[^\s:@]+|\[[^\]\s]+\](?::[0-9]+)?) [^:\t]+:).*")


def masked(line: str) -> str:
    """A line without its password; one of another form may have it anywhere, and is hidden whole."""
    match = _LINE.fullmatch(line)
    return f"{match[1]}{HIDDEN}" if match else hidden(line)
