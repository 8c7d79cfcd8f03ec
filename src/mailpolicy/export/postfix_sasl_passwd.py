"""Postfix's smtp_sasl_password_maps: the smart host login of each sender, and the server's own.

Promises: the text is the same for texthash, lmdb, hash and cdb; no key stands twice. Not promised: quoting, which the
format does not have; values are literal to the end of the line. Source: postconf(5), SASL_README.
"""

from __future__ import annotations

from mailpolicy.export.credentials import Login, gather, smart_host, spellings
from mailpolicy.export.request import Exported, Request
from mailpolicy.policy import Policy

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
    port = f":{policy.server.smart_host_port}" if policy.server.smart_host_port is not None else ""
    return f"[ipv6:{host}]{port}" if ":" in host else f"[{host}]{port}"


def _line(key: str, login: Login) -> str:
    return f"{key} {login.name}:{login.password}\n"


def masked(line: str) -> str:
    """A line without its password."""
    if line.startswith("#") or " " not in line:
        return line
    key, _, value = line.partition(" ")
    login, colon, _ = value.partition(":")
    return f"{key} {login}{colon}********"
