"""Login records: what a line of a log says about one successful login.

Three kinds, told apart line by line: `ADDRESS PROTOCOL IP [TIME]` separated by tabs or blanks; a JSON object with the
keys `address`, `protocol`, `ip` and perhaps `time`; Dovecot's own lines as 2.3 (`imap-login: Login: user=<...>`) and
2.4 (`imap-login: Logged in: user=<...>`) write them, behind whatever syslogs, journals and containers put before a
line, also as the `MESSAGE` of a journal's JSON object or the `log` of a container's.

Promises: what a client sent never becomes a login: Dovecot's words count only where nothing but a known prefix stands
before them. A login of Dovecot's that is not understood is rejected, never passed over. Time is linear in the length of
a line: no pattern here can backtrack.
Not promised: logins that a Dovecot proxy passes on, a `login_log_format_elements` without `user=<%u>` and `rip=%r`, and
names with `>` in them, which Dovecot refuses unless `auth_username_chars` was changed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mailpolicy.policy.names import LONGEST_LINE


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


_SHOWN = 60  # characters of a line that is not understood: its prefix

# Time stamps: of syslog with or without weekday, year and fractions; numeric ones in any order; seconds since 1970;
# `[seconds]` since the start of the machine.
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]++)?+(?: ?[A-Z]{1,5}+(?![\w.-])| ?[+-][0-9]{2}:?[0-9]{2})?+"
_WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_STAMP = (
    rf"(?>(?:{_WEEKDAY},? )?+(?:"
    rf"(?:[0-9]{{4}} )?+[A-Z][a-z]{{2}} [ 0-9][0-9] (?:[0-9]{{4}} )?+{_CLOCK}(?: [0-9]{{4}}(?![\w.-]))?+"
    rf"|[0-9]{{1,4}}[-/.](?:[0-9]{{1,2}}|[A-Z][a-z]{{2}})[-/.][0-9]{{1,4}}[T :_]{_CLOCK}"
    r"|[0-9]{10}(?:\.[0-9]{1,9}+)?+(?![\w.:])))"
)
# What no word but the first of a time stamp begins with.
_DATE = (
    rf"(?:{_WEEKDAY},? |(?:[0-9]{{4}} )?+[A-Z][a-z]{{2}} [ 0-9][0-9] "
    r"|\[?+[0-9]{1,4}[-/.][0-9A-Za-z]{1,3}[-/.][0-9]{1,4}[T :_][0-9]{2}:)"
)
_STAMPED = rf"(?:\[{_STAMP}\]|{_STAMP}|\[ *+[0-9]++\.[0-9]++\]):? ++"
# Priorities: `<22>` and `<22>1`, `<mail.info>`, `mail.info`, AIX's `mail:info`, Solaris' `[ID 123 mail.info]`.
_LEVELS = r"[a-z0-9]{2,12}+[.:](?:emerg|alert|crit|err|error|warn|warning|notice|info|debug|panic|none) ++"
_PRIORITY = rf"(?:<[0-9]{{1,3}}>(?:1 )?+|<[a-z0-9]++\.[a-z0-9]++> ++|{_LEVELS}|\[ID [0-9]++ [a-z0-9.]++\] ++)"
_HOST = rf"(?!{_DATE}|{_LEVELS}|std(?:out|err) [FP] )(?:[\w.:/@%-]++(?<!:)|\[[0-9A-Fa-f.:]++\]) ++"
# What containers' tools put before a line: `name | `, `[pod/name/container] `, `stdout F `, and Docker's tag in syslog.
_CONTAINER = (
    r"(?:[^\s|]++ ++\| ++|\[pod/[\w./-]++\] ++|std(?:out|err) [FP] ++"
    r"|(?:docker/[\w./@+-]++|[0-9a-f]{12}(?:[0-9a-f]{52})?+)(?:\[[0-9]++\])?+: ++)"
)
_STAMP_AND_HOST = rf"{_STAMPED}(?:{_PRIORITY})*+(?:{_HOST}(?:{_PRIORITY})*+)?+"
_BEFORE = rf"(?:{_STAMP_AND_HOST}|{_PRIORITY}|{_CONTAINER})*+"
_LOGIN = r"-login(?:\[[0-9]++\])?+: ++"
_PROCESS = rf"(?:[\w.-]++/)?+(?:imap|pop3){_LOGIN}"
# The name of a program, and what makes a word one: `name[1]: `, or `name 1 id [data] ` as RFC 5424 has it.
_NAME = rf"(?!{_PROCESS})[\w./@+-]++"
_AS_NAME = (
    rf"(?:(?:\[[\w.-]++\])?+(?: <\w++>)?+: ++(?:{_PRIORITY})*+"
    r"| ++(?:-|[0-9]++) ++[\w./@+-]++ ++(?:-|(?:\[(?:[^\]\\]|\\.)*+\])++) ++\ufeff?+)"
)
# The key of a journal's field, or the file and the line that grep names.
_START = rf"\ufeff?+[ \t]*+(?:MESSAGE=|(?:[\w./+-]++:(?:[0-9]++:)?+|[0-9]++:)(?={_DATE}))?+"
# All that may stand before a login process's own words, with the name of one program, or of two if the first passes on
# whole lines of a log, with their time. The one directly before the words must be Dovecot: `speaker` or `passed`.
_PASSED_ON = _STAMP_AND_HOST + _BEFORE
_HEAD = (
    rf"{_START}{_BEFORE}(?:(?P<speaker>{_NAME}){_AS_NAME}"
    rf"(?P<passed>{_PASSED_ON}(?:(?P<passed_speaker>{_NAME}){_AS_NAME})?+)?+)?+"
)
_DOVECOT = re.compile(
    rf"(?P<head>{_HEAD}(?:message repeated (?P<times>[0-9]{{1,6}}) times: \[ ?)?+)"
    rf"(?:[\w.-]++/(?:imap|pop3){_LOGIN}(?={_PROCESS}))?+"
    rf"(?:[\w.-]++/)?+(?P<protocol>imap|pop3){_LOGIN}(?:Info: )?+(?:Login|Logged in):(?= )"
)
_LEADS = re.compile(_START + _BEFORE), re.compile(_PASSED_ON)
_NAMED = re.compile(rf"({_NAME}){_AS_NAME}")
_TIME = re.compile(_STAMP)
_IP = re.compile(r"[^\s,\]]++")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]++")  # an IP, perhaps
# What Dovecot's processes begin with, the name whole or perhaps broken by what a client sent; a login process.
_PROCESS_NAMED = re.compile(r"(?:[\w.-]++/)?+[a-z][a-z0-9-]*+(?:\[[0-9]++\])?+(?:\([^)]*+\))?+(?:<[^>]*+>)*+: ")
_SPEAKER = re.compile(r"(?:[\w.-]++/)?+[a-z][a-z0-9-]*+[:(<\[]")
_LOGIN_PROCESS = re.compile(rf"{_PROCESS}(?:[A-Z][a-z]++: (?<!Login: ))?+")
_PROGRAM = re.compile(r"(?<!\S)([\w./@+-]++)(\[[0-9]++\])?+: ")
_WORDS = ("Login: ", "Logged in: ")
# What other lines of a log begin with: a container's name, a time, a priority, a process's name, a journal's key.
_LOGGED = re.compile(
    rf"{_START}(?:{_CONTAINER})?+(?:{_PRIORITY})?+"
    rf"(?:{_STAMPED}|[\w./@+-]++\[[0-9]++\]: |[a-z][a-z0-9-]*+(?:\([^)]*+\))?+(?:<[^>]*+>)*+: )"
    r"|[ \t]*+[A-Z_][A-Z0-9_]*+=(?![^@\s]*+@\S++\s++[\w-]++\s++[0-9A-Fa-f.:]++(?!\S))"
)


def login(line: str) -> Login | None:
    """The login that a line records; None for a blank line, a `#` comment and what else stands in a mail log.

    Raises LineRejected.
    """
    if len(line) > LONGEST_LINE:
        raise LineRejected(f"the line is longer than {LONGEST_LINE} bytes")
    if (text := line.lstrip()).startswith(("{", "data: {")):
        return _object(text.removeprefix("data: "))
    if "-login" in line and (found := _dovecots(line)) is not None:
        return found
    fields = line.split(None, 3)
    if not fields or fields[0].startswith("#"):
        return None
    if _LOGGED.match(line) or (not _ADDRESS.fullmatch(fields[min(2, len(fields) - 1)]) and _program(line) is not None):
        return None
    if len(fields) < 3:
        raise LineRejected("a record has the fields ADDRESS PROTOCOL IP and perhaps a time")
    return Login(fields[0], fields[1], fields[2], fields[3].strip() if len(fields) == 4 else None)


def _dovecots(line: str, time: str | None = None) -> Login | None:
    """The login that a line of Dovecot's records; `time` is known from elsewhere. Raises LineRejected."""
    if not any(words in line for words in _WORDS):
        return None
    match = _DOVECOT.match(line)
    if match is None:
        if _hides_login(line):
            raise LineRejected(f"a Dovecot login that is not understood: {line[:_SHOWN].strip()!a}")
        return None
    speaker = match["passed_speaker"] if match["passed"] else match["speaker"]
    if speaker not in (None, "Info") and "dovecot" not in speaker.lower():
        return None  # another program, whatever it says
    elements = line[match.end() :]
    name, ip = _name_and_ip(elements)
    if time is None and (stamp := _TIME.search(match["head"])) is not None:
        time = stamp[0]
    return Login(name, match["protocol"], ip, time, True, int(match["times"] or 1))


