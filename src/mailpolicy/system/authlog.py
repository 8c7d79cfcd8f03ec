"""Tell the machine's log of security events (syslog, authpriv) about an edit."""

from __future__ import annotations

import syslog

from mailpolicy.policy.names import printable

_LONGEST = 1000  # characters; syslog daemons cut lines at 1024 bytes or more


def tell(text: str) -> None:
    """Write one line to syslog. Without a daemon that listens nothing happens."""
    syslog.openlog("mailpolicy", syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_NOTICE, printable(text)[:_LONGEST])
    syslog.closelog()
