"""The options that name the source of a password."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import typer

from mailpolicy.errors import UsageError

PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="read the password from stdin")]


PasswordFile = Annotated[
    str | None, typer.Option("--password-file", metavar="PATH", help="read the password from a file")
]


class PasswordSource(NamedTuple):
    """The source of a password: stdin, a file, or else the prompt."""

    stdin: bool
    file: str | None

    @classmethod
    def from_options(cls, stdin: bool, file: str | None) -> PasswordSource:
        """Return the source named by --password-stdin or --password-file. Raises UsageError for both."""
        if stdin and file is not None:
            raise UsageError("--password-stdin and --password-file cannot be combined")
        return cls(stdin, file)

    @property
    def given(self) -> bool:
        """Return whether stdin or a file was named."""
        return self.stdin or self.file is not None
