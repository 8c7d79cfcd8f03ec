"""The JSON object of an error."""

from __future__ import annotations

import shlex
from typing import Any

from mailpolicy.errors import MailpolicyError, UsageError


def content(error: MailpolicyError, store: str) -> dict[str, Any]:
    """Return the keys of an error's object; `store` is the file that an error which names none is about."""
    found: dict[str, Any] = {
        "exit": error.exit_status,
        "code": error.code,
        "message": error.message,
        "fix": shlex.join(error.fix) if error.fix is not None else None,
    }
    if error.file is not None:
        found["file"] = error.file
    # Most usage errors are about the command line, not about the store.
    elif error.about_store or error.exit_status != UsageError.exit_status:
        found["file"] = store
    if error.line is not None:
        found["line"] = error.line
    if findings := getattr(error, "findings", []):
        found["findings"] = [finding.content for finding in findings]
    return {**found, **error.content}
