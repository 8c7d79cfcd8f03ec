"""Check in the mail log whether clients reach the server with their own IP addresses; for doctor and replay."""

from __future__ import annotations

import os
from typing import NamedTuple

from mailpolicy.cli import line_reader
from mailpolicy.errors import Command
from mailpolicy.policy.model import Policy
from mailpolicy.policy.names import counted
from mailpolicy.review.replay import DominantAddress, Replay

# Logins in the syslog of Debian and Red Hat, and in the usual values of Dovecot's log_path.
LOGS = ("/var/log/mail.log", "/var/log/maillog", "/var/log/dovecot.log", "/var/log/dovecot-info.log")
_TAIL_SIZE = 8 << 20  # bytes, at the end of the log
_REPLAY_STEP = "journalctl -u dovecot --since -7d | mailpolicy replay -"


class Clients(NamedTuple):
    """The result, with a command or step for details; `single_address` if nearly all logins come from one LAN address."""

    single_address: bool
    message: str
    command: Command | None = None
    step: str | None = None


def inspect_log(policy: Policy, log: str | None) -> Clients:
    """Check the end of the given log, by default the first of LOGS with logins. Raises UsageError."""
    logs = [log] if log else [path for path in LOGS if os.path.isfile(path) and os.access(path, os.R_OK)]
    for path in logs:
        replay = _replay_tail(path, policy)
        if (source := replay.dominant_address()) is not None:
            return Clients(True, f"{path}: {single_address_warning(source)}", ("mailpolicy", "replay", path))
        if replay.logins:
            return Clients(False, f"{path}: {counted(replay.logins, 'login')}, not all from one LAN address")
    reason = f"no login in {', '.join(logs)}" if logs else f"no readable mail log among {', '.join(LOGS)}"
    return Clients(False, f"not checked: {reason}", step=_REPLAY_STEP)


def _replay_tail(path: str, policy: Policy) -> Replay:
    replay = Replay(policy)
    descriptor = line_reader.open_lines(path)
    try:
        cut = os.fstat(descriptor).st_size > _TAIL_SIZE
        if cut:
            os.lseek(descriptor, -_TAIL_SIZE, os.SEEK_END)
        for part in line_reader.chunks(path, descriptor):
            replay.feed(part[1:] if cut else part)  # the first line is incomplete
            cut = False
    finally:
        os.close(descriptor)
    return replay


def single_address_warning(source: DominantAddress) -> str:
    """Return the warning that nearly all logins come from one address of the LAN."""
    return (
        f"{source.share:.0%} of the logins come from {source.ip}, which is in the LAN; if that is a proxy, "
        "a container gateway or a webmail server, `LAN only` admits everybody behind it: see docs/enforcement.md, "
        '"One address for everybody"'
    )
