"""The query with which Dovecot asks the table of `sql`, and for Dovecot 2.3 the file that has it.

A NULL in the column of an extra field means that the field is not set, so the service is open from anywhere; an empty
allow_nets refuses everybody. Mechanisms that compare what the client sends with the password need `nopassword` and none; those
that compute with a password need one, which decides nothing, as the site's passdb is asked next. Source: seen on Dovecot
2.3.19 and 2.4.1; with driver sql, `nopassword` among the fields of the configuration comes too late.
"""

from __future__ import annotations

from mailpolicy.export import dovecot_passdbs
from mailpolicy.export.request import Exported, Request, require_plain_path

DRIVERS = {"postgresql": "pgsql", "mariadb": "mysql", "sqlite": "sqlite"}
FORBIDDEN = "%\"'#\\${}"  # in the path of a file that is included
_COMPARED = ("PLAIN", "LOGIN", "EXTERNAL", "OAUTHBEARER", "XOAUTH2")


def export(request: Request) -> Exported:
    """Return the file."""
    options = request.options
    path = options.data or ""
    require_plain_path(path, "Dovecot's configuration", FORBIDDEN)
    user = dovecot_passdbs.user("2.3", options.default_domain)
    return Exported(
        "# how to reach the database, with the password; mailpolicy neither reads nor writes it\n"
        f"!include {path}\n\n"
        f"driver = {DRIVERS[options.dialect]}\n"
        "default_pass_scheme = PLAIN\n"
        f"password_query = {query(options.dialect, '%Ls', user, '%Um')}\n"
    )


def query(dialect: str, service: str, user: str, mechanism: str) -> str:
    """Return the query; the arguments are Dovecot's variables, whose values Dovecot escapes."""
    compared = f"'{mechanism}' IN ({', '.join(map(repr, _COMPARED))})"
    name = f"_utf8mb4'{user}' COLLATE utf8mb4_nopad_bin" if dialect == "mariadb" else f"'{user}'"
    return (
        f"SELECT CASE WHEN {compared} THEN NULL ELSE '*' END AS password, CASE WHEN {compared} THEN 'y' END AS nopassword, "
        f"allow_nets FROM mailpolicy_access WHERE service = '{service}' AND address = {name}"
    )
