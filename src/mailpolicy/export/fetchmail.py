"""A fetchmailrc: a stanza for each MultiPOP source that is polled, its password inside.

Promises: an account that is suspended or has MultiPOP off has no stanza; a certificate is verified wherever there is TLS.
Not promised: deleting after days, which fetchmail does not have. Source: fetchmail(1); every byte of a string outside
A-Za-z0-9._@+/- is written as \\xHH, because the lexer ends a string at the first quote, also after a backslash.
"""

from __future__ import annotations

import re

from mailpolicy.export.collectors import Polled, polled
from mailpolicy.export.request import CannotCarry, Exported, Request
from mailpolicy.export.stamp import HIDDEN, hidden
from mailpolicy.policy.model import Tls

_TLS = {Tls.IMPLICIT: "ssl sslcertck", Tls.STARTTLS: 'sslproto "auto" sslcertck', Tls.NONE: 'sslproto ""'}


def export(request: Request) -> Exported:
    """The fetchmailrc."""
    found = polled(request.policy)
    kept = request.passwords([one.secret for one in found])
    cut = [str(one) for one in found if any(character in kept[one.secret] for character in "\0\r\n")]
    if cut:
        raise CannotCarry(f"the password of {one} has a newline or a NUL inside" for one in cut)
    stanzas = [_stanza(one, kept[one.secret], request.options.smtp) for one in found]
    notes = tuple(
        f"note: fetchmail cannot delete after days, so {one} keeps its copies: use getmail for it"
        for one in found
        if one.source.delete_after_days is not None
    )
    return Exported("\n".join(stanzas), notes)


def _stanza(one: Polled, password: str, smtp: str) -> str:
    source = one.source
    limit = f" limit {source.max_size_kb * 1024}" if source.max_size_kb is not None else ""
    return f"""\
poll {_quoted(str(one))} via {_quoted(source.host)} protocol POP3 service {source.port} uidl
  user {_quoted(source.login)} there with password {_quoted(password)} is {_quoted(one.address)} here
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
    """A line without its password; one of another form may have it anywhere, and is hidden whole."""
    if match := _USER.fullmatch(line):
        return f'{match[1]}"{HIDDEN}"{match[2]}'
    return line if _OTHER.fullmatch(line) else hidden(line)
