"""What running the script does to a table: only the rows that differ change, all of them or none."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mailpolicy.export.dovecot_sql_query import query
from tests.helpers import Run
from tests.real.agreement import Case
from tests.real.sql.databases import Database, load
from tests.real.sql.processes import run as run_command

pytestmark = pytest.mark.real

ROWS = "SELECT service, address, allow_nets FROM mailpolicy_access ORDER BY service, address"
OF_MAILPOLICY = {
    "postgresql": "SELECT relname FROM pg_class WHERE relname LIKE 'mailpolicy%' AND relkind = 'r'",
    "mariadb": "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'mailpolicy%'",
    "sqlite": "SELECT name FROM sqlite_master WHERE name LIKE 'mailpolicy%'",
}
# Write down each change of a row.
TRIGGERS = {
    "postgresql": "CREATE TABLE changes (what text); GRANT ALL ON changes TO mailpolicy;"
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO changes VALUES (TG_OP); RETURN NULL; END';"
    "CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON mailpolicy_access FOR EACH ROW EXECUTE FUNCTION note()",
    "mariadb": "CREATE TABLE changes (what text);"
    + "".join(
        f"CREATE TRIGGER note_{event} AFTER {event} ON mailpolicy_access FOR EACH ROW INSERT INTO changes VALUES ('{event}');"
        for event in ("INSERT", "UPDATE", "DELETE")
    ),
    "sqlite": "CREATE TABLE changes (what text);"
    + "".join(
        f"CREATE TRIGGER note_{event} AFTER {event} ON mailpolicy_access BEGIN INSERT INTO changes VALUES ('{event}'); END;"
        for event in ("INSERT", "UPDATE", "DELETE")
    ),
}
LAN = '[server]\nedition = "pro"\nlan = ["10.0.0.0/8"]\n'
STORE = f"""version = 1
{LAN}[defaults]
imap = true
[accounts."a@example.com"]
[accounts."b@example.com"]
[accounts."c@example.com"]
pop = true
pop_lan_only = true
"""
FIRST = [
    ["imap", "a@example.com", "NULL"],
    ["imap", "b@example.com", "NULL"],
    ["imap", "c@example.com", "NULL"],
    ["pop3", "c@example.com", "10.0.0.0/8"],
]
Script = Callable[[str], Path]


@pytest.fixture
def script(run: Run, tmp_path: Path, database: Database) -> Script:
    """The script of a store, as a file that everybody can read."""

    def script(store: str) -> Path:
        tmp_path.chmod(0o755)
        (tmp_path / "accounts.toml").write_text(store, encoding="utf-8")
        made = run("--file", str(tmp_path / "accounts.toml"), "export", "sql", "--dialect", database.dialect)
        assert made.status == 0
        path = tmp_path / "policy.sql"
        path.write_text(made.out, encoding="utf-8")
        return path

    return script


def test_only_the_rows_that_differ_change(database: Database, script: Script) -> None:
    assert load(database, script(STORE)).returncode == 0
    assert database.query(ROWS) == FIRST
    for statement in TRIGGERS[database.dialect].replace("END;CREATE", "END;;CREATE").split(";;"):
        database.query(statement)
    assert _changes(database, script(STORE)) == []
    toggled = STORE.replace("pop_lan_only = true", "pop_lan_only = false")
    assert _changes(database, script(toggled)) == ["UPDATE"]
    assert database.query(ROWS) == [*FIRST[:3], ["pop3", "c@example.com", "NULL"]]
    assert _changes(database, script(toggled.replace("pop = true", "pop = false"))) == ["DELETE"]
    assert _changes(database, script(STORE)) == ["INSERT"]
    assert _changes(database, script(STORE.replace('"b@example.com"', '"d@example.com"'))) == ["DELETE", "INSERT"]
    assert _changes(database, script(f"version = 1\n{LAN}")) == ["DELETE"] * 4


def _changes(database: Database, script: Path) -> list[str]:
    done = load(database, script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = [row[0] for row in database.query("SELECT what FROM changes")]
    database.query("DELETE FROM changes")
    assert database.query(OF_MAILPOLICY[database.dialect]) == [["mailpolicy_access"]], "nothing else is left behind"
    return sorted(found)


def test_from_any_policy_to_any_other(database: Database, script: Script) -> None:
    for number in range(8):
        case = Case(random.Random(number), ("smtp", "sieve"))
        path = script(case.text)
        done = load(database, path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        wanted = {
            tuple(
                part.strip("'").replace("''", "'")
                for part in line.rstrip(",;").removeprefix("(").removesuffix(")").replace("_utf8mb4", "").split(", ")
            )
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.startswith("('")
        }
        assert {tuple(row) for row in database.query(ROWS)} == wanted
        assert len(wanted) > 20


def test_it_runs_twice_on_one_connection(database: Database, script: Script, tmp_path: Path) -> None:
    twice = tmp_path / "twice.sql"
    twice.write_text(script(STORE).read_text(encoding="utf-8") * 2, encoding="utf-8")
    assert load(database, twice).returncode == 0
    assert database.query(ROWS) == FIRST


BROKEN = {
    "cut off": lambda text: text[: text.index("INSERT INTO mailpolicy_access")],
    "a row lost": lambda text: text.replace("('imap', 'b@example.com', NULL),\n", ""),
    "a row twice": lambda text: text.replace(
        "('imap', 'b@example.com', NULL),\n", "('imap', 'b@example.com', NULL),\n" * 2
    ),
    "not deleted": lambda text: text.replace(
        "DELETE FROM mailpolicy_access WHERE", "DELETE FROM mailpolicy_access WHERE 1 = 0 AND"
    ),
    "not inserted": lambda text: text.replace("WHERE a.service IS NULL OR", "WHERE 1 = 0 AND"),
    "an empty list": lambda text: text.replace("'10.0.0.0/8'", "''"),
    "no SQL": lambda text: text.replace("DELETE FROM", "DELETE THE"),
}


@pytest.mark.parametrize("careful", [True, False])
@pytest.mark.parametrize("how", BROKEN)
def test_a_script_that_does_not_reach_the_policy_changes_nothing(
    database: Database, script: Script, how: str, careful: bool
) -> None:
    assert load(database, script(STORE)).returncode == 0
    path = script(STORE.replace('"a@example.com"', '"new@example.com"'))
    text = BROKEN[how](path.read_text(encoding="utf-8"))
    assert text != path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    done = run_command(database.load_command(path) if careful else database.careless_command(path))
    assert done.returncode != 0 or how == "cut off" or not careful
    assert bool(done.stderr) is (how != "cut off")
    assert database.query(ROWS) == FIRST
    assert load(database, script(STORE)).returncode == 0, "and the next one works"


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_table_that_compares_otherwise_is_not_asked_otherwise(database: Database) -> None:
    """MariaDB compares without regard to case and accents unless told."""
    columns = "service VARCHAR(16), address VARCHAR(320), allow_nets TEXT"
    database.query(f"CREATE TABLE mailpolicy_access ({columns}) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    database.query("INSERT INTO mailpolicy_access VALUES ('imap', 'café@example.com', NULL)")
    assert database.query(query("mariadb", "imap", "cafe@example.com", "PLAIN")) == []
    assert len(database.query(query("mariadb", "imap", "café@example.com", "PLAIN"))) == 1


PLANS = {
    "postgresql": ("EXPLAIN ", "Index Scan using mailpolicy_access_pkey"),
    "mariadb": ("EXPLAIN ", "const"),
    "sqlite": ("EXPLAIN QUERY PLAN ", "SEARCH mailpolicy_access USING PRIMARY KEY (service=? AND address=?)"),
}


def test_the_query_of_a_login_is_one_look_up_in_the_index(database: Database, script: Script) -> None:
    accounts = "".join(f'[accounts."a{number}@example.com"]\n' for number in range(20_000))
    assert load(database, script(f"version = 1\n{LAN}[defaults]\nimap = true\n{accounts}")).returncode == 0
    if database.dialect == "postgresql":
        database.query("ANALYZE mailpolicy_access")
    explain, wanted = PLANS[database.dialect]
    plan = database.query(explain + query(database.dialect, "imap", "a17@example.com", "PLAIN"))
    assert wanted in str(plan)
    assert "Seq Scan" not in str(plan)


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_mariadb_that_cannot_take_half_an_update_back_is_refused(database: Database, script: Script) -> None:
    assert load(database, script(STORE)).returncode == 0
    database.query("ALTER TABLE mailpolicy_access ENGINE=Aria")
    refused = load(database, script(STORE.replace('"a@example.com"', '"new@example.com"')))
    assert refused.returncode == 1
    assert "Duplicate entry '0' for key 'table_and_script_agree'" in refused.stderr
    assert database.query(ROWS) == FIRST


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_session_cannot_switch_the_proof_off(database: Database, script: Script) -> None:
    assert load(database, script(STORE)).returncode == 0
    path = script(STORE.replace('"a@example.com"', '"new@example.com"'))
    text = path.read_text(encoding="utf-8").replace("('imap', 'b@example.com', NULL),\n", "")
    path.write_text("SET check_constraint_checks = 0, sql_safe_updates = 1;\n" + text, encoding="utf-8")
    assert load(database, path).returncode == 1
    assert database.query(ROWS) == FIRST
    path.write_text(
        "SET check_constraint_checks = 0, sql_safe_updates = 1;\n" + script(STORE).read_text(), encoding="utf-8"
    )
    assert load(database, path).returncode == 0
