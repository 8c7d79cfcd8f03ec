"""The failures a user is told about, each with its exit code; raised where they are understood, printed in one place.

Promises: `message` is one line, lower case, and holds no secret. Not promised: a wording that programs may parse;
they read `code` and `exit_status`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class MailpolicyError(Exception):
    """A failure with one clear sentence, a stable `code` for programs and, where there is one, the command that helps.

    `content` is what programs are told besides.
    """

    exit_status = 70
    code = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fix: str | None = None,
        content: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.content = content or {}
        self.message = message
        self.fix = fix
        if code is not None:
            self.code = code


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


class NotFound(MailpolicyError):
    """No such account, template or source."""

    exit_status = 4
    code = "not-found"


class Refused(MailpolicyError):
    """A requirement does not hold, the thing exists already and differs, or permissions are unsafe."""

    exit_status = 5
    code = "refused"


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
