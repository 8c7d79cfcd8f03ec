"""A smart host that relays nothing and remembers with which login each mail came.

Promises: logins and passwords are bytes as they were sent; AUTH is offered only under TLS. Without a certificate it
offers neither, and is where collected mail is handed in.
"""

from __future__ import annotations

from collections import defaultdict
from types import TracebackType
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.real.loopback import HOST, Certificate, free_port


class Mail(NamedTuple):
    """One mail that came in; without authentication the login is None."""

    sender: str
    recipients: tuple[str, ...]
    login: tuple[str, str] | None
    content: bytes


class _Server(SMTP):
    line_length_limit = 12288  # RFC 4954, for AUTH
    command_size_limits: dict[str, int] = defaultdict(lambda: 12288)  # noqa: RUF012, as aiosmtpd has it


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Server(self.handler, **self.SMTP_kwargs)


class SmartHost:
    """Listens from `with` on; `mails` are those that came, in their order."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.mails: list[Mail] = []
        self.port = free_port()
        secure: dict[str, Any] = {}
        if certificate is not None:
            secure = {"tls_context": certificate.context, "authenticator": self._authenticate}
        self._controller = _Controller(self, hostname=HOST, port=self.port, enable_SMTPUTF8=True, **secure)

    def __enter__(self) -> SmartHost:
        self._controller.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._controller.stop()

    def _authenticate(
        self, server: Any, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        return AuthResult(success=True, auth_data=(given.login.decode(), given.password.decode()))

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        """Remember a mail."""
        assert isinstance(envelope.content, bytes)
        sender = (envelope.mail_from or "").replace("<>", "")
        self.mails.append(Mail(sender, tuple(envelope.rcpt_tos), session.auth_data, envelope.content))
        return "250 kept"
