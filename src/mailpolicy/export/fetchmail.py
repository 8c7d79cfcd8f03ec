"""A fetchmailrc: a stanza with the password for each MultiPOP source that is polled and has one.

fetchmail 6 cannot log in with a token. A source that needs one is left out and named, as nothing is collected then: to
refuse the whole file would leave the old one in place, which may poll accounts that are closed by now. The certificate is
verified if there is TLS. fetchmail cannot delete mail after some days. Source: fetchmail(1); every byte of a string outside
A-Za-z0-9._@+/- is written as \\xHH, because the lexer ends a string at the first quote, even after a backslash.
"""

from __future__ import annotations

import re

from mailpolicy.export.collectors import PolledSource, keeping_notes, polled_sources, split_by_token
from mailpolicy.export.request import MAX_SHOWN, CannotCarry, Exported, Request
from mailpolicy.export.stamp import MASK, masked_unless_plain
from mailpolicy.policy.source import Tls

_TLS = {Tls.IMPLICIT: "ssl sslcertck", Tls.STARTTLS: 'sslproto "auto" sslcertck', Tls.NONE: 'sslproto ""'}


def export(request: Request) -> Exported:
    """Return the fetchmailrc."""
    sources, by_token = split_by_token(polled_sources(request.policy))
    passwords = request.passwords([polled.secret for polled in sources])
    if unfit := [str(polled) for polled in sources if re.search("[\0\r\n]", passwords[polled.secret])]:
        raise CannotCarry(f"the password of {name} contains a newline or a NUL" for name in unfit)
    stanzas = [_stanza(polled, passwords[polled.secret], request.options.smtp) for polled in sources]
    return Exported("\n".join(stanzas), (*_left_out(by_token), *keeping_notes("fetchmail", sources)))


def _left_out(sources: list[PolledSource]) -> list[str]:
    if not sources:
        return []
    more = f" and {len(sources) - MAX_SHOWN} more" if len(sources) > MAX_SHOWN else ""
    listed = ", ".join(map(str, sources[:MAX_SHOWN]))
    return [f"note: fetchmail cannot log in with a token, so it does not collect {listed}{more}; use mpop for these"]


def _stanza(polled: PolledSource, password: str, smtp: str) -> str:
    source = polled.source
    limit = f" limit {source.max_size_kb * 1024}" if source.max_size_kb is not None else ""
    return f"""\
poll {_quoted(str(polled))} via {_quoted(source.host)} protocol POP3 service {source.port} uidl
  user {_quoted(source.login)} there with password {_quoted(password)} is {_quoted(polled.address)} here
  {_TLS[source.tls]}
  smtphost {_quoted(smtp)} {"keep" if source.keep else "nokeep"}{limit}
"""


def _quoted(text: str) -> str:
    plain = re.sub(rb"[^A-Za-z0-9._@+/-]", lambda match: b"\\x%02x" % match.group()[0], text.encode("utf-8"))
    return f'"{plain.decode("ascii")}"'


_USER = re.compile(r'(  user "[^"]*" there with password )"[^"]*"( is "[^"]*" here)')
_OTHER = re.compile(
    r'poll "[^"]*" via "[^"]*" protocol POP3 service [0-9]+ uidl|  (?:ssl sslcertck|sslproto "(?:auto" sslcertck|"))'
    r'|  smtphost "[^"]*" (?:no)?keep(?: limit [0-9]+)?'
)


def masked(line: str) -> str:
    """Return a line without its password; a line of another form is masked whole."""
    if match := _USER.fullmatch(line):
        return f'{match[1]}"{MASK}"{match[2]}'
    return line if _OTHER.fullmatch(line) else masked_unless_plain(line)
