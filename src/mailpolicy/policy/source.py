"""MultiPOP sources: remote mailboxes that mail is collected from."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Tls(StrEnum):
    """How the connection to a source is protected."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    NONE = "none"

    @property
    def port(self) -> int:
        """Return the default port. Source: RFC 8314, 3.2 and RFC 1939, 3."""
        return 995 if self is Tls.IMPLICIT else 110


class Auth(StrEnum):
    """How a source is logged in to: with a password, or with a token, sent by one of two SASL mechanisms."""

    PASSWORD = "password"
    XOAUTH2 = "xoauth2"
    OAUTHBEARER = "oauthbearer"

    @property
    def secret(self) -> str:
        """Return what is sent to log in, for a message."""
        return "password" if self is Auth.PASSWORD else "token"


class Source(NamedTuple):
    """A remote POP3 mailbox that MultiPOP collects from; sizes in KiB, ages in days, None for no limit.

    `token` is the name of what makes the token in host.toml, None for a source with a password.
    """

    host: str
    port: int
    login: str
    tls: Tls = Tls.IMPLICIT
    keep: bool = True
    enabled: bool = True
    max_size_kb: int | None = None
    delete_after_days: int | None = None
    auth: Auth = Auth.PASSWORD
    token: str | None = None

    @property
    def table(self) -> dict[str, str | int | bool]:
        """Return the keys that describe the source, without those that have the value of a missing key."""
        missing = Source(self.host, self.tls.port, self.login, self.tls)
        # Without the classes of the enums, which no writer of a file needs to know.
        keys = {key: str(value) if isinstance(value, StrEnum) else value for key, value in self._asdict().items()}
        tls = {} if self.tls is Tls.IMPLICIT else {"tls": keys["tls"]}
        return {
            "host": self.host,
            "login": self.login,
            **tls,
            **{key: value for key, value in keys.items() if value != getattr(missing, key)},
        }
