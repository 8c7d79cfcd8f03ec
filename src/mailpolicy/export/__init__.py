"""What other programs read: for each target the policy as a file of theirs, so that they enforce what `check` says.

Promises: the same policy, options and secrets make the same bytes, sorted; no clock, host name or environment is read.
What a format cannot carry is an error that names it, never a line that means something else. Not promised: that the
program was told to read the file; `docs/enforcement.md` says how.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mailpolicy.export.request import Exported, Options, Request


class Exporter(Protocol):
    """What the module of a target offers."""

    def export(self, request: Request) -> Exported:
        """Return the target's file without its heading. Raises Refused and KeyringError."""


class Masking(Exporter, Protocol):
    """What the module of a target offers in whose file passwords or a token may stand."""

    def masked(self, line: str) -> str:
        """Return a line of the file with its secret, if it has one, shown as stars."""


if TYPE_CHECKING:  # mypy holds each module against its protocol; a test sees that none is forgotten
    from mailpolicy.export import (
        dovecot,
        dovecot_conf,
        exim_conf,
        exim_passwd,
        fetchmail,
        getmail,
        mpop,
        postfix_conf,
        postfix_sasl_passwd,
        postfix_sender_login,
    )

    _MASKING: tuple[Masking, ...] = (dovecot, exim_passwd, fetchmail, postfix_sasl_passwd)
    _OTHERS: tuple[Exporter, ...] = (dovecot_conf, exim_conf, getmail, mpop, postfix_conf, postfix_sender_login)


class Target(NamedTuple):
    """One target: its module, what it makes, which options it takes, whether secrets are in it, or a token may be."""

    module: str
    what: str
    options: frozenset[str] = frozenset()
    secret: bool = False
    required: frozenset[str] = frozenset()
    token: bool = False

    def export(self, request: Request) -> Exported:
        """Return the target's file without its heading. Raises Refused and KeyringError."""
        exporter: Exporter = import_module(f"mailpolicy.export.{self.module}")
        return exporter.export(request)

    def masked(self, line: str) -> str:
        """Return a line of the target's file with its secret, if it can have one, shown as stars."""
        if not self.secret and not self.token:
            return line
        exporter: Masking = import_module(f"mailpolicy.export.{self.module}")
        return exporter.masked(line)


def _target(
    module: str, what: str, *options: str, secret: bool = False, required: str | None = None, token: bool = False
) -> Target:
    needed = frozenset([required] if required else [])
    return Target(module, what, frozenset(options) | needed, secret, needed, token)


TARGETS: dict[str, Target] = {
    "dovecot": _target(
        "dovecot", "Dovecot: who may log in, and from where", "strategy", "lock", "token_file", token=True
    ),
    "dovecot-conf": _target(
        "dovecot_conf",
        "Dovecot: the fixed snippet that reads the file above",
        *("dovecot", "strategy", "lock", "token_file", "default_domain"),
        required="data",
    ),
    "postfix-sasl-passwd": _target(
        "postfix_sasl_passwd", "Postfix: the smart host login of each sender", "postmap", secret=True
    ),
    "postfix-sender-login": _target("postfix_sender_login", "Postfix: who may send with which address", "postmap"),
    "postfix-conf": _target(
        "postfix_conf", "Postfix: the lines of main.cf that read the two maps", "map", "sender_login", required="data"
    ),
    "exim-passwd": _target("exim_passwd", "Exim: the smart host login of each sender", secret=True),
    "exim-conf": _target("exim_conf", "Exim: the parts of its configuration that read it", required="data"),
    "fetchmail": _target("fetchmail", "fetchmail: the MultiPOP sources, passwords inside", "smtp", secret=True),
    "getmail": _target("getmail", "getmail: one MultiPOP source, its password by a command", "source"),
    "mpop": _target("mpop", "mpop: the MultiPOP sources, passwords by a command"),
}
__all__ = ["TARGETS", "Exported", "Options", "Request", "Target"]
