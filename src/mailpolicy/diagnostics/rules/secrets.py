"""Rules about the store and the keyring together, checked with `--secrets`."""

from __future__ import annotations

from mailpolicy.diagnostics import WARNING
from mailpolicy.diagnostics.rules.rule import Rule

SECRETS = {
    "MP060": Rule(
        WARNING,
        "login without a password",
        "run the command named in the message",
        meaning="The login has no password in the keyring of this machine, or only one for another host, port, "
        "login or TLS setting, so anything that needs the password fails. Checked with `--secrets`.",
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
        "interrupted change of a secret",
        "run the command named in the message",
        meaning="A change of the keyring and the store was interrupted, so the password in the keyring may be the"
        " old one, the new one or a leftover. Checked with `--secrets`; every edit reports it too.",
        example="""\
version = 1

[server.smart_host]
host = "smtp.relay.example"
login = "acme-relay"
""",
        given="after a `mailpolicy smart-host set --server` that was killed",
    ),
}
