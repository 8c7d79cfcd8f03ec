"""The failures a user is told about, each with its exit code; raised where they are understood, printed in one place.

Promises: `message` is one line, lower case, and holds no secret; what the error is about and the command that helps
are values beside it. Not promised: a wording that programs may parse; they read `code` and `exit_status`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Command = tuple[str, ...]  # a program and its arguments, each as the program gets it


class Advice(NamedTuple):
    """A sentence for a person, which is no error, and the command that helps."""

    text: str
    command: Command

    def __str__(self) -> str:
        """Both in one line, for whoever cannot say where the command is to run."""
        import shlex

        return f"{self.text}: {shlex.join(self.command)}"


class MailpolicyError(Exception):
    """A failure with one clear sentence, a stable `code` for programs and, if there is one, the command that helps.

    `file`, and `line` in it, is what the error is about; an error of a kind that is `about_store` and names none is about the
    store. `content` is what programs are told besides.
    """

    exit_status = 70
    code = "internal"
    about_store = False
    is_first_finding = False  # of its `findings`; else it sums them up

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
        """The sentence, behind the place that it is about."""
        return ": ".join([*self.place, self.message])

    @property
    def place(self) -> list[str]:
        """The file that it is about, with the line if that is known; empty if it names none."""
        if self.file is None:
            return []
        return [f"{self.file}:{self.line}" if self.line is not None else self.file]


class UsageError(MailpolicyError):
    """The command line itself is wrong: a bad option, an unknown protocol, a malformed address."""

    exit_status = 2
    code = "usage"


class UnsupportedSystem(UsageError):
    """The operating system has not what the promises about files rest on."""

    code = "unsupported-system"


class StoreError(MailpolicyError):
    """The store cannot be opened or read."""

    exit_status = 3
    code = "store"


class FileMissing(StoreError):
    """There is no such file."""


class NotFound(MailpolicyError):
    """No such account, template or source."""

    exit_status = 4
    code = "not-found"
    about_store = True


class Refused(MailpolicyError):
    """A requirement does not hold, the thing exists already and differs, or permissions are unsafe."""

    exit_status = 5
    code = "refused"
    about_store = True


class KeyringError(MailpolicyError):
    """The keyring is missing, locked or refuses."""

    exit_status = 6
    code = "keyring"


class WriteFailed(MailpolicyError):
    """The write failed; the old file is intact."""

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
    """Another writer held the lock for the whole waiting time; nothing was written."""

    exit_status = 75
    code = "locked"
