"""Where a password comes from: a hidden prompt, stdin or a file; never an argument or the environment.

Promises: the password is in no message; without a terminal nothing is read that was not asked for.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from mailpolicy.cli.output import Output
from mailpolicy.errors import UsageError
from mailpolicy.policy.names import printable

_LONGEST = 1 << 16  # bytes of a password


class PasswordSource(NamedTuple):
    """Where the password comes from: stdin, a file, or else the prompt."""

    stdin: bool
    file: str | None

    @property
    def given(self) -> bool:
        """Whether it was said where the password comes from."""
        return self.stdin or self.file is not None


def piped(out: Output, source: PasswordSource) -> str | None:
    """The password from stdin or the file; None where neither was named, or where stdin is a terminal, which would show it.

    Raises UsageError.
    """
    if not source.given or (source.stdin and out.context.stdin_is_terminal):
        return None
    try:
        if source.file is not None:
            with open(source.file, "rb") as file:
                data = file.read(_LONGEST + 3)
        elif sys.stdin is not None:
            data = sys.stdin.buffer.read(_LONGEST + 3)
        else:
            raise UsageError("stdin is closed")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the password cannot be read: {(getattr(error, 'strerror', None) or 'bad name').lower()}",
            file=source.file or "stdin",
        ) from None
    if len(data) > _LONGEST + 2:  # it was cut
        raise UsageError(f"the password is longer than {_LONGEST} bytes")
    try:
        return _password(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise UsageError("the password is not UTF-8") from None


def _password(text: str) -> str:
    secret = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    try:
        size = len(secret.encode("utf-8"))
    except UnicodeEncodeError:  # a terminal's bytes that were none
        raise UsageError("the password is not UTF-8") from None
    if any(character in secret for character in "\0\r\n"):
        raise UsageError("the password has a newline or a NUL inside: give one line")
    if not secret:
        raise UsageError("the password is empty: to remove it use smart-host clear or multipop source remove")
    if size > _LONGEST:
        raise UsageError(f"the password is longer than {_LONGEST} bytes")
    return secret


def require_source(out: Output, source: PasswordSource) -> None:
    """Raise UsageError where nobody said where the password comes from and nobody is there to ask."""
    if not source.given and not out.context.stdin_is_terminal:
        raise UsageError("there is no terminal to ask for the password: use --password-stdin or --password-file PATH")


def prompted(whose: str) -> str:
    """The password typed at a hidden prompt that says `whose`, and once more, as nobody sees it. Raises UsageError."""
    import warnings
    from getpass import GetPassWarning, getpass

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            secret = _password(getpass(f"{printable(whose)}: "))
            if getpass(f"{printable(whose)}, once more: ") != secret:
                raise UsageError("the two passwords differ, nothing was changed")
            return secret
    except EOFError:
        raise UsageError("no password was given, nothing was changed") from None
    except UnicodeDecodeError:
        raise UsageError("the password is not UTF-8") from None
    except GetPassWarning:
        raise UsageError(
            "this terminal would show the password: use --password-stdin or --password-file PATH"
        ) from None
