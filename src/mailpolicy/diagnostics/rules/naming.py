"""Rules about what accounts, templates, logins and hosts are called."""

from __future__ import annotations

from mailpolicy.diagnostics import ERROR
from mailpolicy.diagnostics.rules.rule import Rule

NAMING = {
    "MP010": Rule(
        ERROR,
        "not an account address",
        "write local-part@domain",
        meaning="An account is called by its whole address. Before the `@` stand 1 to 64 of "
        "`A-Z a-z 0-9 . _ + - = ~ & '`, first a letter, a digit or `_`, and no dot at the end or beside another; after it "
        "a domain name, which may be internationalised or of one label.",
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
        meaning="Two tables are about one account, and which of them holds would be chance. Addresses are compared with "
        "their ASCII letters in lower case and their domain as IDNA 2008 A-labels.",
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
        meaning="The account names a template that the file does not have. What the template was to grant or to restrict "
        "is not known, so nothing is decided.",
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
        meaning="A template's name has 1 to 63 of `a-z 0-9 _ -` and begins with a letter or a digit, so that it needs no "
        "quotes in TOML, in a shell or in the files of other programs.",
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
        "write 1 to 255 characters, no control character, no white space at either end",
        meaning="A login is sent to another server as it stands. White space at an end is a slip of the hand that nobody "
        "sees, and a control character would end the line of a protocol or of a file.",
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
        meaning="A host is a domain name or an IP address and nothing else: the port has a key of its own, and there is no "
        "URL.",
        example="""\
version = 1

[server.smart_host]
host = "smtp.relay.example:587"
""",
        wrong='host = "smtp.relay.example:587"',
        right='host = "smtp.relay.example"\nport = 587',
    ),
}
