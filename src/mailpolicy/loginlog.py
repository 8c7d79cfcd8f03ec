"""Login records: what a line of a log says about one successful login.

Three kinds, told apart line by line: `ADDRESS PROTOCOL IP [TIME]` parted by tabs or blanks; a JSON object with the keys
`address`, `protocol`, `ip` and perhaps `time`; Dovecot's own lines as 2.3 (`imap-login: Login: user=<...>`) and 2.4
(`imap-login: Logged in: user=<...>`) write them, behind any time stamp of syslog's or Dovecot's.

Promises: what a client sent is never taken for a login: Dovecot's words count only where they are the first ones behind
what a log puts before every line. Not promised: logins that a Dovecot proxy passes on, and a `login_log_format_elements` without `user=<%u>`
as its first element or without `rip=%r`.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Login(NamedTuple):
    """One login as it was logged. `name` is what the client called itself, which Dovecot allows to be no address."""

    name: str
    protocol: str
    ip: str
    time: str | None
    dovecot: bool = False
    times: int = 1  # how often, where syslog repeated the line


class LineRejected(ValueError):
    """A line that is no record and no line of a log's either; the text says why."""


_STAMP = (
    r"(?:[A-Z][a-z]{2} )?(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?: ?[A-Z]{1,5}|[+-][0-9]{2}:?[0-9]{2})?)"
)
# All that may stand before a login process's own words: a container's name, a priority, time stamps, a host, the name of
# one program. Other programs quote what a client sent, and never directly behind their name.
_HEAD = (
    r"(?:[^\s|]+ +\| +)?"
    rf"(?:{_STAMP} +)*(?:<[0-9]{{1,3}}>(?:1 )?)?"
    rf"(?:(?:{_STAMP} +)+(?:[\w.:-]+ +(?:[\w.-]+ \S+ \S+ (?:-|\[[^\]]*\]) )?)?)?"
    r"(?:[\w.-]+(?:\[[0-9]+\])?: +)?"
)
_DOVECOT = re.compile(
    rf"({_HEAD})(?:message repeated ([0-9]{{1,6}}) times: \[ ?)?"
    r"(imap|pop3)-login: (?:Info: )?(?:Login|Logged in): (?:user=<([^>]*)>, (?:[^<>]*?, )?rip=([^\s,\]]+))?"
)
_TIME = re.compile(_STAMP)
_LONGEST_HEAD = (
    400  # characters before Dovecot's words; in what is longer, stamps would be tried in all ways to part them
)
# What other lines of a log begin with: perhaps a container's name, perhaps a priority, then a time, or a process's name.
_LOGGED = re.compile(
    rf"(?:\S+ +\| +)?(?:<[0-9]{{1,3}}>(?:1 )?)?(?:{_TIME.pattern}|[a-z][a-z0-9-]*(?:\([^)]*\))?(?:<[^>]*>)*: )"
)


def login(line: str) -> Login | None:
    """The login that a line records; None for a blank line, a `#` comment and what else stands in a mail log.

    Raises LineRejected.
    """
    if "-login: " in line[:_LONGEST_HEAD] and (match := _DOVECOT.match(line)) is not None:
        head, times, protocol, name, ip = match.groups()
        if ip is None:
            raise LineRejected("a login without user=<...> and rip=...: both belong into login_log_format_elements")
        if not name:
            raise LineRejected("a login without a name: user=<> is empty")
        stamp = _TIME.search(head)
        return Login(name, protocol, ip, stamp[0] if stamp else None, True, int(times or 1))
    if line.lstrip().startswith("{"):
        return _object(line)
    fields = line.split(None, 3)
    if not fields or fields[0].startswith("#"):
        return None
    if _LOGGED.match(line):
        return None
    if len(fields) < 3:
        raise LineRejected("a record has the fields ADDRESS PROTOCOL IP and perhaps a time")
    return Login(fields[0], fields[1], fields[2], fields[3].strip() if len(fields) == 4 else None)


def _object(line: str) -> Login:
    import json

    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise LineRejected("this begins like a JSON object and is none") from None
    name, protocol, ip, time = (record.get(key) for key in ("address", "protocol", "ip", "time"))
    if not (isinstance(name, str) and isinstance(protocol, str) and isinstance(ip, str)):
        raise LineRejected("a JSON record has the keys address, protocol and ip, each a string")
    return Login(name, protocol, ip, str(time) if time is not None else None)
