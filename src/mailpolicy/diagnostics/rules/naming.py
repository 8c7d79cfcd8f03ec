"""Rules about the names of accounts, templates, logins and hosts."""

from __future__ import annotations

from mailpolicy.diagnostics import ERROR
from mailpolicy.diagnostics.rules.rule import Rule

NAMING = {
    "MP010": Rule(
        ERROR,
        "not an account address",
        "write local-part@domain",
        meaning="An account is named by its full address. The part before the `@` has 1 to 64 of `A-Z a-z 0-9 . _"
        " + - = ~ & '`, starts with a letter, a digit or `_`, and has no dot at the end or beside another"
        " one. After it comes a domain name, which may be internationalised or have a single label.",
        example="""\
version = 1

[accounts.alice]
pop = true
""",
        wrong="[accounts.alice]",
        right='[accounts."alice@example.com"]',
    ),
    "MP011": Rule(
        ERROR,
        "the same account twice",
        "keep one of the two tables",
        meaning="Two tables describe the same account, and it would be chance which of them applies. Addresses "
        "are compared with ASCII letters in lower case and with the domain as IDNA 2008 A-labels.",
        example="""\
version = 1

[accounts."Alice@Example.com"]
pop = true

[accounts."alice@example.com"]
pop_lan_only = true
""",
        wrong='[accounts."Alice@Example.com"]\npop = true\n\n[accounts."alice@example.com"]\npop_lan_only = true\n',
        right='[accounts."alice@example.com"]\npop = true\n',
    ),
    "MP012": Rule(
        ERROR,
        "no such template",
        "add the template, or name one that exists",
        meaning="The account names a template that is not in the file. The template may have been meant to grant "
        "or to restrict something, so nothing is decided.",
        example="""\
version = 1

[templates.contractor]
pop = true

[accounts."bob@example.com"]
template = "contractor"

[accounts."carol@example.com"]
template = "contracter"
""",
        wrong='template = "contracter"',
        right='template = "contractor"',
    ),
    "MP013": Rule(
        ERROR,
        "not a template name",
        "use a-z, 0-9, _ and -",
        meaning="A template name has 1 to 63 of `a-z 0-9 _ -` and starts with a letter or a digit, so that it "
        "needs no quotes in TOML, in a shell or in the files of other programs.",
        example="""\
version = 1

[templates.Contractor]
pop = true

[accounts."bob@example.com"]
template = "Contractor"
""",
        wrong='[templates.Contractor]\npop = true\n\n[accounts."bob@example.com"]\ntemplate = "Contractor"',
        right='[templates.contractor]\npop = true\n\n[accounts."bob@example.com"]\ntemplate = "contractor"',
    ),
    "MP014": Rule(
        ERROR,
        "not a login",
        "write 1 to 255 characters, without control characters or white space at either end",
        meaning="A login is sent to another server as it is. White space at an end is a mistake that nobody sees,"
        " and a control character would end the line of a protocol or a file.",
        example="""\
version = 1

[server.smart_host]
login = "acme-relay "
""",
        wrong='login = "acme-relay "',
        right='login = "acme-relay"',
    ),
    "MP015": Rule(
        ERROR,
        "not a host",
        "write a domain name or an IP address",
        meaning="A host is a domain name or an IP address only: the port has its own key, and URLs are not allowed.",
        example="""\
version = 1

[server.smart_host]
host = "smtp.relay.example:587"
""",
        wrong='host = "smtp.relay.example:587"',
        right='host = "smtp.relay.example"\nport = 587',
    ),
}
