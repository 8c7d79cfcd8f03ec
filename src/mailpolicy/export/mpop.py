"""An mpoprc: an account for each MultiPOP source that is polled; its password or token comes from a command.

The certificate is verified if there is TLS. mpop cannot delete mail after some days. Source: mpop(1); quotes are
stripped from the two ends of a string only, so it needs no escapes.
"""

from __future__ import annotations

import shlex

from mailpolicy.export.collectors import PolledSource, keeping_notes, polled_sources
from mailpolicy.export.request import CannotCarry, Exported, Request
from mailpolicy.policy.source import Auth, Source, Tls

_TLS = {
    Tls.IMPLICIT: ("tls on", "tls_starttls off"),
    Tls.STARTTLS: ("tls on", "tls_starttls on"),
    Tls.NONE: ("tls off", "tls_starttls off"),
}


def export(request: Request) -> Exported:
    """Return the mpoprc; `mpop -a` polls all of it."""
    sources = polled_sources(request.policy)
    if any(character in word for word in request.command for character in "\r\n"):
        problem = f"the command that prints passwords has a line break in it: {shlex.join(request.command)!a}"
        raise CannotCarry([f"{problem}; move the store, or host.toml, to another path"])
    return Exported("\n".join(_account(polled, request.command) for polled in sources), keeping_notes("mpop", sources))


def _account(polled: PolledSource, command: tuple[str, ...]) -> str:
    source = polled.source
    password = shlex.join([*command, "multipop", "source", "print-password", polled.address, polled.name])
    lines = [
        f"account {polled}",
        f"host {source.host}",
        f"port {source.port}",
        *_TLS[source.tls],
        *_auth(source),
        f'user "{source.login}"',
        f'passwordeval "{password}"',
        f'delivery mda "/usr/sbin/sendmail -i -f %F -- {shlex.quote(polled.address)}"',
        f'uidls_file "~/.mpop_uidls/{polled.address}_{polled.name}"',
        f"keep {'on' if source.keep else 'off'}",
    ]
    if source.max_size_kb is not None:
        lines.append(f"skipsize {source.max_size_kb}k")
    return "\n".join(lines) + "\n"


def _auth(source: Source) -> list[str]:
    if source.auth is not Auth.PASSWORD:
        return [f"auth {source.auth}"]  # never chosen by mpop itself
    # By default mpop sends no password without TLS.
    return ["auth user"] if source.tls is Tls.NONE else []
