"""What an export is made from and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from mailpolicy.errors import Command, KeyringError, Refused
from mailpolicy.policy.bindings import Secret, absences
from mailpolicy.policy.model import Policy

LOCKABLE = ("smtp", "submission", "sieve")
MAPS = ("texthash", "lmdb", "hash", "cdb")
VERSIONS = ("2.3", "2.4")
STRATEGIES = ("allow-list", "deny-list")
_NAMED = 20  # missing passwords


class Options(NamedTuple):
    """What may be said about an export; each target takes some of them."""

    dovecot: str = VERSIONS[0]
    data: str | None = None  # where the data file will lie
    strategy: str = STRATEGIES[0]
    lock: tuple[str, ...] = ()
    token: str | None = None
    default_domain: str | None = None
    map: str = MAPS[0]
    sender_login: str | None = None
    smtp: str = "127.0.0.1/25"
    source: tuple[str, str] | None = None  # address and name


class Request(NamedTuple):
    """A policy, the options, and how secrets are come by: the keyring's answers to user names, asked once.

    `command` is how a program of this machine runs mailpolicy on the same store. `names` are the user names of all
    secrets, asked for where one is missing; None where the keyring cannot list them.
    """

    policy: Policy
    options: Options = Options()
    secrets: Callable[[Collection[str]], dict[str, str]] = lambda users: {}
    command: tuple[str, ...] = ("mailpolicy",)
    names: Callable[[], Collection[str] | None] = lambda: None

    def passwords(self, wanted: Collection[Secret]) -> dict[Secret, str]:
        """The passwords of these secrets. Raises KeyringError where one is missing."""
        kept = self.secrets([secret.user for secret in wanted])
        missing = [secret for secret in wanted if secret.user not in kept]
        if not missing:
            return {secret: kept[secret.user] for secret in wanted}
        absence = absences(missing, self.names())[missing[0]]
        also = ", ".join(str(secret.owner) for secret in missing[1:_NAMED])
        also = f"; missing too: {also}" if also else ""
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise KeyringError(f"nothing was exported: {absence.text}{also}{more}", code="no-secret", fix=absence.command)


class Exported(NamedTuple):
    """A target's file without its heading, and sentences for whoever made it."""

    body: str
    notes: tuple[str, ...] = ()


class CannotCarry(Refused):
    """The format has no way to say something, and its fallback would be the wrong thing."""

    def __init__(self, complaints: Iterable[str], fix: Command | None = None) -> None:
        listed = list(complaints)
        more = f"; and {len(listed) - 20} more" if len(listed) > 20 else ""
        super().__init__(f"nothing was exported: {'; '.join(listed[:20])}{more}", code="cannot-carry", fix=fix)
