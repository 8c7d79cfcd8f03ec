"""Rules about MultiPOP sources, the remote mailboxes that an account collects from."""

from __future__ import annotations

from mailpolicy.diagnostics import ERROR, HINT, WARNING
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
        meaning="The connection is not encrypted: anybody on the way can read the password or the token, and the mail.",
        example=f"""\
{_HEAD}[accounts."jonas@example.com".sources.provider]
host = "pop.provider.example"
login = "jonas77"
tls = "none"
""",
        wrong='tls = "none"',
        right='tls = "implicit"',
    ),
    "MP080": Rule(
        ERROR,
        "auth and token do not go together",
        'write both `auth = "xoauth2"` (or `"oauthbearer"`) and `token = "NAME"`, or neither',
        meaning='A source that logs in with a token, `auth = "xoauth2"` or `"oauthbearer"`, names what makes the token, '
        "and a source with a password has no use for one. What NAME stands for on a machine says `[tokens.NAME]` in its "
        "`host.toml`, as a policy names no program.",
        example=f"""\
{_HEAD}[accounts."jonas@example.com".sources.work]
host = "outlook.office365.com"
login = "jonas@work.example"
auth = "xoauth2"
""",
        wrong='auth = "xoauth2"\n',
        right='auth = "xoauth2"\ntoken = "microsoft"\n',
    ),
    "MP081": Rule(
        ERROR,
        "not the name of a token",
        "write the NAME of `[tokens.NAME]` in host.toml",
        meaning="`token` has 1 to 63 of `a-z 0-9 _ -` and starts with a letter or a digit. It names the command in `host.toml` "
        "that makes the token; a token itself is never written down.",
        example=f"""\
{_HEAD}[accounts."jonas@example.com".sources.work]
host = "outlook.office365.com"
login = "jonas@work.example"
auth = "xoauth2"
token = "Microsoft 365"
""",
        wrong='token = "Microsoft 365"',
        right='token = "microsoft"',
    ),
    "MP082": Rule(
        HINT,
        "password at a provider that refuses passwords",
        'write `auth = "xoauth2"` and `token = "NAME"`',
        meaning="Microsoft refuses passwords over POP3, in Exchange Online since 2022; only a token logs in there. "
        "docs/secrets.md tells how a source gets one.",
        example=f"""\
{_HEAD}[accounts."jonas@example.com".sources.work]
host = "outlook.office365.com"
login = "jonas@work.example"
""",
        wrong='login = "jonas@work.example"\n',
        right='login = "jonas@work.example"\nauth = "xoauth2"\ntoken = "microsoft"\n',
    ),
}