def _name_and_ip(elements: str) -> tuple[str, str]:
    """What the elements of a login say. Raises LineRejected, also where a client may have written one of them."""
    users, ips = elements.count(" user=<"), elements.count(" rip=")
    if users > 1 or ips > 1:
        raise LineRejected("a login with two user=<...> or two rip=...: a client may have written one of them")
    before, _, after = elements.partition(" rip=")
    found = _IP.match(after)
    if not users or found is None or before.count("<") != before.count(">"):
        raise LineRejected("a login without user=<...> and rip=...: both belong into login_log_format_elements")
    name = elements.partition(" user=<")[2].partition(">")[0]
    if not name:
        raise LineRejected("a login without a name: user=<> is empty")
    return name, found[0]


def _hides_login(line: str) -> bool:
    """Whether a line that is not understood is a login of Dovecot's, as far as can be told.

    The first program that is named has written the line, and all behind its name may be a client's.
    """
    if "user=<" not in line or "rip=" not in line:
        return False
    end, program = _named(line)
    speaks = _PROCESS_NAMED.match(line, end)
    if program is None and not speaks and (named := _program(line, end)) is not None:
        end, program = named.end(), named[1]
    if program is not None and "dovecot" not in program.lower():
        return False
    if program is not None:
        speaks = _SPEAKER.match(line, end)
    process = _LOGIN_PROCESS.match(line, end) if speaks else _LOGIN_PROCESS.search(line, end)
    if process is None:
        return False
    said = line[process.end() :]
    return said.startswith(_WORDS) or (not said[:1].isalpha() and any(words in said for words in _WORDS))


