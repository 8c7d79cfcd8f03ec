"""Rules about the store and the keyring together, looked at with `--secrets`."""

from __future__ import annotations

from mailpolicy.diagnostics import WARNING
from mailpolicy.diagnostics.rules.rule import Rule

SECRETS = {
    "MP060": Rule(
        WARNING,
        "login without a password",
        "set it with the command that is named",
        meaning="The login has no password in the keyring of this machine, or one that is bound to another host, port, login "
        "or TLS than the store now names, so what needs it fails. Looked at with `--secrets`.",
        example="""\
version = 1

[server.smart_host]
host = "smtp.relay.example"
login = "acme-relay"
""",
        given="on a machine whose keyring has no password for it",
    ),
    "MP061": Rule(
        WARNING,
        "unfinished change of a secret",
        "run the command that is named",
        meaning="A change of keyring and store was killed half-way, so the password in the keyring may be the old or the new "
        "one, or may be left over. Looked at with `--secrets`; every edit says so too.",
        example="""\
version = 1

[server.smart_host]
host = "smtp.relay.example"
login = "acme-relay"
""",
        given="after a `mailpolicy smart-host set --server` that was killed",
    ),
}
