"""Parse login records: one line of a log, one successful login.

There are three kinds, which may be mixed: `ADDRESS PROTOCOL IP [TIME]` separated by tabs or blanks; a JSON object
with the keys `address`, `protocol`, `ip` and perhaps `time`; and the lines of Dovecot 2.3 (`imap-login: Login:
user=<...>`) and 2.4 (`imap-login: Logged in: user=<...>`), its ManageSieve and submission servers included, and of
Postfix (`client=host[IP], sasl_method=..., sasl_username=...`, one for each mail), with any prefix of a syslog, a journal
or a container, also as the `MESSAGE` of a journal's JSON object or the `log` of a container's.

Nothing that a client sent can become a login: the words count only behind a known prefix. A login that a server reports
and that cannot be parsed is rejected, never skipped, because access is narrowed by the result. Not supported: logins that a
Dovecot proxy passes on, a `login_log_format_elements` without `user=<%u>` and `rip=%r`, and names with `>` in them, which
Dovecot refuses unless `auth_username_chars` was changed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mailpolicy.policy.names import MAX_LINE_BYTES
from mailpolicy.review.log_patterns import (
    DOVECOT_LOGIN,
    HEAD,
    IP_FIELD,
    LOGIN_PROCESS,
    LOGIN_PROCESS_ANYWHERE,
    LOGIN_WORDS,
    MAYBE_IP,
    NAMED_PROGRAM,
    OTHER_LOG_LINE,
    POSTFIX_CLIENT,
    POSTFIX_LOGIN,
    POSTFIX_PROGRAM,
    PREFIXES,
    PROCESS_PREFIX,
    PROGRAM_PREFIX,
    SPEAKER,
    TIME_STAMP,
)


class Login(NamedTuple):
    """One login as it was logged. `name` is the client's user name, which in a server's log need not be an address."""

    name: str
    protocol: str
    ip: str
    time: str | None
    by_server: bool = False  # logged by Dovecot or Postfix
    times: int = 1  # more if syslog merged repeated lines


class LineRejected(ValueError):
    """A line that is neither a login record nor any other line of a log; the text says why."""


_MAX_SHOWN = 60  # characters of a line that cannot be parsed: its prefix, never what a client sent


def login(line: str) -> Login | None:
    """Return the login that a line records, or None for a blank line, a comment or any other line of a mail log.

    Raise LineRejected.
    """
    if len(line) > MAX_LINE_BYTES:
        raise LineRejected(f"the line is longer than {MAX_LINE_BYTES} bytes")
    if (text := line.lstrip()).startswith(("{", "data: {")):
        return _json_login(text.removeprefix("data: "))
    if ("-login" in line or "sasl_username=" in line) and (found := _server_login(line)) is not None:
        return found
    fields = line.split(None, 3)
    if not fields or fields[0].startswith("#"):
        return None
    if OTHER_LOG_LINE.match(line) or (
        not MAYBE_IP.fullmatch(fields[min(2, len(fields) - 1)]) and _first_program(line) is not None
    ):
        return None
    if len(fields) < 3:
        raise LineRejected("not a login record: write ADDRESS PROTOCOL IP, optionally followed by a time")
    return Login(fields[0], fields[1], fields[2], fields[3].strip() if len(fields) == 4 else None)


def _server_login(line: str, time: str | None = None) -> Login | None:
    """Return the login in a line of Dovecot's or Postfix's, or None; `time` is used if known. Raise LineRejected."""
    if "sasl_username=" in line and (found := _postfix_login(line, time)) is not None:
        return found
    return _dovecot_login(line, time)


def _postfix_login(line: str, time: str | None) -> Login | None:
    head = HEAD.match(line)
    if head is None or POSTFIX_PROGRAM.fullmatch(head["passed_speaker"] or head["speaker"] or "") is None:
        return None
    match = POSTFIX_LOGIN.match(line, head.end())
    if match is None:
        if POSTFIX_CLIENT.match(line, head.end()) is None:
            return None  # another line, such as of a login that failed
        raise LineRejected(f"cannot parse this login of Postfix: {line[:_MAX_SHOWN].strip()!a}")
    if time is None and (stamp := TIME_STAMP.search(head[0])) is not None:
        time = stamp[0]
    return Login(match["name"], "smtp", match["ip"], time, True)


def _dovecot_login(line: str, time: str | None = None) -> Login | None:
    """Return the login that a line of Dovecot reports, or None; `time` is used if known. Raise LineRejected."""
    if not any(words in line for words in LOGIN_WORDS):
        return None
    match = DOVECOT_LOGIN.match(line)
    if match is None:
        if _looks_like_login(line):
            raise LineRejected(f"cannot parse this login of Dovecot: {line[:_MAX_SHOWN].strip()!a}")
        return None
    speaker = match["passed_speaker"] if match["passed"] else match["speaker"]
    if speaker not in (None, "Info") and "dovecot" not in speaker.lower():
        return None  # another program wrote the line
    elements = line[match.end() :]
    name, ip = _name_and_ip(elements)
    if time is None and (stamp := TIME_STAMP.search(match["head"])) is not None:
        time = stamp[0]
    return Login(name, match["protocol"], ip, time, True, int(match["times"] or 1))


def _name_and_ip(elements: str) -> tuple[str, str]:
    """Return the name and the IP address in a login's elements.

    Raise LineRejected, also if a client may have written one of them.
    """
    users, ips = elements.count(" user=<"), elements.count(" rip=")
    if users > 1 or ips > 1:
        raise LineRejected("this login has two user=<...> or two rip=...; a client may have written one of them")
    before, _, after = elements.partition(" rip=")
    found = IP_FIELD.match(after)
    if not users or found is None or before.count("<") != before.count(">"):
        raise LineRejected("this login has no user=<...> or no rip=...: add both to login_log_format_elements")
    name = elements.partition(" user=<")[2].partition(">")[0]
    if not name:
        raise LineRejected("this login has no user name: user=<> is empty")
    return name, found[0]


def _looks_like_login(line: str) -> bool:
    """Return whether a line that cannot be parsed is a login that Dovecot reports, as far as can be told.

    The first program that is named wrote the line; anything behind its name may come from a client.
    """
    if "user=<" not in line or "rip=" not in line:
        return False
    end, program = _parse_prefix(line)
    speaks = PROCESS_PREFIX.match(line, end)
    if program is None and not speaks and (named := _first_program(line, end)) is not None:
        end, program = named.end(), named[1]
    if program is not None and "dovecot" not in program.lower():
        return False
    if program is not None:
        speaks = SPEAKER.match(line, end)
    process = LOGIN_PROCESS.match(line, end) if speaks else LOGIN_PROCESS_ANYWHERE.search(line, end)
    if process is None:
        return False
    said = line[process.end() :]
    return said.startswith(LOGIN_WORDS) or (not said[:1].isalpha() and any(words in said for words in LOGIN_WORDS))


def _parse_prefix(line: str) -> tuple[int, str | None]:
    """Return the end of the part of the prefix that is understood, and the program named there."""
    end, program = 0, None
    for lead in PREFIXES:
        if (match := lead.match(line, end)) is None:
            break
        end = match.end()
        if (match := NAMED_PROGRAM.match(line, end)) is None:
            break
        end, program = match.end(), match[1]
    return end, program


def _first_program(line: str, start: int = 0) -> re.Match[str] | None:
    """Return the first program named behind an unknown prefix: `name[1]: ` or Dovecot."""
    return next((named for named in PROGRAM_PREFIX.finditer(line, start) if named[2] or "dovecot" in named[1]), None)


def _json_login(line: str) -> Login | None:
    """Return the login of a JSON object: a record, or a log line in an object of a journal or a container."""
    import json

    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise LineRejected("this line begins with {, but is not a JSON object") from None
    name, protocol, ip, time = (record.get(key) for key in ("address", "protocol", "ip", "time"))
    if isinstance(name, str) and isinstance(protocol, str) and isinstance(ip, str):
        return Login(name, protocol, ip, str(time) if time is not None else None)
    if "MESSAGE" in record:
        program = record.get("SYSLOG_IDENTIFIER")
        tag = re.sub(r"[^\w./@+-]", "_", program) + ": " if isinstance(program, str) else ""
        if "CONTAINER_ID" in record:
            tag = f"docker/{tag}"  # the identifier is then that of the container
        return _server_login(tag + _message(record["MESSAGE"]), _iso_time(record.get("__REALTIME_TIMESTAMP")))
    if isinstance(text := record.get("log"), str):
        return _server_login(text, time if isinstance(time, str) else None)
    raise LineRejected("not a login record: a JSON record has address, protocol and ip as strings")


def _message(value: object) -> str:
    """Return the text of a journal's field, which is an array of bytes if it is not UTF-8 and null if it is too long."""
    if isinstance(value, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in value):
        return bytes(value).decode("utf-8", "surrogateescape")
    return value if isinstance(value, str) else ""


def _iso_time(microseconds: object) -> str | None:
    """Return a journal's time stamp in ISO 8601."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(int(str(microseconds)) // 1_000_000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
