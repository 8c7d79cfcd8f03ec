"""Postfix's smtpd_sender_login_maps: the owners of the addresses that have a smart host login of their own.

With `reject_known_sender_login_mismatch` only the owner can send with such an address over SMTP, so nobody can borrow
its login. Programs that use sendmail(1) on the server itself are not restricted. Source: postconf(5),
smtpd_sender_login_maps.
"""

from __future__ import annotations

from mailpolicy.export.credentials import accounts_with_own_login, spellings
from mailpolicy.export.request import Exported, Request


def export(request: Request) -> Exported:
    """Return the map as text; it is empty if no account has a login of its own."""
    lines = []
    for address in accounts_with_own_login(request.policy):
        names = spellings(address)
        lines += [f"{sender} {', '.join(names)}\n" for sender in names]
    return Exported("".join(lines))
