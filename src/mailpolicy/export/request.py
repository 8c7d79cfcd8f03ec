"""The input and the result of an export."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from mailpolicy.errors import Command, KeyringError, Refused
from mailpolicy.policy.bindings import Secret, explain_missing
from mailpolicy.policy.model import Policy

MAPS = ("texthash", "lmdb", "hash", "cdb")
VERSIONS = ("2.3", "2.4")
STRATEGIES = ("allow-list", "deny-list")
DIALECTS = ("postgresql", "mariadb", "sqlite")
MAX_SHOWN = 20  # missing passwords, or problems, in one message


class Options(NamedTuple):
    """The options of an export; each target has some of them."""

    dovecot: str = VERSIONS[0]
    data: str | None = None  # path of the data file
    strategy: str = STRATEGIES[0]
    dialect: str = DIALECTS[0]
    token: str | None = None
    default_domain: str | None = None
    map: str = MAPS[0]
    sender_login: str | None = None
    smtp: str = "127.0.0.1/25"
    source: tuple[str, str] | None = None  # address and name


class Request(NamedTuple):
    """A policy, the options, and access to secrets: `secrets` returns the passwords of many user names at once.

    `command` runs mailpolicy on the same store. `names` returns the user names of all secrets, or None if the keyring
    cannot list them; it is called only if a secret is missing.
    """

    policy: Policy
    options: Options = Options()
    secrets: Callable[[Collection[str]], dict[str, str]] = lambda users: {}
    command: tuple[str, ...] = ("mailpolicy",)
    names: Callable[[], Collection[str] | None] = lambda: None

    def passwords(self, wanted: Collection[Secret]) -> dict[Secret, str]:
        """Return the passwords of these secrets. Raise KeyringError if one is missing."""
        kept = self.secrets([secret.user for secret in wanted])
        missing = [secret for secret in wanted if secret.user not in kept]
        if not missing:
            return {secret: kept[secret.user] for secret in wanted}
        absence = explain_missing(missing, self.names())[missing[0]]
        also = ", ".join(str(secret.owner) for secret in missing[1:MAX_SHOWN])
        also = f"; also missing: {also}" if also else ""
        more = f" and {len(missing) - MAX_SHOWN} more" if len(missing) > MAX_SHOWN else ""
        raise KeyringError(f"nothing was exported: {absence.text}{also}{more}", code="no-secret", fix=absence.command)


class Exported(NamedTuple):
    """A target's file without its heading, and notes for the user."""

    body: str
    notes: tuple[str, ...] = ()


class CannotCarry(Refused):
    """The format cannot express something, and its fallback would mean something else."""

    def __init__(self, problems: Iterable[str], fix: Command | None = None) -> None:
        listed = list(problems)
        more = f"; and {len(listed) - MAX_SHOWN} more" if len(listed) > MAX_SHOWN else ""
        super().__init__(f"nothing was exported: {'; '.join(listed[:MAX_SHOWN])}{more}", code="cannot-carry", fix=fix)


def require_plain_path(path: str, program: str, forbidden: str) -> None:
    """Raise CannotCarry unless a program's configuration can name the path without quoting."""
    if not path.startswith("/") or any(character.isspace() or character in forbidden for character in path):
        raise CannotCarry(
            [
                f"{path!a} cannot be written into {program}: use an absolute path without white space or any of {forbidden}"
            ]
        )
