"""Private database servers on sockets in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.sql.processes import Server, held, program, require, rows, run, user

READER, LOADER = "dovecot_reader", "loader"


class Postgresql(Server):
    """PostgreSQL; `primary` is the server that a standby replicates by streaming."""

    dialect = "postgresql"

    def __init__(self, folder: Path, primary: Postgresql | None = None) -> None:
        super().__init__(folder)
        self.data = folder / "data"
        if primary is None:
            require(
                [
                    program("initdb"),
                    "-D",
                    str(self.data),
                    "-U",
                    "owner",
                    "-E",
                    "UTF8",
                    "--locale=C",
                    "-A",
                    "trust",
                    "-N",
                ]
            )
        else:
            source = f"host={primary.folder} user=owner"
            require([program("pg_basebackup"), "-D", str(self.data), "-d", source, "-R", "-X", "stream", "-c", "fast"])
        self.start()
        if primary is None:
            self.query(f"CREATE ROLE {READER} LOGIN")

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.begin([program("postgres"), "-D", str(self.data), "-k", str(self.folder), "-h", "", "-F"])

    def answers(self) -> bool:
        """See Server."""
        return run([*self._psql(), "-c", "SELECT 1"]).returncode == 0

    def _psql(self) -> list[str]:
        return [
            program("psql"),
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            str(self.folder),
            "-U",
            "owner",
            "postgres",
        ]

    def load_command(self, script: Path) -> list[str]:
        """See Database."""
        return [*self._psql(), "-f", str(script)]

    def careless_command(self, script: Path) -> list[str]:
        """See Database."""
        return [word for word in self.load_command(script) if word != "ON_ERROR_STOP=1" and word != "-v"]

    def query(self, text: str) -> list[list[str]]:
        """See Database."""
        return rows([*self._psql(), "-A", "-t", "-F", "\t", "-P", "null=NULL", "-c", text])

    def connection(self, version: str) -> str:
        """See Database."""
        if version == "2.3":
            return f"connect = host={self.folder} dbname=postgres user={READER}\n"
        return f"pgsql {self.folder} {{\n  parameters {{\n    dbname = postgres\n    user = {READER}\n  }}\n}}\n"

    def let_read(self, *, allowed: bool = True) -> None:
        """See Database."""
        self.query(
            f"{'GRANT' if allowed else 'REVOKE'} SELECT ON mailpolicy_access {'TO' if allowed else 'FROM'} {READER}"
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See Database."""
        with held(
            [
                *self._psql(),
                "-c",
                "BEGIN",
                "-c",
                "LOCK TABLE mailpolicy_access",
                "-c",
                "\\echo locked",
                "-c",
                "SELECT pg_sleep(6)",
            ]
        ):
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
                *(program("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--skip-test-db"),
                *("--auth-root-authentication-method=normal", f"--user={user().pw_name}"),
            ]
        )
        self.start()
        self.query("CREATE DATABASE mail", "mysql")
        self.query(f"CREATE USER {READER}@localhost IDENTIFIED BY 'plain'", "mysql")
        self.query(f"CREATE USER {LOADER}@localhost", "mysql")
        self.query(f"GRANT ALL ON mail.* TO {LOADER}@localhost", "mysql")

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.begin(
            [
                *(program("mariadbd"), "--no-defaults", f"--datadir={self.data}", f"--socket={self.socket}"),
                *("--skip-networking", f"--pid-file={self.folder}/pid", "--innodb-flush-log-at-trx-commit=0"),
                *("--innodb-buffer-pool-size=64M", "--character-set-server=latin1"),
            ]
        )

    def answers(self) -> bool:
        """See Server."""
        return run([*self._client("mysql"), "--execute", "SELECT 1"]).returncode == 0

    def _client(self, database: str = "mail", user: str = "root") -> list[str]:
        options = ["--no-defaults", f"--socket={self.socket}", f"--user={user}", f"--database={database}"]
        return [program("mariadb"), *options]

    def load_command(self, script: Path) -> list[str]:
        """See Database."""
        return [*self._client(user=LOADER), "--abort-source-on-error", "--execute", f"source {script}"]

    def careless_command(self, script: Path) -> list[str]:
        """See Database."""
        return [word for word in self.load_command(script) if word != "--abort-source-on-error"]

    def query(self, text: str, database: str = "mail") -> list[list[str]]:
        """See Database."""
        return rows([*self._client(database), "--batch", "--skip-column-names", "--execute", text])

    def connection(self, version: str) -> str:
        """See Database."""
        if version == "2.3":
            return f"connect = host={self.socket} dbname=mail user={READER} password=plain\n"
        return f"mysql {self.socket} {{\n  user = {READER}\n  password = plain\n  dbname = mail\n}}\n"

    def let_read(self, *, allowed: bool = True) -> None:
        """See Database."""
        what = "SELECT ON mail.mailpolicy_access"
        self.query(f"GRANT {what} TO {READER}@localhost" if allowed else f"REVOKE {what} FROM {READER}@localhost")

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
