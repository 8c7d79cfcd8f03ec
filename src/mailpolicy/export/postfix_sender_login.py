"""Postfix's smtpd_sender_login_maps: an address with a smart host login of its own belongs to the account of that name.

Promises: with `reject_known_sender_login_mismatch` nobody else sends with such an address over SMTP, so nobody borrows its
login. Not promised: programs that use sendmail(1) on the server itself. Source: postconf(5), smtpd_sender_login_maps.
"""

from __future__ import annotations

from mailpolicy.export.credentials import spellings, with_own_login
from mailpolicy.export.request import Exported, Request


def export(request: Request) -> Exported:
    """The map as text; empty where no account has a login of its own."""
    lines = []
    for address in with_own_login(request.policy):
        names = spellings(address)
        lines += [f"{sender} {', '.join(names)}\n" for sender in names]
    return Exported("".join(lines))
