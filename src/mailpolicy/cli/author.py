"""Say who edits, and with which command: for the journal, and for others who come."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mailpolicy.cli.output import Output

if TYPE_CHECKING:
    from mailpolicy.edit.history.journal import Journal


def journal(out: Output) -> Journal | None:
    """Return the journal that host.toml asks for, or None. Raises StoreError and Refused.

    No option takes a secret, so the command line holds none.
    """
    if not out.machine().settings.journal:
        return None
    if "--no-journal" in out.skipped:
        out.message("note: --no-journal: this edit is not written down, and cannot be undone")
        return None
    import shlex

    from mailpolicy.edit.history.journal import Journal  # 3 ms with shlex, only if host.toml asks for a journal

    return Journal(user(), out.context.sudo_user, shlex.join(("mailpolicy", *out.context.arguments)), out.now)


def user() -> str:
    """Return the name of the user who runs this process, or its number."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
