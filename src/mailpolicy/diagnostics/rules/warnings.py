"""Warnings and hints: settings that are valid but probably not intended."""

from __future__ import annotations

from mailpolicy.diagnostics import HINT, WARNING
from mailpolicy.diagnostics.rules.rule import Rule

WARNINGS = {
    "MP030": Rule(
        WARNING,
        "Outlook Connector without IMAP",
        "switch IMAP on, or Outlook Connector off",
        meaning="Outlook Connector uses IMAP, which is off here, so switching on Outlook Connector has no effect.",
        example="""\
version = 1

[server]
edition = "pro"
outlook_connector_installed = true

[accounts."alice@example.com"]
outlook_connector = true
""",
        wrong="outlook_connector = true\n",
        right="imap = true\noutlook_connector = true\n",
    ),
    "MP031": Rule(
        WARNING,
        "public range in the LAN",
        "make sure that the range is yours, then allow it on its line",
        meaning="The entry is not entirely inside the ranges that RFC 1122, 1918, 3927, 4193 and 4291 reserve for"
        " local use. Anybody with one of these addresses passes every `..._lan_only`, even after the "
        "provider gives the addresses to somebody else.",
        example="""\
version = 1

[server]
lan = [
    "10.0.0.0/8",
    "203.0.113.0/24",
]
""",
        wrong='"203.0.113.0/24",',
        right='"203.0.113.0/24",  # mailpolicy: allow MP031 the branch office',
    ),
    "MP032": Rule(
        WARNING,
        "IMAP under the standard edition",
        'set `edition = "pro"`, or switch IMAP off',
        meaning="The standard edition of MDaemon has no IMAP, so switching on IMAP has no effect. Servers other "
        "than MDaemon count as `pro`.",
        example="""\
version = 1

[server]
edition = "standard"

[accounts."alice@example.com"]
imap = true
""",
        wrong='edition = "standard"',
        right='edition = "pro"',
    ),
    "MP033": Rule(
        WARNING,
        "Outlook Connector not installed",
        "set `outlook_connector_installed = true`, or switch it off",
        meaning="The file says that Outlook Connector is not installed on the server, so switching it on has no "
        "effect.",
        example="""\
version = 1

[server]
edition = "pro"
outlook_connector_installed = false

[accounts."alice@example.com"]
imap = true
outlook_connector = true
""",
        wrong="outlook_connector_installed = false",
        right="outlook_connector_installed = true",
    ),
    "MP034": Rule(
        WARNING,
        "login without per-account authentication",
        "set `per_account_auth = true`, or clear the login",
        meaning="*Allow per-account authentication* is off for the whole server, so the mail of every account "
        "goes out with the server's own login, and this login is not used.",
        example="""\
version = 1

[server.smart_host]
per_account_auth = false

[accounts."alice@example.com"]
smart_host_login = "alice"
""",
        wrong="per_account_auth = false",
        right="per_account_auth = true",
    ),
    "MP035": Rule(
        WARNING,
        "LAN only with an empty LAN",
        "add the LAN's networks: mailpolicy lan add, or lan reset",
        meaning="The service is restricted to the LAN, and the LAN is empty, so nobody can use it.",
        example="""\
version = 1

[server]
lan = []

[accounts."alice@example.com"]
pop = true
pop_lan_only = true
""",
        wrong="lan = []",
        right='lan = ["10.0.0.0/8"]',
    ),
    "MP036": Rule(
        WARNING,
        "server key missing",
        "write the key under [server]",
        meaning='A missing key has the safe default: the edition is `"standard"`, the switches are off, the LAN '
        "is empty. Here the default closes something that is switched on, so the file should state "
        "whether that is intended.",
        example="""\
version = 1

[accounts."alice@example.com"]
imap = true
""",
        wrong="version = 1\n",
        right='version = 1\n\n[server]\nedition = "pro"\n',
    ),
    "MP037": Rule(
        WARNING,
        "unused template",
        "assign it, or remove it",
        meaning="No account uses the template: it is a leftover, or an account that it should restrict is not "
        "restricted.",
        example="""\
version = 1

[templates.contractor]
pop = true

[accounts."bob@example.com"]
pop = true
""",
        wrong='[accounts."bob@example.com"]\npop = true',
        right='[accounts."bob@example.com"]\ntemplate = "contractor"',
    ),
    "MP038": Rule(
        WARNING,
        "comment that suppresses nothing",
        "remove the comment, or correct its code",
        meaning="The comment should suppress a finding on its line, but there is none with this code; or the code"
        " does not exist, or is an error, which cannot be suppressed. A leftover comment would hide the "
        "next finding.",
        example="""\
version = 1

[server]
lan = ["10.0.0.0/8"]  # mailpolicy: allow MP031 the branch office
""",
        wrong="  # mailpolicy: allow MP031 the branch office",
        right="",
    ),
    "MP039": Rule(
        WARNING,
        "store writable by others",
        "run the chown or chmod command named in the message",
        meaning="As root, mailpolicy edits and exports only files that nobody but root can change: the file and "
        "every directory above it must belong to root and must not be writable by others. Until then "
        "edits are refused, and anybody who can write here decides who may read mail.",
        example="""\
version = 1
""",
        given="as root, after `chmod o+w accounts.toml`",
    ),
    "MP050": Rule(
        HINT,
        "the same as inherited",
        "remove the key, unless it is meant to pin the value",
        meaning="The key has the value that would apply without it. That pins the setting against later changes "
        "of the template or the defaults; if that is not intended, the file is easier to read without the"
        " line. Shown with `--hints`.",
        example="""\
version = 1

[defaults]
pop = true

[accounts."alice@example.com"]
pop = true
""",
        wrong='[accounts."alice@example.com"]\npop = true\n',
        right='[accounts."alice@example.com"]\n',
    ),
}
