"""Postfix's smtp_sasl_password_maps: the smart host login of each sender, and the server's own.

The text is the same for texthash, lmdb, hash and cdb, and no key occurs twice. The format has no quoting; a value
extends to the end of its line. Source: postconf(5), SASL_README.
"""

from __future__ import annotations

import re

from mailpolicy.export.credentials import Login, collect, smart_host, spellings
from mailpolicy.export.request import Exported, Request
from mailpolicy.export.stamp import password_masked
from mailpolicy.policy.model import Policy

_STRIPPED = " \t\n\v\f\r"


def export(request: Request) -> Exported:
    """Return the map as text."""
    found = collect(request, stripped=_STRIPPED)
    lines = [_line(sender, login) for address, login in found.senders.items() for sender in spellings(address)]
    notes = []
    if found.server is not None:
        lines.append(_line(nexthop(request.policy), found.server))
    elif request.policy.server.per_account_auth:
        notes.append(
            "note: the server has no login, so mail of senders without a login of their own goes out unauthenticated"
        )
    return Exported("".join(lines), tuple(notes))


def nexthop(policy: Policy) -> str:
    """Return the smart host as in relayhost and in the map; the brackets keep Postfix from looking up MX records."""
    host = smart_host(policy)
    return f"[{'ipv6:' if ':' in host else ''}{host}]:{policy.server.relay_port}"


def _line(key: str, login: Login) -> str:
    return f"{key} {login.name}:{login.password}\n"


_LINE = re.compile(r"((?:[^\s:@]+@[^\s:@]+|\[[^\]\s]+\](?::[0-9]+)?) [^:\t]+:).*")


def masked(line: str) -> str:
    """Return a line without its password; a line of another form is masked whole."""
    return password_masked(_LINE, line)
