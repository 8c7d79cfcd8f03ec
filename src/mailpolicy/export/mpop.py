"""An mpoprc: an account for each MultiPOP source that is polled, its password from a command.

Promises: no secret in the file; a certificate is verified wherever there is TLS. Not promised: deleting after days,
which mpop does not have. Source: mpop(1); a string's quotes are taken off its two ends only, so it needs no escapes.
"""

from __future__ import annotations

import shlex

from mailpolicy.export.collectors import Polled, polled
from mailpolicy.export.request import Exported, Request
from mailpolicy.policy.model import Tls

_TLS = {
    Tls.IMPLICIT: ("tls on", "tls_starttls off"),
    Tls.STARTTLS: ("tls on", "tls_starttls on"),
    # Left to choose, mpop sends no password without TLS.
    Tls.NONE: ("tls off", "tls_starttls off", "auth user"),
}


def export(request: Request) -> Exported:
    """The mpoprc; `mpop -a` polls all of it."""
    found = polled(request.policy)
    notes = tuple(
        f"note: mpop cannot delete after days, so {one} keeps its copies: use getmail for it"
        for one in found
        if one.source.delete_after_days is not None
    )
    return Exported("\n".join(_account(one, request.command) for one in found), notes)


def _account(one: Polled, command: tuple[str, ...]) -> str:
    source = one.source
    password = shlex.join([*command, "multipop", "source", "print-password", one.address, one.name])
    lines = [
        f"account {one}",
        f"host {source.host}",
        f"port {source.port}",
        *_TLS[source.tls],
        f'user "{source.login}"',
        f'passwordeval "{password}"',
        f'delivery mda "/usr/sbin/sendmail -i -f %F -- {shlex.quote(one.address)}"',
        f'uidls_file "~/.mpop_uidls/{one.address}_{one.name}"',
        f"keep {'on' if source.keep else 'off'}",
    ]
    if source.max_size_kb is not None:
        lines.append(f"skipsize {source.max_size_kb}k")
    return "\n".join(lines) + "\n"
