"""What a test needs of a database, whichever it is."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

from tests.real.sql import page
from tests.real.sql.processes import private_folder, program, rows, run
from tests.real.sql.servers import Mariadb, Postgresql


class Database(Protocol):
    """A database that mailpolicy's script is for."""

    dialect: str

    def load_command(self, script: Path) -> list[str]:
        """Return the command, as the documentation names it, that runs a script."""

    def careless_command(self, script: Path) -> list[str]:
        """Return the command without what ends it at the first error."""

    def query(self, text: str) -> list[list[str]]:
        """Return the rows of a query, NULL as ``NULL``. Raises AssertionError if it fails."""

    def connection(self, version: str) -> str:
        """Return the administrator's file that tells a version of Dovecot how to reach it, as one who can only read."""

    def let_read(self, *, allowed: bool = True) -> None:
        """Give the role of `connection` the right to read the table, or take it."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep everybody else from reading the table."""

    def read_only(self) -> AbstractContextManager[None]:
        """Keep everybody from writing."""


class Sqlite:
    """A file."""

    dialect = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "policy.db"

    def load_command(self, script: Path) -> list[str]:
        """See Database."""
        text = "\n".join([program("sqlite3"), *page.reload("sqlite")[1:]])
        ours = text.replace("/var/lib/mailpolicy/policy.db", str(self.path)).replace(
            "/var/lib/mailpolicy/policy.sql", str(script)
        )
        return ours.split("\n")

    def careless_command(self, script: Path) -> list[str]:
        """See Database."""
        return [word for word in self.load_command(script) if word != "-bail"]

    def query(self, text: str) -> list[list[str]]:
        """See Database."""
        return rows([program("sqlite3"), "-bail", "-separator", "\t", "-nullvalue", "NULL", str(self.path), text])

    def connection(self, version: str) -> str:
        """See Database."""
        return page.connection(version, "sqlite").replace("/var/lib/mailpolicy/policy.db", str(self.path))

    def let_read(self, *, allowed: bool = True) -> None:
        """See Database."""
        self.path.chmod(0o644 if allowed else 0o600)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See Database."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Keep everybody from writing: the file is in use by somebody who writes."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield


@contextmanager
def private_database(dialect: str) -> Iterator[Database]:
    """Yield a database of a dialect."""
    with private_folder() as folder:
        if dialect == "sqlite":
            yield Sqlite(folder)
            return
        server = Postgresql(folder) if dialect == "postgresql" else Mariadb(folder)
        try:
            yield server
        finally:
            server.stop()


def load(database: Database, script: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a database."""
    return run(database.load_command(script))
