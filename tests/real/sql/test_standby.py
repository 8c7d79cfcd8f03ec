"""A node that reads a standby of PostgreSQL answers with the policy of the last commit while the primary is stopped, and never more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.helpers import Run
from tests.real.clients import PATIENCE, Attempt
from tests.real.dovecot import Dovecot
from tests.real.sql.processes import private_folder
from tests.real.sql.servers import Postgresql
from tests.real.sql.site import deploy, switch_database

pytestmark = pytest.mark.real

STORE = """version = 1
[server]
edition = "pro"
[defaults]
imap = true
[accounts."alice@example.com"]
[accounts."bob@example.com"]
imap = false
"""
PEOPLE = ("alice", "bob")


def _let_in(dovecot: Dovecot) -> list[bool]:
    return dovecot.ask([Attempt("imap", "203.0.113.9", f"{name}@example.com", "secret") for name in PEOPLE])


def test_a_standby_answers_with_the_last_commit(dovecot: Dovecot, run: Run, tmp_path: Path) -> None:
    with private_folder() as first, private_folder() as second:
        primary = Postgresql(first)
        try:
            assert deploy(run, tmp_path, STORE, dovecot, primary).status == 0
            standby = Postgresql(second, primary)
            try:
                switch_database(dovecot, standby)
                dovecot.let_in({f"{name}@example.com": "secret" for name in PEOPLE})
                dovecot.start()
                assert _let_in(dovecot) == [True, False]
                swapped = STORE.replace('[accounts."bob@example.com"]\nimap = false', '[accounts."bob@example.com"]')
                swapped = swapped.replace(
                    '[accounts."alice@example.com"]', '[accounts."alice@example.com"]\nimap = false'
                )
                assert deploy(run, tmp_path, swapped, dovecot, primary).status == 0
                switch_database(dovecot, standby)
                _replayed(primary, standby)
                assert _let_in(dovecot) == [False, True]
                # An update that is not committed when the primary stops.
                primary.query("BEGIN; DELETE FROM mailpolicy_access; SELECT pg_current_wal_flush_lsn()")
                primary.stop()
                assert _let_in(dovecot) == [False, True]
                failed = deploy(run, tmp_path, STORE, dovecot, primary)
                assert failed.status == 5
                switch_database(dovecot, standby)
                assert _let_in(dovecot) == [False, True]
                primary.start()
                assert deploy(run, tmp_path, STORE, dovecot, primary).status == 0
                switch_database(dovecot, standby)
                _replayed(primary, standby)
                assert _let_in(dovecot) == [True, False]
            finally:
                standby.stop()
        finally:
            primary.stop()


def _replayed(primary: Postgresql, standby: Postgresql) -> None:
    """Wait until the standby has what the primary has."""
    [[position]] = primary.query("SELECT pg_current_wal_lsn()")
    deadline = time.monotonic() + PATIENCE
    while standby.query(f"SELECT pg_last_wal_replay_lsn() >= '{position}'") != [["t"]]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
