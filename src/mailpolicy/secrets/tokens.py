"""Make the token that a source logs in with, by the command in host.toml. It is printed once and never stored.

Whoever may edit the store chooses the source's host and login. So a token is only sent where host.toml lets it go, and a
login is never taken for an option.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from mailpolicy.errors import Command, KeyringError, Refused
from mailpolicy.policy.source import Source, Tls
from mailpolicy.store.host import TokenCommand
from mailpolicy.system import programs, trust

TIMEOUT = 15.0  # seconds
_TOKEN = re.compile("[!-~]+")  # Source: RFC 6750, 2.1, but as lenient as providers are


def make(
    token: TokenCommand, source: Source, environment: Mapping[str, str], owner: str, *, timeout: float = TIMEOUT
) -> str:
    """Return a new token for a source of `owner`. Raises KeyringError without one, Refused if it must not be made.

    The command gets no environment but `environment`. Nothing that it printed is ever part of a message.
    """
    refuse_destination(token, source)
    if token.takes_login and source.login.startswith("-"):
        raise Refused(
            f"the login of {owner} begins with `-`, which {token.program} would take for an option", code="token-login"
        )
    if os.geteuid() == 0 and (fix := trust.fix_for_root(token.program)) is not None:
        raise trust.unsafe(token.program, fix)
    result = programs.run(token.for_login(source.login), timeout, environment, with_children=True)
    reason = _failure(result)
    if reason is not None:
        raise KeyringError(f"{token.program} made no token for {owner}: it {reason}", code="no-token")
    return result.out.rstrip("\r\n")


def _failure(result: programs.ProgramResult) -> str | None:
    """Return why the result of a command is no token, None if it is one."""
    if result.status is None:
        return result.failure  # in our own words, as it did not start or end
    if result.status != 0:
        how = f"exit {result.status}" if result.status > 0 else f"signal {-result.status}"
        return f"failed ({how}); its messages are not repeated here, so run it yourself"
    lines = result.out.splitlines()
    if len(lines) != 1 or not lines[0]:
        return f"printed {'more than one line' if len(lines) > 1 else 'nothing'}, instead of one line with the token"
    return None if _TOKEN.fullmatch(lines[0]) else "printed a line that is no token"


def refuse_destination(token: TokenCommand, source: Source) -> None:
    """Raise Refused if the tokens of a command may not be sent to the server of a source."""
    if token.hosts is None:
        return
    if source.host not in token.hosts:
        listed = ", ".join(sorted(token.hosts))
        raise Refused(
            f"a token of tokens.{token.name} may be sent to {listed}, not to {source.host}: if that is meant, add it to "
            f"hosts of [tokens.{token.name}] in host.toml",
            code="token-host",
        )
    if source.tls is Tls.NONE:
        raise Refused(
            f"a token is not sent to {source.host} without TLS: use tls implicit or starttls", code="token-host"
        )


def unusable(token: TokenCommand, *, is_root: bool) -> tuple[str, Command | None] | None:
    """Return why the command of a token cannot be run, with the command that fixes it; None if it can."""
    if not os.path.isfile(token.program):
        return f"{token.program} is missing", None
    if not os.access(token.program, os.X_OK):
        return f"{token.program} cannot be executed", ("chmod", "a+x", token.program)
    if is_root and (fix := trust.fix_for_root(token.program)) is not None:
        return f"users other than root can change {token.program} or a directory above it", fix
    return None
