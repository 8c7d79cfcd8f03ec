"""Dovecot's configuration for the passwd-file: passdbs for each protocol, which are asked before the site's own.

`nopassword` is set here and not in the file, as the next passdb does not see it then. Source: seen on Dovecot 2.3.19, 2.4.1 and
2.4.5; see `dovecot_passdbs`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from mailpolicy.export import dovecot, dovecot_passdbs
from mailpolicy.export.dovecot_passdbs import ADMITTING, DENYING, NO_PASSWORD
from mailpolicy.export.request import Exported, Request, require_plain_path

_MIB = 1 << 20
# Expands to nothing. If a file with a fixed name disappears, Dovecot goes on answering from its old content, except for
# the first request of each second; the content of a file with a variable in its name is dropped.
_EMPTY_VARIABLE = {"2.3": "%{if;1;eq;1;;}", "2.4": "%{protocol | substr(0, 0)}"}


def export(request: Request) -> Exported:
    """Return the snippet."""
    options = request.options
    path = options.data or ""
    require_plain_path(path, "Dovecot's configuration", "%\"'#\\$")
    empty_variable = _EMPTY_VARIABLE[options.dovecot]
    if options.strategy == "allow-list":
        path += empty_variable
    block = _block_23 if options.dovecot == "2.3" else _block_24
    services = dovecot.governed(request.policy)
    blocks = [block(service, path, options.default_domain, options.strategy) for service in services]
    parts = [dovecot_passdbs.characters(request)]
    if path.endswith(empty_variable):
        parts.append(
            f"# {empty_variable} expands to nothing, but makes Dovecot refuse everybody if the file is missing\n"
        )
    if options.dovecot != "2.3":
        parts.append(dovecot_passdbs.VERIFIED_COMMENT)
    parts += blocks
    size = len(dovecot.export(request).body.encode("utf-8"))
    if size > dovecot.MAX_WITH_DEFAULT_LIMIT:
        limit = max(1024, 256 * math.ceil(8 * size / _MIB / 256))
        parts.append(f"service auth {{\n  vsz_limit = {limit}M\n}}\n")
    return Exported("\n".join(parts), tuple(_notes(request)))


# How the blocks below complete a name without a domain.
_COMPLETED = re.compile(r"%Ln@([^;\s]+);%Lu|\| default\('([^']+)'\)")


def default_domain(configuration: str) -> str | None:
    """Return the default domain of a snippet that is part of a configuration, None if it has none."""
    found = _COMPLETED.search(configuration)
    return (found[1] or found[2]) if found is not None else None


def _notes(request: Request) -> Iterator[str]:
    options = request.options
    if options.dovecot != "2.3" and options.strategy == "deny-list":
        yield (
            f"note: with deny-list, Dovecot {options.dovecot} refuses OAuth tokens and Kerberos tickets of LAN-only "
            "accounts from everywhere; passwords are not affected"
        )


def _block_23(service: str, path: str, domain: str | None, strategy: str) -> str:
    user = dovecot_passdbs.user("2.3", domain)
    return dovecot_passdbs.passdb_23(
        service,
        "driver = passwd-file",
        f"args = scheme=PLAIN username_format={service}/{user} {path}",
        "default_fields = nopassword",
        *(DENYING if strategy == "deny-list" else ADMITTING),
    )


def _block_24(service: str, path: str, domain: str | None, strategy: str) -> str:
    reads = (
        "driver = passwd-file",
        f"passwd_file_path = {path}",
        f"auth_username_format = {service}/{dovecot_passdbs.user('2.4', domain)}",
        "default_password_scheme = PLAIN",
    )
    if strategy == "deny-list":
        return dovecot_passdbs.denying_passdbs_24(service, *reads)
    return dovecot_passdbs.passdbs_24(service, *reads, no_password=NO_PASSWORD)
