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


class Source(NamedTuple):
    """A remote POP3 mailbox that MultiPOP collects from; sizes in KiB, ages in days, None for no limit."""

    host: str
    port: int
    login: str
    tls: Tls = Tls.IMPLICIT
    keep: bool = True
    enabled: bool = True
    max_size_kb: int | None = None
    delete_after_days: int | None = None

    @property
    def table(self) -> dict[str, str | int | bool]:
        """Return the keys that describe the source, without those that have the value of a missing key."""
        missing = Source(self.host, self.tls.port, self.login, self.tls)
        tls = {} if self.tls is Tls.IMPLICIT else {"tls": str(self.tls)}
        return {
            "host": self.host,
            "login": self.login,
            **tls,
            **{key: value for key, value in self._asdict().items() if value != getattr(missing, key)},
        }
