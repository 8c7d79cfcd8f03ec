"""Export the policy as files of other programs, which then enforce what `check` says.

The same policy, options and secrets give the same bytes, in sorted order; no clock, host name or environment is read.
If a format cannot express something, the export fails and names it. `docs/enforcement.md` tells how each program is
made to read its file.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from mailpolicy.export.exporter import Exporter, SecretExporter
from mailpolicy.export.request import Exported, Options, Request


class Target(NamedTuple):
    """One target. `secret` is true if its file holds passwords, `token` if it may hold a token."""

    module: str
    description: str
    options: frozenset[str] = frozenset()
    secret: bool = False
    required: frozenset[str] = frozenset()
    token: bool = False

    def export(self, request: Request) -> Exported:
        """Return the target's file without its heading. Raise Refused or KeyringError."""
        exporter: Exporter = import_module(f"mailpolicy.export.{self.module}")
        return exporter.export(request)

    def masked(self, line: str) -> str:
        """Return a line of the target's file with its secret, if it has one, replaced by stars."""
        if not self.secret and not self.token:
            return line
        exporter: SecretExporter = import_module(f"mailpolicy.export.{self.module}")
        return exporter.masked(line)


def _target(
    module: str, description: str, *options: str, secret: bool = False, required: str = "", token: bool = False
) -> Target:
    needed = frozenset(required.split())
    return Target(module, description, frozenset(options) | needed, secret, needed, token)


TARGETS: dict[str, Target] = {
    "dovecot": _target("dovecot", "Dovecot: who may log in, and from where", "strategy", "token_file", token=True),
    "dovecot-conf": _target(
        "dovecot_conf",
        "Dovecot: the configuration that reads that file",
        *("dovecot", "strategy", "token_file", "default_domain"),
        required="data",
    ),
    "sql": _target("sql", "a database: who may log in to Dovecot, and from where", required="dialect"),
    "dovecot-sql-conf": _target(
        "dovecot_sql_conf",
        "Dovecot: the configuration that asks that database",
        *("dovecot", "default_domain"),
        required="data dialect",
    ),
    "dovecot-sql-query": _target(
        "dovecot_sql_query",
        "Dovecot 2.3: the query that this configuration names",
        "default_domain",
        required="data dialect",
    ),
    "postfix-sasl-passwd": _target(
        "postfix_sasl_passwd", "Postfix: the smart host login of each sender", "postmap", secret=True
    ),
    "postfix-sender-login": _target("postfix_sender_login", "Postfix: who may send with which address", "postmap"),
    "postfix-conf": _target(
        "postfix_conf", "Postfix: the lines of main.cf that read the two maps", "map", "sender_login", required="data"
    ),
    "exim-passwd": _target("exim_passwd", "Exim: the smart host login of each sender", secret=True),
    "exim-conf": _target("exim_conf", "Exim: the configuration that reads that file", required="data"),
    "fetchmail": _target("fetchmail", "fetchmail: the MultiPOP sources, with passwords", "smtp", secret=True),
    "getmail": _target("getmail", "getmail: one MultiPOP source, password by command", "source"),
    "mpop": _target("mpop", "mpop: the MultiPOP sources, passwords by command"),
}
SNIPPETS = ("dovecot-conf", "dovecot-sql-conf")  # parts of Dovecot's configuration
__all__ = ["SNIPPETS", "TARGETS", "Exported", "Options", "Request", "Target"]
