"""Rules about MultiPOP sources, the mailboxes elsewhere that an account collects from."""

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
        meaning="A source's name has 1 to 63 of `a-z 0-9 _ -` and begins with a letter or a digit: its password's place in the "
        "keyring is called by it.",
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
        meaning="A source has at least the host to collect from and the login there; everything else has a value where it is "
        "left out.",
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
        "write `keep = true`, or take delete_after_days out",
        meaning="`delete_after_days` is about copies that stay at the other server, and with `keep = false` none does.",
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
        'write `tls = "implicit"` or `"starttls"` where the server has it',
        meaning="The source is polled in the clear: whoever is on the way reads its password and the mail.",
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
