"""Private database servers on sockets in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.sql import page
from tests.real.sql.processes import Server, held, program, require, rows, run, user


class Postgresql(Server):
    """PostgreSQL; `primary` is the server that a standby replicates by streaming."""

    dialect = "postgresql"

    def __init__(self, folder: Path, primary: Postgresql | None = None) -> None:
        super().__init__(folder)
        self.data = folder / "data"
        if primary is None:
            options = ["-U", "owner", "-E", "UTF8", "--locale=C", "-A", "trust", "-N"]
            require([program("initdb"), "-D", str(self.data), *options])
        else:
            source = f"host={primary.folder} user=owner"
            require([program("pg_basebackup"), "-D", str(self.data), "-d", source, "-R", "-X", "stream", "-c", "fast"])
        self.start()
        if primary is None:
            require([program("createdb"), "-h", str(self.folder), "-U", "owner", "mail"])
            for statement in (*page.loader("postgresql"), page.reader("postgresql")[0]):
                self.query(statement)

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        # In files of its own folder: shared memory would stay if it is killed.
        memory = ["-c", "dynamic_shared_memory_type=mmap"]
        self.begin([program("postgres"), "-D", str(self.data), "-k", str(self.folder), "-h", "", "-F", *memory])

    def answers(self) -> bool:
        """See Server."""
        return run([program("pg_isready"), "-q", "-h", str(self.folder)]).returncode == 0

    def load_command(self, script: Path) -> list[str]:
        """See Database."""
        words = [program("psql"), *page.reload("postgresql")[1:]]
        service = self._owner.replace("user=owner", "user=mailpolicy")
        ours = {"/var/lib/mailpolicy/policy.sql": str(script), "service=mailpolicy": service}
        return [ours.get(word, word) for word in words]

    @property
    def _owner(self) -> str:
        return f"host={self.folder} user=owner dbname=mail"

    def careless_command(self, script: Path) -> list[str]:
        """See Database."""
        return [word for word in self.load_command(script) if word not in ("-v", "ON_ERROR_STOP=1")]

    def _psql(self, *commands: str) -> list[str]:
        each = [word for command in commands for word in ("-c", command)]
        return [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self._owner, *each]

    def query(self, text: str) -> list[list[str]]:
        """See Database."""
        return rows([*self._psql(text), "-A", "-t", "-F", "\t", "-P", "null=NULL"])

    def connection(self, version: str) -> str:
        """See Database."""
        return page.connection(version, "postgresql").replace("/run/postgresql", str(self.folder))

    def let_read(self, *, allowed: bool = True) -> None:
        """See Database."""
        self.query(page.reader("postgresql")[1] if allowed else "REVOKE SELECT ON mailpolicy_access FROM dovecot")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See Database."""
        with held(self._psql("BEGIN", "LOCK TABLE mailpolicy_access", "\\echo locked", "SELECT pg_sleep(6)")):
            yield

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """See Database."""
        self.query("ALTER SYSTEM SET default_transaction_read_only = on")
        self.query("SELECT pg_reload_conf()")
        yield
        self.query("ALTER SYSTEM RESET default_transaction_read_only")
        self.query("SELECT pg_reload_conf()")


class Mariadb(Server):
    """MariaDB."""

    dialect = "mariadb"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data, self.socket = folder / "data", folder / "socket"
        require(
            [
                *(
                    program("mariadb-install-db"),
                    "--no-defaults",
                    f"--datadir={self.data}",
                    "--skip-test-db",
                    f"--tmpdir={folder}",
                ),
                *("--auth-root-authentication-method=normal", f"--user={user().pw_name}"),
            ]
        )
        self.start()
        self.query("CREATE DATABASE mail", "mysql")
        self.query(page.reader("mariadb")[0], "mysql")
        for statement in page.loader("mariadb"):
            self.query(statement, "mysql")

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.begin(
            [
                *(program("mariadbd"), "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}"),
                *(
                    "--skip-networking",
                    f"--pid-file={self.folder}/pid",
                    "--innodb-flush-log-at-trx-commit=0",
                    f"--tmpdir={self.folder}",
                ),
                *("--innodb-buffer-pool-size=64M", "--character-set-server=latin1"),
            ]
        )

    def answers(self) -> bool:
        """See Server."""
        return run([*self._client("mysql"), "--execute", "SELECT 1"]).returncode == 0

    def _client(self, database: str = "mail") -> list[str]:
        options = ["--no-defaults", f"--socket={self.socket}", "--user=root", f"--database={database}"]
        return [program("mariadb"), *options]

    def load_command(self, script: Path) -> list[str]:
        """See Database."""
        _, *words = page.reload("mariadb")
        words = [word.replace("/var/lib/mailpolicy/policy.sql", str(script)) for word in words]
        return [
            program("mariadb"),
            "--no-defaults",
            f"--socket={self.socket}",
            "--user=mailpolicy",
            "--password=PASSWORD",
            *words,
        ]

    def careless_command(self, script: Path) -> list[str]:
        """See Database."""
        return [word for word in self.load_command(script) if word != "--abort-source-on-error"]

    def query(self, text: str, database: str = "mail") -> list[list[str]]:
        """See Database."""
        return rows([*self._client(database), "--batch", "--skip-column-names", "--execute", text])

    def connection(self, version: str) -> str:
        """See Database."""
        return page.connection(version, "mariadb").replace("/run/mysqld/mysqld.sock", str(self.socket))

    def let_read(self, *, allowed: bool = True) -> None:
        """See Database."""
        grant = page.reader("mariadb")[1]
        self.query(grant if allowed else grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See Database."""
        text = "LOCK TABLES mailpolicy_access WRITE; SELECT 'locked'; SELECT SLEEP(6)"
        with held([*self._client(), "--unbuffered", "--skip-column-names", "--execute", text]):
            yield

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """See Database."""
        self.query("SET GLOBAL read_only = ON", "mysql")
        yield
        self.query("SET GLOBAL read_only = OFF", "mysql")
