"""The errors that a user is told about, each with its exit code.

An error is raised by the code that understands it and printed in one place. The message is one line in lower case and
holds no secret; the file that it is about and the command that helps are values of their own. Programs read `code` and
`exit_status`, as the wording may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

Command = tuple[str, ...]  # a program and its arguments, each as the program gets it


class Advice(NamedTuple):
    """A note for a person, which is not an error, with the command that helps."""

    text: str
    command: Command

    def __str__(self) -> str:
        """Return both in one line, for callers that cannot format the command for its place."""
        import shlex

        return f"{self.text}: {shlex.join(self.command)}"


class MailpolicyError(Exception):
    """A failure with a message, a stable `code` for programs and, if there is one, the command that helps.

    `file` and `line` are the place that the error is about; if an error `about_store` names no file, it is about the
    store. `content` is added to the JSON object of the error.
    """

    exit_status = 70
    code = "internal"
    about_store = False
    is_first_finding = False  # true if the message repeats the first of the `findings`, false if it sums them up

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        file: str | None = None,
        line: int | None = None,
        fix: Command | None = None,
        content: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.content = content or {}
        self.message = message
        self.file = file
        self.line = line
        self.fix = fix
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        """Return the message behind its place."""
        return ": ".join([*self.place, self.message])

    def ending(self, consequence: str) -> Self:
        """Return the same error with what was done all the same, in place of "nothing was written"."""
        message = self.message.removesuffix("; nothing was written")
        same = type(self)(f"{message}; {consequence}", code=self.code, file=self.file, line=self.line, fix=self.fix)
        same.content = self.content
        return same

    @property
    def place(self) -> list[str]:
        """Return `FILE` or `FILE:LINE` as a list of one, empty if the error names no file."""
        if self.file is None:
            return []
        return [f"{self.file}:{self.line}" if self.line is not None else self.file]


class UsageError(MailpolicyError):
    """The command line is wrong: a bad option, an unknown protocol, a malformed address."""

    exit_status = 2
    code = "usage"


class UnsupportedSystem(UsageError):
    """The operating system lacks a feature that the guarantees about files need."""

    code = "unsupported-system"


class StoreError(MailpolicyError):
    """The store cannot be opened or read."""

    exit_status = 3
    code = "store"


class FileMissing(StoreError):
    """The file does not exist."""


class NotFound(MailpolicyError):
    """The account, template or source does not exist."""

    exit_status = 4
    code = "not-found"
    about_store = True


class Refused(MailpolicyError):
    """A requirement is not met, the thing exists with other settings, or permissions are unsafe."""

    exit_status = 5
    code = "refused"
    about_store = True


class KeyringError(MailpolicyError):
    """The keyring is missing, locked or refuses access."""

    exit_status = 6
    code = "keyring"


class WriteFailed(MailpolicyError):
    """The write failed, and the old file is intact."""

    exit_status = 7
    code = "write-failed"


class NotConfirmed(MailpolicyError):
    """The new file is in place, but the disk did not confirm it."""

    exit_status = 8
    code = "not-confirmed"


class OutputFailed(MailpolicyError):
    """Standard output could not be written."""

    exit_status = 74
    code = "output-failed"


class StillLocked(MailpolicyError):
    """Another writer held the lock for the whole waiting time, and nothing was written."""

    exit_status = 75
    code = "locked"
