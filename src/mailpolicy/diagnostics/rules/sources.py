"""Rules about MultiPOP sources, the remote mailboxes that an account collects from."""

from __future__ import annotations

from mailpolicy.diagnostics import ERROR, WARNING
from mailpolicy.diagnostics.rules.rule import Rule

_HEAD = """\
version = 1

[accounts."jonas@example.com"]
pop = true

"""

SOURCES = {
    "MP016": Rule(
        ERROR,
        "not a source name",
        "use a-z, 0-9, _ and -",
        meaning="A source name has 1 to 63 of `a-z 0-9 _ -` and starts with a letter or a digit; it is part of "
        "the name of the password in the keyring.",
        example=f"""\
{_HEAD}[accounts."jonas@example.com".sources."Old provider"]
host = "pop.provider.example"
login = "jonas77"
""",
        wrong='.sources."Old provider"]',
        right=".sources.old-provider]",
    ),
    "MP017": Rule(
        ERROR,
        "source incomplete",
        "write host and login",
        meaning="A source needs at least the host to collect from and the login there; all other keys have defaults.",
        example=f"""\
{_HEAD}[accounts."jonas@example.com".sources.provider]
host = "pop.provider.example"
""",
        wrong='host = "pop.provider.example"\n',
        right='host = "pop.provider.example"\nlogin = "jonas77"\n',
    ),
    "MP018": Rule(
        ERROR,
        "nothing kept to delete",
        "write `keep = true`, or remove delete_after_days",
        meaning="`delete_after_days` applies to copies that stay on the other server, and `keep = false` leaves "
        "none there.",
        example=f"""\
{_HEAD}[accounts."jonas@example.com".sources.provider]
host = "pop.provider.example"
login = "jonas77"
keep = false
delete_after_days = 30
""",
        wrong="keep = false",
        right="keep = true",
    ),
    "MP040": Rule(
        WARNING,
        "source without TLS",
        'write `tls = "implicit"` or `"starttls"`, if the server supports it',
        meaning="The connection is not encrypted: anybody on the way can read the password and the mail.",
        example=f"""\
{_HEAD}[accounts."jonas@example.com".sources.provider]
host = "pop.provider.example"
login = "jonas77"
tls = "none"
""",
        wrong='tls = "none"',
        right='tls = "implicit"',
    ),
}
