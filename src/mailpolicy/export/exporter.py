"""The interfaces of the modules that make a file each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mailpolicy.export.request import Exported, Request


class Exporter(Protocol):
    """The interface of a target's module."""

    def export(self, request: Request) -> Exported:
        """Return the target's file without its heading. Raise Refused or KeyringError."""


class SecretExporter(Exporter, Protocol):
    """The interface of the module of a target whose file may hold passwords or a token."""

    def masked(self, line: str) -> str:
        """Return a line of the file with its secret, if it has one, replaced by stars."""


if TYPE_CHECKING:  # mypy checks each module against its protocol; a test makes sure that none is missing
    from mailpolicy.export import (
        dovecot,
        dovecot_conf,
        dovecot_sql_conf,
        dovecot_sql_query,
        exim_conf,
        exim_passwd,
        fetchmail,
        getmail,
        mpop,
        postfix_conf,
        postfix_sasl_passwd,
        postfix_sender_login,
        sql,
    )

    _WITH_SECRETS: tuple[SecretExporter, ...] = (dovecot, exim_passwd, fetchmail, postfix_sasl_passwd)
    _OTHERS: tuple[Exporter, ...] = (
        dovecot_conf,
        dovecot_sql_conf,
        dovecot_sql_query,
        exim_conf,
        getmail,
        mpop,
        postfix_conf,
        postfix_sender_login,
        sql,
    )
