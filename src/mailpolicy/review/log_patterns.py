"""Patterns of the prefixes that syslogs, journals and containers put before a line, and of Dovecot's and Postfix's logins.

All repetitions are possessive, so that no pattern can backtrack and the time is linear in the length of a line. Of a group
it is `(?>(?:...)*)` and `(?>...|)`, not `(?:...)*+` and `(?:...)?+`, with which Python before 3.11.5 (Debian 12 has
3.11.2) finds wrong matches.
"""

from __future__ import annotations

import re

# Time stamps: of syslog with or without weekday, year and fractions; numeric ones in any order; seconds since 1970;
# `[seconds]` since the start of the machine.
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?>[.,][0-9]++|)(?> ?[A-Z]{1,5}+(?![\w.-])| ?[+-][0-9]{2}:?[0-9]{2}|)"
_WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_STAMP = (
    rf"(?>(?>{_WEEKDAY},? |)(?:"
    rf"(?>[0-9]{{4}} |)[A-Z][a-z]{{2}} [ 0-9][0-9] (?>[0-9]{{4}} |){_CLOCK}(?> [0-9]{{4}}(?![\w.-])|)"
    rf"|[0-9]{{1,4}}[-/.](?:[0-9]{{1,2}}|[A-Z][a-z]{{2}})[-/.][0-9]{{1,4}}[T :_]{_CLOCK}"
    r"|[0-9]{10}(?>\.[0-9]{1,9}+|)(?![\w.:])))"
)
# Only the first word of a time stamp begins like this.
_DATE = (
    rf"(?:{_WEEKDAY},? |(?>[0-9]{{4}} |)[A-Z][a-z]{{2}} [ 0-9][0-9] "
    r"|\[?+[0-9]{1,4}[-/.][0-9A-Za-z]{1,3}[-/.][0-9]{1,4}[T :_][0-9]{2}:)"
)
_STAMPED = rf"(?:\[{_STAMP}\]|{_STAMP}|\[ *+[0-9]++\.[0-9]++\]):? ++"
# Priorities: `<22>` and `<22>1`, `<mail.info>`, `mail.info`, AIX's `mail:info`, Solaris' `[ID 123 mail.info]`.
_LEVELS = r"[a-z0-9]{2,12}+[.:](?:emerg|alert|crit|err|error|warn|warning|notice|info|debug|panic|none) ++"
_PRIORITY = rf"(?:<[0-9]{{1,3}}>(?>1 |)|<[a-z0-9]++\.[a-z0-9]++> ++|{_LEVELS}|\[ID [0-9]++ [a-z0-9.]++\] ++)"
_HOST = rf"(?!{_DATE}|{_LEVELS}|std(?:out|err) [FP] )(?:[\w.:/@%-]++(?<!:)|\[[0-9A-Fa-f.:]++\]) ++"
# What containers' tools put before a line: `name | `, `[pod/name/container] `, `stdout F `, and Docker's tag in syslog.
_CONTAINER = (
    r"(?:[^\s|]++ ++\| ++|\[pod/[\w./-]++\] ++|std(?:out|err) [FP] ++"
    r"|(?:docker/[\w./@+-]++|[0-9a-f]{12}(?>[0-9a-f]{52}|))(?>\[[0-9]++\]|): ++)"
)
_STAMP_AND_HOST = rf"{_STAMPED}(?>(?:{_PRIORITY})*)(?>{_HOST}(?>(?:{_PRIORITY})*)|)"
_BEFORE = rf"(?>(?:{_STAMP_AND_HOST}|{_PRIORITY}|{_CONTAINER})*)"
_LOGIN = r"-login(?>\[[0-9]++\]|): ++"
_SERVICE = "(?:imap|pop3|submission|managesieve)"
_PROCESS = rf"(?>[\w.-]++/|){_SERVICE}{_LOGIN}"
# The name of a program, and what makes a word one: `name[1]: `, or `name 1 id [data] ` as RFC 5424 has it.
_NAME = rf"(?!{_PROCESS})[\w./@+-]++"
_AS_NAME = (
    rf"(?:(?>\[[\w.-]++\]|)(?> <\w++>|): ++(?>(?:{_PRIORITY})*)"
    r"| ++(?:-|[0-9]++) ++[\w./@+-]++ ++(?:-|(?>(?:\[(?>(?:[^\]\\]|\\.)*)\])+)) ++\ufeff?+)"
)
# The key of a journal's field, or the file and the line that grep names.
_START = rf"\ufeff?+[ \t]*+(?>MESSAGE=|(?:[\w./+-]++:(?>[0-9]++:|)|[0-9]++:)(?={_DATE})|)"
# Everything that may precede a login process's own words, with the name of one program, or of two if the first passes on
# whole lines of a log, with their time. The one directly before the words must be Dovecot: `speaker` or `passed`.
_PASSED_ON = _STAMP_AND_HOST + _BEFORE
_HEAD = (
    rf"{_START}{_BEFORE}(?>(?P<speaker>{_NAME}){_AS_NAME}"
    rf"(?>(?P<passed>{_PASSED_ON}(?>(?P<passed_speaker>{_NAME}){_AS_NAME}|))?)|)"
)
DOVECOT_LOGIN = re.compile(
    rf"(?P<head>{_HEAD}(?>message repeated (?P<times>[0-9]{{1,6}}) times: \[ ?|))"
    rf"(?>[\w.-]++/{_SERVICE}{_LOGIN}(?={_PROCESS})|)"
    rf"(?>[\w.-]++/|)(?P<protocol>{_SERVICE}){_LOGIN}(?>Info: |)(?:Login|Logged in):(?= )"
)
# Postfix writes this for each mail of a client that has logged in. Only the name is the client's.
HEAD = re.compile(_HEAD)
POSTFIX_PROGRAM = re.compile(r"(?>(?:[\w.-]++/)*)smtpd")
# A short or a long queue ID, which has no vowels, so that it is no word of Postfix's such as `warning`.
_QUEUE_ID = r"(?:NOQUEUE|[0-9A-F]++|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]++)"
POSTFIX_CLIENT = re.compile(rf"{_QUEUE_ID}: client=")
POSTFIX_LOGIN = re.compile(
    rf"{_QUEUE_ID}: client=[^\[\s,]*+\[(?P<ip>[^\]\s,]++)\](?>:[0-9]++|), sasl_method=[^\s,]++, "
    r"sasl_username=(?P<name>[^\s,]++)(?=\s*+$|, (?:sasl_sender|orig_client|orig_queue_id)=)"
)
PREFIXES = re.compile(_START + _BEFORE), re.compile(_PASSED_ON)
NAMED_PROGRAM = re.compile(rf"({_NAME}){_AS_NAME}")
TIME_STAMP = re.compile(_STAMP)
IP_FIELD = re.compile(r"[^\s,\]]++")
MAYBE_IP = re.compile(r"[0-9A-Fa-f:.]++")  # an IP, perhaps
# What Dovecot's processes begin with, the name whole or perhaps broken by what a client sent; a login process.
PROCESS_PREFIX = re.compile(r"(?>[\w.-]++/|)[a-z][a-z0-9-]*+(?>\[[0-9]++\]|)(?>\([^)]*+\)|)(?>(?:<[^>]*+>)*): ")
SPEAKER = re.compile(r"(?>[\w.-]++/|)[a-z][a-z0-9-]*+[:(<\[]")
_LEVEL = "(?>[A-Z][a-z]++: (?<!Login: )|)"
LOGIN_PROCESS = re.compile(_PROCESS + _LEVEL)
# To search for: with the folder that may stand before, each letter of a long word would be tried as the start of one.
LOGIN_PROCESS_ANYWHERE = re.compile(_SERVICE + _LOGIN + _LEVEL)
PROGRAM_PREFIX = re.compile(r"(?<!\S)([\w./@+-]++)(?>(\[[0-9]++\])?): ")
LOGIN_WORDS = ("Login: ", "Logged in: ")
# What other lines of a log begin with: a container's name, a time, a priority, a process's name, a journal's key.
OTHER_LOG_LINE = re.compile(
    rf"{_START}(?>{_CONTAINER}|)(?>{_PRIORITY}|)"
    rf"(?:{_STAMPED}|[\w./@+-]++\[[0-9]++\]: |[a-z][a-z0-9-]*+(?>\([^)]*+\)|)(?>(?:<[^>]*+>)*): )"
    r"|[ \t]*+[A-Z_][A-Z0-9_]*+=(?![^@\s]*+@\S++\s++[\w-]++\s++[0-9A-Fa-f.:]++(?!\S))"
)
