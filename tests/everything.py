"""A machine with everything that commands can be about, and a line for every command there.

`write_everything(folder)` makes its files and returns the options of a run in it.
"""

from __future__ import annotations

from pathlib import Path

from tests.helpers import MINIMAL, RELAY, RELAYED
from tests.sealing import options, sealed_file

STORE = (
    RELAYED.replace("imap = true\n", "imap = true\nsmtp = true\nsieve = true\n")
    + """\
multipop = true

[accounts."bob@example.com".sources.isp]
host = "pop.isp.example"
login = "b"

[accounts."bob@example.com".temporary]
until = 2099-12-31
pop = false

[templates.t]

[networks]
branch = ["192.0.2.0/24"]
"""
)
CASES = '[[case]]\naddress = "alice@example.com"\nprotocol = "pop"\nip = "10.0.0.1"\nexpect = "deny"\n'
JOURNAL = (
    '{"event": "edit", "time": "2026-11-27T12:00:00Z", "id": "4f2a91c07d", "user": "root", "command": "mailpolicy '
    'pop on alice@example.com", "changes": [{"path": ["accounts", "alice@example.com", "pop"], "old": null, "new": '
    'true}], "before": "0", "after": "1"}\n'
)
LOG = "Jun 12 16:21:30 mx1 dovecot: pop3-login: Login: user=<alice@example.com>, method=PLAIN, rip=203.0.113.9, lip=10.0.0.2\n"

# what a command prints on stdout is what it is for
DATA = """
account export
account export --format toml --effective
account list
account show alice@example.com
check alice@example.com
check --batch questions
completion bash
help account add
version
diff accounts.toml new.toml
diff accounts.toml new.toml --format markdown
doctor
explain
explain MP005
export dovecot
export dovecot --output out --check
export dovecot --output out --diff
deploy --check
deploy --diff
lan list
log
network list
network show branch
temporary list
multipop source list
multipop source print-password bob@example.com isp
replay log
schema
secrets list
secrets verify
server show
smart-host show alice@example.com
template list
template show t
test cases.toml
validate doubtful.toml
validate doubtful.toml --format sarif
who
who pop
"""

# what a command prints is what it did
EDITS = """
account add new@example.com
account remove bob@example.com
account rename bob@example.com rob@example.com
account copy alice@example.com new@example.com
account set alice@example.com --pop off
apply plan.csv
domain rename example.com example.org
account expire alice@example.com --never
account resume alice@example.com
account suspend alice@example.com
imap anywhere alice@example.com
imap inherit alice@example.com
imap lan-only alice@example.com
imap off alice@example.com
imap on alice@example.com
init --file fresh.toml
install new.toml
lan add 192.168.1.0/24
lan import lan.txt
import mdaemon mdaemon.csv
smart-host import -
lan remove 10.0.0.0/8
lan reset
network add home 203.0.113.0/24
network assign branch alice@example.com
network remove branch
network rename branch office
network unassign branch bob@example.com
multipop inherit bob@example.com
multipop off bob@example.com
multipop on alice@example.com
multipop source add alice@example.com isp --host h.example --login l
multipop source remove bob@example.com isp
multipop source set bob@example.com isp --port 110 --yes
multipop source set-password bob@example.com isp --password-file password
outlook-connector inherit alice@example.com
outlook-connector off alice@example.com
outlook-connector on alice@example.com
pop anywhere alice@example.com
pop inherit alice@example.com
pop lan-only alice@example.com
pop off alice@example.com
pop on bob@example.com
secrets init
secrets rebind
secrets rotate
secrets move --from keyring.backends.null.Keyring --to mailpolicy.sealed.Keyring
server govern sieve
server set multipop off
server ungovern smtp
sieve anywhere --in-defaults
sieve inherit --in-defaults
sieve lan-only --in-defaults
sieve off --in-defaults
sieve on --in-template t
smtp anywhere --in-defaults
smtp inherit --in-defaults
smtp lan-only --in-defaults
smtp off --in-defaults
smtp on --in-template t
smart-host clear alice@example.com
smart-host set alice@example.com --login a --password-file password
temporary end alice@example.com
template add u
template assign t alice@example.com
template remove t
template rename t u
template unassign alice@example.com
undo
"""

# they want a terminal: tests/cli/commands/test_edit.py
INTERACTIVE = """
edit
"""

# the exit status is the answer, as with grep -q; the last two have no dry run
SILENT = """
check alice@example.com pop 10.0.0.1
check alice@example.com pop 203.0.113.9
check alice@example.com pop 203.0.113.9 --json
deploy
export dovecot --output out
"""


SOURCE = "multipop/bob@example.com/isp/b@pop.isp.example:995/implicit"
USERS = (f"smart-host/@server/{RELAY}", f"smart-host/alice@example.com/{RELAY}", SOURCE)


def write_everything(folder: Path) -> list[str]:
    """Write the files that the commands above name; return the options of a run there, from that folder."""
    sealed_file(folder).change("mailpolicy", dict.fromkeys(USERS, "secret"))
    machine = options(folder)
    with (folder / "host.toml").open("a") as file:
        file.write(f'[exports.d]\ntarget = "dovecot"\npath = "{folder}/d"\n')
    files = {
        "accounts.toml": STORE,
        "new.toml": STORE.replace("imap = true", "imap = false"),
        "doubtful.toml": MINIMAL.replace("10.0.0.0/8", "8.8.8.8"),
        "questions": "alice@example.com pop 10.0.0.1\nalice@example.com pop nowhere\n",
        "cases.toml": CASES,
        "log": LOG,
        "accounts.toml.log": JOURNAL,
        "password": "secret",
        "lan.txt": "192.168.*.*\n",
        "mdaemon.csv": '"MailBox","Domain","AllowAccess","Password"\n"new","example.com",Yes,"hunter2"\n',
        "plan.csv": "address,pop,imap\nalice@example.com,off,inherit\nnew@example.com,,off\n",
        "stdin": '{"address": "bob@example.com", "login": "b", "password": "secret"}\n',
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return ["--file", "accounts.toml", *machine]


def rows(table: str) -> list[str]:
    """Return the lines of a table above."""
    return table.strip().splitlines()
