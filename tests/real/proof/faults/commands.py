"""The commands that change a file, each in a form that changes one on the machine of site.py."""

from __future__ import annotations

from tests.everything import EDITS, rows

# Instead of lines of EDITS that change nothing there, and what is in other tables.
INSTEAD = """
account expire alice@example.com --last-day 2030-01-01
account resume carol@example.com
imap inherit carol@example.com
network remove spare
network unassign branch carol@example.com
outlook-connector inherit carol@example.com
pop lan-only bob@example.com
secrets init --host-config fresh-host.toml
secrets move --from tests.backends.Json --to mailpolicy.sealed.Keyring --overwrite
secrets rebind --file moved.toml --from smtp.relay.example:587 --yes
server ungovern smtp
template remove unused
temporary end bob@example.com
template unassign carol@example.com
deploy
edit
export dovecot --output out
export postfix-sasl-passwd --output out
"""

# One of each kind of change: other lines make the same system calls.
KINDS = """
pop off alice@example.com
account remove bob@example.com
account rename bob@example.com rob@example.com
apply plan.csv
deploy
edit
export dovecot --output out
export postfix-sasl-passwd --output out
init --file fresh.toml
install new.toml
multipop source set bob@example.com isp --port 110 --yes
multipop source set-password bob@example.com isp --password-file password
secrets init --host-config fresh-host.toml
secrets move --from tests.backends.Json --to mailpolicy.sealed.Keyring --overwrite
secrets rebind --file moved.toml --from smtp.relay.example:587 --yes
secrets rotate
smart-host clear alice@example.com
smart-host set alice@example.com --login a --password-file password
undo
"""


def _name(line: str) -> str:
    return " ".join(line.split()[:2])


_REPLACED = {_name(line) for line in rows(INSTEAD)}
LINES = [line for line in rows(EDITS) if _name(line) not in _REPLACED] + rows(INSTEAD)
