"""Table: commands that run a script in a database, and whether they end with an error if the script does."""

from __future__ import annotations

import pytest

from mailpolicy.deploy.loading import explain_unnoticed

NOTICED = (
    ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "/x.sql"],
    ["/usr/bin/psql", "-vON_ERROR_STOP=on", "-f", "/x.sql"],
    ["sudo", "-u", "postgres", "psql", "--set=ON_ERROR_STOP=1", "-f", "/x.sql"],
    ["psql", "--set", "ON_ERROR_STOP=1", "--file=/x.sql"],
    ["psql", "--variable=ON_ERROR_STOP=true", "--file=/x.sql"],
    ["mariadb", "--abort-source-on-error", "--execute", "source /x.sql"],
    ["mysql", "--abort-source-on-error", "-e", "source /x.sql", "mail"],
    ["sqlite3", "-bail", "/x.db", ".read /x.sql"],
    ["sqlite3", "--bail", "/x.db", ".read /x.sql"],
    ["/usr/local/sbin/load-policy", "/x.sql"],
)
UNNOTICED = (
    (["psql", "-X", "-q", "-f", "/x.sql"], "ON_ERROR_STOP=1"),
    (["psql", "-v", "ON_ERROR_STOP=0", "-f", "/x.sql"], "ON_ERROR_STOP=1"),
    (["psql", "-v", "ON_ERROR_STOP=10", "-f", "/x.sql"], "ON_ERROR_STOP=1"),
    (["sudo", "-u", "postgres", "/usr/bin/psql", "-f", "/x.sql"], "ON_ERROR_STOP=1"),
    (["mariadb", "--execute", "source /x.sql"], "--abort-source-on-error"),
    (["mysql", "-e", "source /x.sql"], "--abort-source-on-error"),
    (["mariadb", "--abort-source-on-error", "--force", "-e", "source /x.sql"], "--abort-source-on-error"),
    (
        ["mariadb", "--abort-source-on-error", "--skip-abort-source-on-error", "-e", "source /x.sql"],
        "--abort-source-on-error",
    ),
    (["sqlite3", "/x.db", ".read /x.sql"], "-bail"),
)


@pytest.mark.parametrize("command", NOTICED, ids=" ".join)
def test_an_error_is_noticed(command: list[str]) -> None:
    assert explain_unnoticed(command) is None


@pytest.mark.parametrize(("command", "missing"), UNNOTICED, ids=[" ".join(command) for command, _ in UNNOTICED])
def test_an_error_is_not_noticed(command: list[str], missing: str) -> None:
    assert f'"{missing}" to reload' in (explain_unnoticed(command) or "")
