"""The servers of the suites: how each comes to be on a private machine, and how it keeps its accounts."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.real.loopback import need_root
from tests.real.private import PrivateMachine, private_machine
from tests.real.suites.configurations import LAYOUTS, Layout, data
from tests.real.suites.databases import Database, MariaDB, PostgreSQL
from tests.real.suites.site import CONTAINER, PACKAGED, TESTING, Site, lent

PEOPLE = {f"{name}@example.com": f"secret of {name}" for name in ("alice", "bob")}
MASTER, MASTER_PASSWORD = "postmaster", "secret of the master"


@cache
def hashed(password: str) -> str:
    """Return a password as the suites store it."""
    command = ["openssl", "passwd", "-6", "-salt", "mailpolicy", "-stdin"]
    found = subprocess.run(command, input=password.encode(), capture_output=True, check=True).stdout
    return f"{{SHA512-CRYPT}}{found.decode().strip()}"


class Suite(Site, ABC):
    """A server of a suite; `services` are those that its Dovecot is asked about, `page` is its recipe."""

    page: str
    services: tuple[str, ...] = ("imap", "pop3", "smtp", "sieve", "lmtp")
    folder = "/srv"
    masters_pass = False  # whether the suite lets its master users past the policy

    @abstractmethod
    def let_in(self, passwords: Mapping[str, str]) -> None:
        """Make these accounts the ones that the suite knows."""

    def knows(self, _name: str) -> bool:
        """Return whether an account of this name can log in at all."""
        return True

    def shown_file(self, kind: str, text: str) -> None:
        """Do what a page says about a file: a reader edits it."""
        raise AssertionError(f"what is this {kind} for? {text}")


class DockerMailserver(Suite):
    """docker-mailserver, in a folder that is its container."""

    page = "docs/suites/docker-mailserver.md"
    folder = "/srv/mailserver"
    container = True

    def __init__(self, machine: PrivateMachine, layout: Layout, texts: Mapping[str, str]) -> None:
        super().__init__(machine, layout, texts)
        stand_in = (Path(__file__).parent / "docker").read_text(encoding="utf-8")
        self.write("/usr/local/bin/docker", stand_in)
        self.needed("chmod 0755 /usr/local/bin/docker")
        self.write(f"{CONTAINER}/etc/dovecot/conf.d/99-testing.conf", TESTING)
        self.needed(PACKAGED.format(there=f"{CONTAINER}/etc/dovecot"))
        self.write(f"{self.folder}/compose.yaml", "services:\n  mailserver:\n    container_name: mailserver\n")
        self.write(f"{self.folder}/docker-data/dms/config/dovecot-masters.cf", f"{MASTER}|{hashed(MASTER_PASSWORD)}\n")

    def let_in(self, passwords: Mapping[str, str]) -> None:
        """Write the accounts as `setup email add` does, and start the container again."""
        lines = [f"{name}|{hashed(password)}\n" for name, password in passwords.items()]
        self.write(f"{self.folder}/docker-data/dms/config/postfix-accounts.cf", "# accounts\n" + "".join(lines))
        self.restart()

    def restart(self) -> None:
        """Start the container again."""
        self.needed(f"cd {self.folder}; docker compose up --detach")
        self.wait()

    def knows(self, name: str) -> bool:
        """Return False for a name with a quote, which its passwd-file would need escaped."""
        return "'" not in name

    def shown_file(self, kind: str, text: str) -> None:
        """Mount what the page shows in compose.yaml."""
        assert kind == "yaml"
        self.write(f"{self.folder}/compose.yaml", text)


class WithDatabase(Suite):
    """A suite whose accounts are in a database; its Dovecot is that of the machine."""

    database: type[Database] = MariaDB
    name: str
    schema: str

    def __init__(self, machine: PrivateMachine, layout: Layout, texts: Mapping[str, str]) -> None:
        super().__init__(machine, layout, texts)
        self.sql = self.database(machine)
        self.sql.execute(self.sql.create.format(name=self.name))
        self.sql.execute(self.schema, self.name)

    def let_in(self, passwords: Mapping[str, str]) -> None:
        """Replace the rows of the mailboxes."""
        rows = [self.row(name.replace("'", "''"), hashed(password)) for name, password in passwords.items()]
        self.sql.execute(f"DELETE FROM mailbox; {self.columns} VALUES {', '.join(rows)};", self.name)

    columns: str

    @abstractmethod
    def row(self, name: str, password: str) -> str:
        """Return the values of a mailbox."""


_ENABLED = (
    *("smtp", "smtpsecured", "pop3", "pop3secured", "pop3tls", "imap", "imapsecured", "imaptls", "sieve"),
    *("sievesecured", "sievetls", "lmtp", "doveadm"),
)


class IRedMail(WithDatabase):
    """iRedMail with MariaDB; bob may not use POP there."""

    page = "docs/suites/iredmail.md"
    name = "vmail"
    # The columns that its queries name, of the type that they have in its schema.
    schema = f"""
