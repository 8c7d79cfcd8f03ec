"""A Dovecot that asks a database: the exports of host.toml that bring it there."""

from __future__ import annotations

import json
from pathlib import Path

from mailpolicy.export import TARGETS
from tests.helpers import Result, Run
from tests.real.dovecot import Dovecot
from tests.real.sql.databases import Database

# Three accounts: with IMAP from anywhere, from the LAN only, and without; POP is off for all.
STORE = """version = 1
[server]
edition = "pro"
lan = ["127.0.0.1"]
[defaults]
imap = true
[accounts."any@example.com"]
[accounts."lan@example.com"]
imap_lan_only = true
[accounts."off@example.com"]
imap = false
"""


def deploy(run: Run, folder: Path, store: str, dovecot: Dovecot, database: Database, **options: str) -> Result:
    """Deploy a store: the script, which the database runs, and Dovecot's configuration. The options are those of targets."""
    (folder / "accounts.toml").write_text(store, encoding="utf-8")
    (folder / "host.toml").write_text(_exports(dovecot, database, options), encoding="utf-8")
    deployed = run("--file", str(folder / "accounts.toml"), "--host-config", str(folder / "host.toml"), "deploy")
    if deployed.status == 0:
        database.let_read()
    return deployed


def switch_database(dovecot: Dovecot, database: Database) -> None:
    """Let Dovecot ask another database, from its next start or reload on: the file with the connection is the site's own."""
    (dovecot.folder / "connection").write_text(database.connection(dovecot.release.version), encoding="utf-8")


def _exports(dovecot: Dovecot, database: Database, options: dict[str, str]) -> str:
    version = dovecot.release.version
    connection, query, script = (dovecot.folder / name for name in ("connection", "query", "policy.sql"))
    connection.write_text(database.connection(version), encoding="utf-8")
    tables = {
        "sql": {"target": "sql", "path": str(script), "mode": "0644", "reload": database.load_command(script)},
        "dovecot-sql-conf": {
            "target": "dovecot-sql-conf",
            "path": str(dovecot.snippet),
            "data": str(query if version == "2.3" else connection),
            "dovecot": version,
            "doveconf": dovecot.doveconf,
        },
    }
    if version == "2.3":
        tables["query"] = {"target": "dovecot-sql-query", "path": str(query), "data": str(connection)}
    lines = []
    for name, table in tables.items():
        taken = {key: value for key, value in options.items() if key in TARGETS[str(table["target"])].options}
        lines.append(f"[exports.{name}]")
        lines += [
            f"{key} = {json.dumps(value)}" for key, value in (table | taken | {"dialect": database.dialect}).items()
        ]
    return "\n".join(lines) + "\n"
