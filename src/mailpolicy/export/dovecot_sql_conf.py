"""Dovecot's configuration for the table of `sql`: passdbs for each protocol, which are asked before the site's own.

For Dovecot 2.3 the data file is that of `dovecot_sql_query`; for 2.4 it is the administrator's file with the connection.
See `dovecot_passdbs`.
"""

from __future__ import annotations

from mailpolicy.export import dovecot, dovecot_passdbs
from mailpolicy.export.dovecot_sql_query import DRIVERS, FORBIDDEN, query
from mailpolicy.export.request import Exported, Options, Request, require_plain_path


def export(request: Request) -> Exported:
    """Return the snippet."""
    options = request.options
    require_plain_path(options.data or "", "Dovecot's configuration", FORBIDDEN)
    block = _block_23 if options.dovecot == "2.3" else _block_24
    parts = [dovecot_passdbs.characters(request)]
    if options.dovecot != "2.3":
        parts.append(dovecot_passdbs.VERIFIED_COMMENT)
    parts += [block(service, options) for service in dovecot.governed(request.policy)]
    return Exported("\n".join(parts))


def _block_23(service: str, options: Options) -> str:
    return dovecot_passdbs.passdb_23(service, "driver = sql", f"args = {options.data}", *dovecot_passdbs.ADMITTING)


def _block_24(service: str, options: Options) -> str:
    user = dovecot_passdbs.user("2.4", options.default_domain)
    return dovecot_passdbs.passdbs_24(
        service,
        "driver = sql",
        f"sql_driver = {DRIVERS[options.dialect]}",
        f"!include {options.data}",
        "default_password_scheme = PLAIN",
        f"sql_query = {query(options.dialect, service, user, '%{mechanism | upper}')}",
    )
