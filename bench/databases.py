"""The promises about `export sql`: as fast as reading the store, and a small change loads no slower than everything.

Promises: as in `bars`. The databases are real, on this machine, and tuned for nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import stores
from bars import GREAT_MANY, MANY, require, stored
from table import Bar, mebibytes, milliseconds, spaced
from timing import MAILPOLICY, mailpolicy, peak, told, turns, whole

from mailpolicy.export.request import DIALECTS

sys.path.append(str(Path(__file__).resolve().parent.parent))

from tests.real.sql.databases import load, private_database


def sql(folder: Path) -> list[Bar]:
    """The whole policy as a script, against only reading the store."""
    store, script = stored(folder, GREAT_MANY), folder / "policy.sql"
    to = ("export", "sql", "--dialect", "postgresql")

    def made() -> float:
        script.unlink(missing_ok=True)
        return mailpolicy(*to, "--file", store, "--output", script)

    rounds = turns(7, made, lambda: mailpolicy("--version"), lambda: float(told("toml_loads", store)["seconds"]))
    require(script.read_text(encoding="utf-8").count("\n('") > GREAT_MANY, "the script is too short")
    what = f"`export sql` of {spaced(GREAT_MANY)} accounts"
    pairs = [(writing - start, loads) for writing, start, loads in rounds]
    command: list[str | Path] = [MAILPOLICY, *to, "--no-cache", "--file"]
    small, tenfold, start = stored(folder, MANY, "small"), GREAT_MANY // MANY, peak([MAILPOLICY, "--version"])
    memory = [(peak([*command, store]) - start, tenfold * (peak([*command, small]) - start)) for _ in range(3)]
    return [
        Bar(f"{what}, less `mailpolicy --version`", 2.5, True, pairs, "`tomli.loads` of the same text", milliseconds),
        Bar(f"{what}: peak memory", 1.1, True, memory, f"{tenfold} times that of {spaced(MANY)}", mebibytes),
    ]


def sql_load(folder: Path) -> list[Bar]:
    """A script that changes one row, loaded into each database, against loading everything into an empty table."""
    store = stored(folder, GREAT_MANY)
    return [_loading(folder, store, dialect) for dialect in DIALECTS]


def _loading(folder: Path, store: Path, dialect: str) -> Bar:
    folder.chmod(0o755)
    scripts = [folder / f"{dialect}-{name}.sql" for name in ("one", "other")]
    for script, verb in zip(scripts, ("on", "off"), strict=True):
        mailpolicy("pop", verb, stores.addresses(GREAT_MANY)[17], "--file", store)
        mailpolicy("export", "sql", "--dialect", dialect, "--file", store, "--output", script)
        script.chmod(0o644)
    with private_database(dialect) as database:

        def everything() -> float:
            database.query("DELETE FROM mailpolicy_access")
            if dialect == "postgresql":  # its statistics then say that the table is empty, which must not mislead it
                database.query("ANALYZE mailpolicy_access")
            return whole([*database.load_command(scripts[0])])

        require(load(database, scripts[0]).returncode == 0, "the script fails")
        rounds = turns(3, lambda: whole([*database.load_command(scripts[1])]), everything)
        [[count]] = database.query("SELECT COUNT(*) FROM mailpolicy_access")
        require(int(count) > GREAT_MANY, "the table is too small")
    pairs = [(change, first) for change, first in rounds]
    what = f"{dialect}: the script of {spaced(GREAT_MANY)} accounts, one row changed"
    return Bar(what, 1.0, True, pairs, "the same into an empty table", milliseconds)


ALL = {"sql": sql, "sql-load": sql_load}
