"""What docs/database.md says, for a database of a test: its settings, commands and statements with other places in them."""

from __future__ import annotations

import tomllib
from typing import TypeVar

from tests.docs.pages import Block, blocks

_T = TypeVar("_T")
_BEGINNINGS = {
    ("2.3", "postgresql"): "connect = host=/run/postgresql ",
    ("2.3", "mariadb"): "connect = host=/run/mysqld/",
    ("2.3", "sqlite"): "connect = /var/",
    ("2.4", "postgresql"): "pgsql ",
    ("2.4", "mariadb"): "mysql ",
    ("2.4", "sqlite"): "sqlite_path ",
}


def connection(version: str, dialect: str) -> str:
    """Return the administrator's file for a version of Dovecot."""
    return _only([block.text for block in _blocks("text") if block.text.startswith(_BEGINNINGS[version, dialect])])


def reload(dialect: str) -> list[str]:
    """Return the command that loads a script."""
    tables = [tomllib.loads(block.text)["exports"].get("sql") for block in _blocks("toml")]
    found: list[str] = _only([table["reload"] for table in tables if table is not None and table["dialect"] == dialect])
    return found


def reader(dialect: str) -> list[str]:
    """Return the statements that make the role of the nodes, and give it its rights."""
    return _role(dialect, "dovecot")


def loader(dialect: str) -> list[str]:
    """Return the statements that make the role of the server that runs the script."""
    return _role(dialect, "mailpolicy")


def _role(dialect: str, name: str) -> list[str]:
    make = {"postgresql": f"CREATE ROLE {name} ", "mariadb": f"CREATE USER {name}@"}[dialect]
    return _only([block.text.splitlines() for block in _blocks("sql") if block.text.startswith(make)])


def _blocks(kind: str) -> list[Block]:
    return [block for block in blocks("docs/database.md") if block.kind == kind]


def _only(found: list[_T]) -> _T:
    assert len(found) == 1
    return found[0]