CREATE TABLE domain (domain VARCHAR(255) PRIMARY KEY, backupmx SMALLINT NOT NULL DEFAULT 0, active SMALLINT NOT NULL DEFAULT 1);
CREATE TABLE mailbox (username VARCHAR(255) PRIMARY KEY, password VARCHAR(255) NOT NULL, domain VARCHAR(255) NOT NULL,
    mailboxformat VARCHAR(50) NOT NULL DEFAULT 'maildir', mailboxfolder VARCHAR(50) NOT NULL DEFAULT 'Maildir',
    storagebasedirectory VARCHAR(255) NOT NULL DEFAULT '/var/vmail', storagenode VARCHAR(255) NOT NULL DEFAULT 'vmail1',
    maildir VARCHAR(255) NOT NULL DEFAULT '', quota BIGINT NOT NULL DEFAULT 0, allow_nets TEXT DEFAULT NULL,
    {", ".join(f"enable{one} SMALLINT NOT NULL DEFAULT 1" for one in _ENABLED)}, active SMALLINT NOT NULL DEFAULT 1);
"""
    columns = "INSERT INTO mailbox (username, password, domain, enablepop3, enablepop3secured, enablepop3tls)"
    users = """
CREATE USER vmail@127.0.0.1 IDENTIFIED BY 'secret'; CREATE USER vmailadmin@127.0.0.1 IDENTIFIED BY 'secret';
GRANT ALL ON vmail.* TO vmail@127.0.0.1, vmailadmin@127.0.0.1;
"""

    def __init__(self, machine: PrivateMachine, layout: Layout, texts: Mapping[str, str]) -> None:
        super().__init__(machine, layout, texts)
        self.sql.execute(self.users, self.name)
        self.write("/etc/dovecot/iredmail/zz-testing.conf", TESTING)
        self.write("/etc/dovecot/dovecot-master-users", f"{MASTER}@not-exist.com:{hashed(MASTER_PASSWORD)}\n")
        self.masters_pass = layout.version == "2.3"

    def let_in(self, passwords: Mapping[str, str]) -> None:
        """Replace the rows of the mailboxes, and of their domains."""
        domains = sorted({name.rpartition("@")[2] for name in passwords})
        values = ", ".join(f"('{domain}')" for domain in domains)
        self.sql.execute(f"DELETE FROM domain; INSERT INTO domain (domain) VALUES {values};", self.name)
        super().let_in(passwords)

    def row(self, name: str, password: str) -> str:
        """Return the values of a mailbox."""
        pop = ", ".join([str(int(password != hashed(PEOPLE["bob@example.com"])))] * 3)
        return f"('{name}', '{password}', '{name.rpartition('@')[2]}', {pop})"

    def shown_file(self, kind: str, text: str) -> None:
        """Append the line for Dovecot 2.4, where the reader has it."""
        assert kind == "text"
        if self.version == "2.4":
            self.needed(f"cat >> /etc/dovecot/dovecot.conf <<'EOF'\n{text}EOF\n")


class IRedMailPostgreSQL(IRedMail):
    """iRedMail with PostgreSQL."""

    database = PostgreSQL
    users = """
CREATE USER vmail PASSWORD 'secret'; CREATE USER vmailadmin PASSWORD 'secret';
GRANT ALL ON mailbox, domain TO vmail, vmailadmin;
"""


class PostfixAdmin(WithDatabase):
    """PostfixAdmin's example on Debian 13, as the file local.conf in place of Debian's conf.d."""

    page = "docs/suites/postfixadmin.md"
    name = "postfix"
    schema = """
CREATE TABLE mailbox (username VARCHAR(255) PRIMARY KEY, password VARCHAR(255) NOT NULL, quota BIGINT NOT NULL DEFAULT 0,
    active TINYINT(1) NOT NULL DEFAULT 1);
CREATE USER postfix@127.0.0.1 IDENTIFIED BY 'secret'; GRANT ALL ON postfix.* TO postfix@127.0.0.1;
"""
    columns = "INSERT INTO mailbox (username, password)"

    def __init__(self, machine: PrivateMachine, layout: Layout, texts: Mapping[str, str]) -> None:
        super().__init__(machine, layout, texts)
        # With Debian's files beside it the example does not start: both set the default language of full-text search.
        main = (Path(lent(layout)[CONTAINER]) / "usr/share/dovecot/dovecot.conf").read_text(encoding="utf-8")
        assert "\n!include conf.d/*.conf\n" in main
        self.write("/etc/dovecot/dovecot.conf", main.replace("\n!include conf.d", "\n#!include conf.d") + TESTING)
        self.needed("mkdir /etc/dovecot/conf.d")

    def row(self, name: str, password: str) -> str:
        """Return the values of a mailbox."""
        return f"('{name}', '{password}')"

    def shown_file(self, kind: str, text: str) -> None:
        """Append the line for a Dovecot that does not read conf.d."""
        assert kind == "text"
        self.needed(f"cat >> /etc/dovecot/dovecot.conf <<'EOF'\n{text}EOF\n")


SUITES: dict[str, type[Suite]] = {
    "docker-mailserver": DockerMailserver,
    "iredmail-2.3-mysql": IRedMail,
    "iredmail-2.3-pgsql": IRedMailPostgreSQL,
    "iredmail-2.4-mysql": IRedMail,
    "iredmail-2.4-pgsql": IRedMailPostgreSQL,
    "postfixadmin": PostfixAdmin,
}


@contextmanager
def running(name: str, folder: Path) -> Iterator[Suite]:
    """The server of a suite with two accounts, before anybody has read its page."""
    layout = LAYOUTS[name]
    texts = layout.texts(data())
    need_root()
    with private_machine(folder, lent(layout)) as machine:
        suite = SUITES[name](machine, layout, texts)
        suite.let_in(PEOPLE)
        suite.restart()
        yield suite
