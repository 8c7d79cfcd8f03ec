"""Database servers on a private machine: in folders of their own, run by their ordinary users, on loopback, gone with the machine."""

from __future__ import annotations

from pathlib import Path

from tests.helpers import missing
from tests.real.loopback import until
from tests.real.private import PrivateMachine


class Database:
    """One server; `client` reads SQL on its stdin, as root of the machine."""

    client: str
    create: str = "CREATE DATABASE {name}"
    _install: str
    _serve: str
    _program: str
    _package: str

    def __init__(self, machine: PrivateMachine) -> None:
        self._machine = machine
        if machine.run(f"ls {self._program}").status != 0:
            missing(f"{self._program} is missing: apt install {self._package}")
        installed = machine.run(self._install)
        assert installed.status == 0, installed.shown
        machine.run(f"{self._serve} > /srv/database.log 2>&1 &")
        until(f"{type(self).__name__} answers", lambda: machine.run(f"echo 'SELECT 1;' | {self.client}").status == 0)

    def execute(self, sql: str, database: str = "") -> None:
        """Run statements; the first error ends them."""
        (Path(self._machine.root) / "srv/statements.sql").write_text(sql, encoding="utf-8")
        done = self._machine.run(f"{self.client} {database} < /srv/statements.sql")
        assert done.status == 0, done.shown


class MariaDB(Database):
    """MariaDB on 127.0.0.1:3306; root needs no password on its socket."""

    _program, _package = "/usr/sbin/mariadbd", "mariadb-server"
    client = "mariadb --default-character-set=utf8mb4"
    create = "CREATE DATABASE {name} CHARACTER SET utf8mb4"
    _install = """
install --directory --owner=mysql --group=mysql /srv/mysql /run/mysqld
mariadb-install-db --user=mysql --datadir=/srv/mysql --auth-root-authentication-method=normal --skip-test-db
"""
    _serve = "mariadbd --no-defaults --user=mysql --datadir=/srv/mysql --socket=/run/mysqld/mysqld.sock --bind-address=127.0.0.1"


class PostgreSQL(Database):
    """PostgreSQL on 127.0.0.1:5432; every local user is trusted."""

    _program, _package = "/usr/lib/postgresql/*/bin/initdb", "postgresql"
    client = "runuser -u postgres -- psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1"
    _install = """
install --directory --owner=postgres --group=postgres /srv/postgresql /run/postgresql
cd /srv/postgresql
runuser -u postgres -- "$(echo /usr/lib/postgresql/*/bin)/initdb" --pgdata=/srv/postgresql --auth=trust --encoding=UTF8 --locale=C.UTF-8
"""
    _serve = """cd /srv/postgresql; runuser -u postgres -- "$(echo /usr/lib/postgresql/*/bin)/postgres" -D /srv/postgresql -k /run/postgresql"""
