"""SQL that brings a table of a database to the policy: a row for each account and service that is open.

The configuration of `dovecot_sql_conf` asks the table. `allow_nets` is NULL where the service is open from anywhere, and
whoever has no row is refused. The script is plain SQL, one transaction, and changes only the rows that differ, so
replication carries no more. In the end a statement fails unless the table is what the script says, and nothing is committed
then, even by a client that goes on after an error.

Comparing must not become quadratic where the statistics say that a table is empty: PostgreSQL is kept from nested loops, and
the others look rows up in an index. Source: seen on PostgreSQL 15, MariaDB 10.11 and SQLite 3.40.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from mailpolicy.export import dovecot
from mailpolicy.export.request import Exported, Request
from mailpolicy.policy.account import Account
from mailpolicy.policy.model import Policy

_IN_ONE_INSERT = 1000  # rows


class _Dialect(NamedTuple):
    """How a database writes what they write differently."""

    begin: str
    start: str  # after the tables were made
    end: str
    service: str  # types of the columns
    address: str
    nets: str
    table: str  # what follows the columns of a table, and of a temporary one
    temporary: str
    same: str  # whether two columns are the same; NULL is the same as NULL
    # What an INSERT does with a row that is there.
    change: str = "ON CONFLICT (service, address) DO UPDATE SET allow_nets = excluded.allow_nets"
    by_index: str = ""  # after a table of a join: look each row up
    delete: str = "DELETE"
    # The columns of the proof, which keep a 0 out of it.
    agreeing: str = "agree INTEGER PRIMARY KEY,\n  CONSTRAINT table_and_script_agree CHECK (agree = 1)"
    proof: str = "INSERT INTO mailpolicy_proof SELECT {};\n"  # fails unless its argument is 1
    letters: str = ""  # before a string with letters that are not ASCII


_DIALECTS = {
    "postgresql": _Dialect(
        begin="BEGIN;\nSET LOCAL client_encoding = 'UTF8';\nSET LOCAL standard_conforming_strings = on;\n"
        "SET LOCAL client_min_messages = warning;\nSET LOCAL row_security = off;\n",
        # Against a table whose statistics say that it is empty, nested loops take hours.
        start="SET LOCAL enable_nestloop = off;\nLOCK TABLE mailpolicy_access IN SHARE ROW EXCLUSIVE MODE;\n",
        end="COMMIT;\n",
        service='VARCHAR(16) COLLATE "C"',
        address='VARCHAR(320) COLLATE "C"',
        nets='TEXT COLLATE "C"',
        table="",
        temporary=" ON COMMIT DROP",
        same="{} IS NOT DISTINCT FROM {}",
    ),
    # CREATE TABLE commits. Without the ROLLBACK it would commit what a script that failed has left open.
    "mariadb": _Dialect(
        begin="ROLLBACK;\nDROP TEMPORARY TABLE IF EXISTS mailpolicy_wanted, mailpolicy_proof;\nSET @mailpolicy_agree = NULL;\n",
        # Only InnoDB can take half an update back. The 0 is there so that another one is a duplicate: a session can switch
        # CHECK off, but no key.
        start="INSERT INTO mailpolicy_proof VALUES (0);\nINSERT INTO mailpolicy_proof SELECT CASE WHEN (\n"
        "  SELECT ENGINE FROM information_schema.TABLES\n"
        "  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'mailpolicy_access'\n"
        ") = 'InnoDB' THEN 2 ELSE 0 END;\nSTART TRANSACTION;\n",
        end="DROP TEMPORARY TABLE mailpolicy_wanted, mailpolicy_proof;\n"
        "EXECUTE IMMEDIATE IF(@mailpolicy_agree = 1, 'COMMIT', 'ROLLBACK');\nSET @mailpolicy_agree = NULL;\n",
        service="VARCHAR(16) CHARACTER SET ascii COLLATE ascii_nopad_bin",
        address="VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
        nets="MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_nopad_bin",
        table=" ENGINE=InnoDB",
        temporary=" ENGINE=InnoDB",
        same="{} <=> {}",
        change="ON DUPLICATE KEY UPDATE allow_nets = VALUES(allow_nets)",
        by_index=" FORCE INDEX (PRIMARY)",
        delete="SET STATEMENT sql_safe_updates = 0 FOR DELETE",
        agreeing="agree INTEGER NOT NULL,\n  UNIQUE KEY table_and_script_agree (agree)",
        proof="SELECT {} INTO @mailpolicy_agree;\nINSERT INTO mailpolicy_proof VALUES (@mailpolicy_agree = 1);\n",
        letters="_utf8mb4",
    ),
    "sqlite": _Dialect(
        begin="BEGIN IMMEDIATE;\n",
        start="",
        end="DROP TABLE temp.mailpolicy_wanted;\nDROP TABLE temp.mailpolicy_proof;\nCOMMIT;\n",
        service="VARCHAR(16)",
        address="VARCHAR(320)",
        nets="TEXT",
        table=" WITHOUT ROWID",
        temporary=" WITHOUT ROWID",
        same="{} IS {}",
        proof="INSERT OR ROLLBACK INTO mailpolicy_proof SELECT {};\n",
    ),
}


def export(request: Request) -> Exported:
    """Return the script."""
    policy, dialect = request.policy, _DIALECTS[request.options.dialect]
    groups = list(policy.groups())
    services = dovecot.governed(policy)
    count, inserts = 0, []
    rows = _rows(policy, groups, services, dialect)
    while chunk := list(islice(rows, _IN_ONE_INSERT)):
        count += len(chunk)
        values = ",\n".join(chunk)
        inserts.append(f"INSERT INTO mailpolicy_wanted (service, address, allow_nets) VALUES\n{values};\n")
    body = "".join(
        (f"-- services: {' '.join(services)}\n", *_tables(dialect), *inserts, *_changes(dialect, count), dialect.end)
    )
    return Exported(body, tuple(dovecot.notes_on_accounts(policy, groups, "dovecot-sql-conf")))


def _rows(policy: Policy, groups: list[list[Account]], services: tuple[str, ...], dialect: _Dialect) -> Iterator[str]:
    """Yield the rows as an INSERT has them, sorted, so that the same policy makes the same bytes."""
    open_to: dict[str, dict[str, str]] = {service: {} for service in services}  # by service, the allow_nets by name
    for group in groups:
        names = [name for account in group for name in dovecot.spellings(account.address)]
        for service, nets in zip(services, dovecot.admitted_nets(policy, group[0], services), strict=True):
            if nets is not None:
                open_to[service].update(dict.fromkeys(names, _string(nets) if nets else "NULL"))
    for service in services:
        listed = open_to.pop(service)
        for name in sorted(listed):
            written = _string(name) if name.isascii() else dialect.letters + _string(name)
            yield f"('{service}', {written}, {listed[name]})"


def _string(text: str) -> str:
    """Return a string as SQL writes it; neither an address nor a network can have a backslash."""
    return "'" + text.replace("'", "''") + "'"


def _tables(dialect: _Dialect) -> Iterator[str]:
    columns = (
        f"(\n  service {dialect.service} NOT NULL,\n  address {dialect.address} NOT NULL,\n"
        f"  allow_nets {dialect.nets} CHECK (allow_nets <> ''),\n  PRIMARY KEY (service, address)\n)"
    )
    yield dialect.begin
    yield f"CREATE TABLE IF NOT EXISTS mailpolicy_access {columns}{dialect.table};\n"
    yield f"CREATE TEMPORARY TABLE mailpolicy_wanted {columns}{dialect.temporary};\n"
    yield f"CREATE TEMPORARY TABLE mailpolicy_proof (\n  {dialect.agreeing}\n){dialect.temporary};\n"
    yield dialect.start


def _changes(dialect: _Dialect, count: int) -> Iterator[str]:
    same = dialect.same.format("a.allow_nets", "w.allow_nets")
    joined = f"JOIN mailpolicy_access AS a{dialect.by_index} ON a.service = w.service AND a.address = w.address"
    yield (
        "INSERT INTO mailpolicy_access (service, address, allow_nets)\n"
        f"  SELECT w.service, w.address, w.allow_nets FROM mailpolicy_wanted AS w\n  LEFT {joined}\n"
        f"  WHERE a.service IS NULL OR NOT ({same})\n  {dialect.change};\n"
    )
    # Counted first: in most updates no row has to go, and looking for one costs as much as everything else.
    yield (
        f"{dialect.delete} FROM mailpolicy_access WHERE (SELECT COUNT(*) FROM mailpolicy_access) > {count} AND NOT EXISTS (\n"
        f"  SELECT 1 FROM mailpolicy_wanted AS w{dialect.by_index}\n"
        "  WHERE w.service = mailpolicy_access.service AND w.address = mailpolicy_access.address\n);\n"
    )
    yield dialect.proof.format(
        "CASE\n"
        f"  WHEN (SELECT COUNT(*) FROM mailpolicy_access) = {count}\n"
        f"  AND (SELECT COUNT(*) FROM mailpolicy_wanted AS w\n    {joined}\n    WHERE {same}) = {count}\n"
        "  THEN 1 ELSE 0 END"
    )
