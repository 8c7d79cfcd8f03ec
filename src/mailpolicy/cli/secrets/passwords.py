"""Read a password from a hidden prompt, stdin or a file; never from an argument or the environment."""

from __future__ import annotations

import sys

from mailpolicy.cli.output import Output
from mailpolicy.cli.secrets.password_options import PasswordSource
from mailpolicy.errors import StoreError, UsageError
from mailpolicy.policy.names import printable
from mailpolicy.system.files import describe_error, open_regular

_MAX_SIZE = 1 << 16  # bytes of a password


def read_given(out: Output, source: PasswordSource) -> str | None:
    """Return the password from stdin or the file, None if neither was named. Raises UsageError.

    A terminal on stdin would echo the password, so then None is returned too and the prompt is used.
    """
    if not source.given or (source.stdin and out.context.stdin_is_terminal):
        return None
    try:
        if source.file is not None:
            # Not open(): a FIFO that somebody has put there would be waited for.
            with open_regular(source.file) as descriptor, open(descriptor, "rb", closefd=False) as file:
                data = file.read(_MAX_SIZE + 3)
        elif sys.stdin is not None:
            data = sys.stdin.buffer.read(_MAX_SIZE + 3)
        else:
            raise UsageError("stdin is closed")
    except StoreError as error:
        raise UsageError(f"cannot read the password: {error.message}", file=source.file) from None
    except OSError as error:
        raise UsageError(f"cannot read the password: {describe_error(error)}", file="stdin") from None
    if len(data) > _MAX_SIZE + 2:  # two more for a line end
        raise UsageError(f"the password is longer than {_MAX_SIZE} bytes")
    try:
        return password(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise UsageError("the password is not UTF-8") from None


def password(text: str) -> str:
    """Return a password that was given as one line. Raises UsageError if it cannot be one."""
    secret = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    try:
        size = len(secret.encode("utf-8"))
    except UnicodeEncodeError:  # a terminal passes invalid bytes on as surrogates
        raise UsageError("the password is not UTF-8") from None
    if any(character in secret for character in "\0\r\n"):
        raise UsageError("the password contains a newline or a NUL: give a single line")
    if not secret:
        raise UsageError("the password is empty: to remove a password use smart-host clear or multipop source remove")
    if size > _MAX_SIZE:
        raise UsageError(f"the password is longer than {_MAX_SIZE} bytes")
    return secret


def require_source(out: Output, source: PasswordSource) -> None:
    """Raise UsageError if no source of the password was named and there is no terminal to prompt on."""
    if not source.given and not out.context.stdin_is_terminal:
        raise UsageError("no terminal to ask for the password: use --password-stdin or --password-file PATH")


def prompt(label: str) -> str:
    """Return the password typed twice at a hidden prompt that shows `label`. Raises UsageError."""
    import warnings
    from getpass import GetPassWarning, getpass

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            secret = password(getpass(f"{printable(label)}: "))
            if getpass(f"{printable(label)} (again): ") != secret:
                raise UsageError("the two passwords differ; nothing was changed")
            return secret
    except EOFError:
        raise UsageError("no password was given; nothing was changed") from None
    except UnicodeDecodeError:
        raise UsageError("the password is not UTF-8") from None
    except GetPassWarning:
        raise UsageError(
            "this terminal would show the password: use --password-stdin or --password-file PATH"
        ) from None
