"""Say who edits, and with which command, for the journal."""

from __future__ import annotations

import os
import pwd
import shlex
from typing import TYPE_CHECKING

from mailpolicy.cli.context import Context
from mailpolicy.edit.history.journal import Journal

if TYPE_CHECKING:
    from mailpolicy.policy.dates import Clock


def journal(context: Context, now: Clock) -> Journal:
    """Return the journal of this run. No option takes a secret, so its command line holds none."""
    return Journal(user(), context.sudo_user, shlex.join(("mailpolicy", *context.arguments)), now)


def user() -> str:
    """Return the name of the user who runs this process, or its number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
