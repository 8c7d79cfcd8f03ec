"""Rules about what is allowed and deserves a second look."""

from __future__ import annotations

from mailpolicy.diagnostics import HINT, WARNING
from mailpolicy.diagnostics.rules.rule import Rule

DOUBTS = {
    "MP030": Rule(
        WARNING,
        "Outlook Connector without IMAP",
        "switch IMAP on, or Outlook Connector off",
        meaning="Outlook Connector rides on IMAP: where IMAP resolves to off, the switch that is on opens nothing.",
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
        "make sure that it is yours, then allow it on its line",
        meaning="The entry is not wholly inside the ranges that RFC 1122, 1918, 3927, 4193 and 4291 reserve for local use. "
        "Whoever has these addresses passes every `..._lan_only`, today and when the provider gives them to somebody else.",
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
        meaning="The standard edition of MDaemon has no IMAP, so the switch that is on opens nothing. Servers other than "
        "MDaemon count as `pro`.",
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
        meaning="The file says that the server has no Outlook Connector, so the switch that is on opens nothing.",
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
        meaning="*Allow per-account authentication* is off for the whole server, so the mail of every account goes out with "
        "the server's own login, and this one is not used.",
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
        meaning="A service that is on from the LAN only admits nobody while the LAN is empty.",
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
        meaning='A missing key is on the safe side: the edition is `"standard"`, the switches are off, the LAN is empty. '
        "Here that closes something that is on, so the file should say whether it is meant.",
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
        meaning="No account names the template: it is left over, or an account that should be restricted by it is not.",
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
        "comment that allows nothing",
        "take the comment out, or correct its code",
        meaning="The comment was to silence a finding on its line, and there is none of that code; or the code does not "
        "exist, or is an error, which cannot be silenced. A leftover would hide the next finding.",
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
        "run the chown or chmod line that is named",
        meaning="As root mailpolicy edits and exports only what nobody but root can change: the file and every directory "
        "above it belong to root and are not writable by others. Edits are refused until then, and whoever can write here "
        "decides who reads mail.",
        example="""\
version = 1
""",
        given="as root, after `chmod o+w accounts.toml`",
    ),
    "MP050": Rule(
        HINT,
        "the same as inherited",
        "take the key out, unless it is meant to pin",
        meaning="The key says what would hold without it, too. That is how a setting is pinned against a later change of "
        "the template or the defaults, and where it is not meant so, a line less is easier to read. Shown with `--hints`.",
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
