"""Whether clients come to the mail server with their own addresses, as far as its log says; for doctor and replay.

Promises: only the end of the log is read. Not promised: to find a log; what is looked at and what not is said.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from mailpolicy.cli import line_reader
from mailpolicy.errors import Command
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted
from mailpolicy.review.replay import DominantAddress, Replay

# Where Debian's and Red Hat's syslog, and Dovecot's own log_path in most examples, put logins.
LOGS = ("/var/log/mail.log", "/var/log/maillog", "/var/log/dovecot.log", "/var/log/dovecot-info.log")
_LOOKED_AT = 8 << 20  # bytes, from the end
_ASK_REPLAY = "journalctl -u dovecot --since -7d | mailpolicy replay -"


class Clients(NamedTuple):
    """What a log says, and the command or the step that says more; `one` if nearly all logins come from one LAN address."""

    one: bool
    message: str
    command: Command | None = None
    step: str | None = None


def look(policy: Policy, log: str | None) -> Clients:
    """Look at the log named, else at the first of the usual ones that has logins. Raises UsageError."""
    logs = [log] if log else [path for path in LOGS if os.path.isfile(path) and os.access(path, os.R_OK)]
    for path in logs:
        replay = _end_of(path, policy)
        if (source := replay.dominant_address()) is not None:
            return Clients(True, f"{path}: {one_address(source)}", ("mailpolicy", "replay", path))
        if replay.logins:
            return Clients(False, f"{path}: {counted(replay.logins, 'login')}, not all from one address of the LAN")
    reason = f"no login was found in {', '.join(logs)}" if logs else f"there is no mail log to read: {', '.join(LOGS)}"
    return Clients(False, f"not checked, as {reason}", step=_ASK_REPLAY)


def _end_of(path: str, policy: Policy) -> Replay:
    replay = Replay(policy)
    descriptor = line_reader.opened(path)
    try:
        cut = os.fstat(descriptor).st_size > _LOOKED_AT
        if cut:
            os.lseek(descriptor, -_LOOKED_AT, os.SEEK_END)
        for part in line_reader.chunks(path, descriptor):
            replay.feed(part[1:] if cut else part)  # the first line is the rest of one
            cut = False
    finally:
        os.close(descriptor)
    return replay


def one_address(source: DominantAddress) -> str:
    """What it means that nearly all logins come from one address of the LAN."""
    return (
        f"{source.share:.0%} of the logins come from {source.ip}, which is in the LAN; if that is a proxy, "
        "a container's gateway or a webmail, `LAN only` admits everybody behind it: see docs/enforcement.md, "
        '"One address for everybody"'
    )