def _named(line: str) -> tuple[int, str | None]:
    """Where the prefix ends as far as it is understood, and the program that is named there."""
    end, program = 0, None
    for lead in _LEADS:
        if (match := lead.match(line, end)) is None:
            break
        end = match.end()
        if (match := _NAMED.match(line, end)) is None:
            break
        end, program = match.end(), match[1]
    return end, program


def _program(line: str, start: int = 0) -> re.Match[str] | None:
    """The first program that is named behind a prefix that is not understood: `name[1]: ` or Dovecot."""
    return next((named for named in _PROGRAM.finditer(line, start) if named[2] or "dovecot" in named[1]), None)


def _object(line: str) -> Login | None:
    """The login of a JSON object: a record, or a line of a log in an object of a journal's or a container's."""
    import json

    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise LineRejected("this begins like a JSON object and is none") from None
    name, protocol, ip, time = (record.get(key) for key in ("address", "protocol", "ip", "time"))
    if isinstance(name, str) and isinstance(protocol, str) and isinstance(ip, str):
        return Login(name, protocol, ip, str(time) if time is not None else None)
    if "MESSAGE" in record:
        program = record.get("SYSLOG_IDENTIFIER")
        tag = re.sub(r"[^\w./@+-]", "_", program) + ": " if isinstance(program, str) else ""
        if "CONTAINER_ID" in record:
            tag = f"docker/{tag}"  # the identifier is the container's then, whatever its name
        return _dovecots(tag + _message(record["MESSAGE"]), _realtime(record.get("__REALTIME_TIMESTAMP")))
    if isinstance(text := record.get("log"), str):
        return _dovecots(text, time if isinstance(time, str) else None)
    raise LineRejected("a JSON record has the keys address, protocol and ip, each a string")


def _message(value: object) -> str:
    """The text of a journal's field, which is an array of bytes if it is not UTF-8 and null if it is too long."""
    if isinstance(value, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
        return bytes(value).decode("utf-8", "surrogateescape")
    return value if isinstance(value, str) else ""


def _realtime(microseconds: object) -> str | None:
    """A journal's time stamp as others write it."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(int(str(microseconds)) // 1_000_000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
