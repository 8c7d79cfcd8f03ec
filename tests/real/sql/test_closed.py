"""Nobody gets in who should not, whatever is wrong with the database; and who may gets in again when it is mended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest

from tests.helpers import Run
from tests.real.clients import PATIENCE, Attempt
from tests.real.dovecot import Dovecot
from tests.real.sql.databases import Database, Sqlite
from tests.real.sql.processes import Server
from tests.real.sql.site import STORE, deploy

pytestmark = pytest.mark.real

PEOPLE = ("any", "lan", "off", "nobody")


@contextmanager
def _no_table(database: Database) -> Iterator[None]:
    database.query("ALTER TABLE mailpolicy_access RENAME TO elsewhere")
    yield
    database.query("ALTER TABLE elsewhere RENAME TO mailpolicy_access")


@contextmanager
def _another_table(database: Database) -> Iterator[None]:
    """A table of that name without a column for networks."""
    database.query("ALTER TABLE mailpolicy_access RENAME TO elsewhere")
    database.query("CREATE TABLE mailpolicy_access (service VARCHAR(16), address VARCHAR(320))")
    database.query("INSERT INTO mailpolicy_access SELECT service, address FROM elsewhere")
    database.let_read()
    yield
    database.query("DROP TABLE mailpolicy_access")
    database.query("ALTER TABLE elsewhere RENAME TO mailpolicy_access")


@contextmanager
def _no_rows(database: Database) -> Iterator[None]:
    database.query("CREATE TABLE kept AS SELECT * FROM mailpolicy_access")
    database.query("DELETE FROM mailpolicy_access")
    yield
    database.query("INSERT INTO mailpolicy_access SELECT * FROM kept")


@contextmanager
def _away(database: Database) -> Iterator[None]:
    """A server that does not run; a file that is no database."""
    if isinstance(database, Sqlite):
        content = database.path.read_bytes()
        database.path.write_bytes(b"x" * len(content))
        yield
        database.path.write_bytes(content)
    elif isinstance(database, Server):
        database.stop()
        yield
        database.start()


@contextmanager
def _no_right(database: Database) -> Iterator[None]:
    database.let_read(allowed=False)
    yield
    database.let_read()


FAULTS = (_no_table, _another_table, _no_rows, _away, _no_right)


@pytest.fixture
def site(dovecot: Dovecot, database: Database, run: Run, tmp_path: Path) -> Dovecot:
    """A running Dovecot that asks the database."""
    deployed = deploy(run, tmp_path, STORE, dovecot, database)
    assert deployed.status == 0, deployed
    dovecot.let_in({f"{name}@example.com": "secret" for name in PEOPLE})
    dovecot.start()
    assert _let_in(dovecot) == {"any imap"}
    assert _let_in(dovecot, "127.0.0.1") == {"any imap", "lan imap"}
    return dovecot


def _let_in(dovecot: Dovecot, ip: str = "203.0.113.9", seconds: float = PATIENCE) -> set[str]:
    """Who gets in before the time is over, by IMAP, and by POP3, which is off for everybody."""
    wanted = list(product(("imap", "pop3"), PEOPLE))
    with dovecot.auth() as auth:
        answers = auth.admitted_within(
            seconds, [Attempt(service, ip, f"{name}@example.com", "secret") for service, name in wanted]
        )
    return {f"{name} {service}" for (service, name), answer in zip(wanted, answers, strict=True) if answer}


def test_nobody_gets_in_while_something_is_wrong(site: Dovecot, database: Database) -> None:
    for fault in FAULTS:
        if fault is _no_right and isinstance(database, Sqlite):
            continue  # Dovecot has the file open
        with fault(database):
            assert _let_in(site, "127.0.0.1", seconds=2) == set(), fault.__name__
        _until(lambda: _let_in(site, "127.0.0.1") == {"any imap", "lan imap"})
        assert _let_in(site) == {"any imap"}


def _until(holds: Callable[[], bool]) -> None:
    """Wait: Dovecot does not try at once to reach a server again that was away."""
    deadline = time.monotonic() + 3 * PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_nobody_gets_in_before_a_slow_database_has_answered(site: Dovecot, database: Database) -> None:
    with database.locked():
        assert _let_in(site, "127.0.0.1", seconds=2) == set()
    _until(lambda: _let_in(site) == {"any imap"})


def test_who_was_let_in_stays_so_while_the_database_cannot_be_written(
    site: Dovecot, database: Database, run: Run, tmp_path: Path
) -> None:
    with database.read_only():
        failed = deploy(run, tmp_path, STORE.replace("imap = false", "pop = true"), site, database)
        assert failed.status == 5
        assert "sql" in failed.err
        assert _let_in(site) == {"any imap"}
    again = deploy(run, tmp_path, STORE.replace("imap = false", "pop = true"), site, database)
    assert again.status == 0
    assert _let_in(site) == {"any imap", "off imap", "off pop3"}
