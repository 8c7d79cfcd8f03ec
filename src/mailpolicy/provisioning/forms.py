"""Read a plan: the desired state of accounts as CSV, NDJSON or TOML."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from mailpolicy.policy.names import counted, joined
from mailpolicy.provisioning.rows import BadRows, Mistake, Row, Rows
from mailpolicy.provisioning.values import CELLS, COLUMNS, INHERIT, NESTED, ValueRejected, of_table, unknown
from mailpolicy.store import schema
from mailpolicy.store.document import Document
from mailpolicy.store.tables import TOP

_ADDRESS = "address"
_TOP = ("version", "accounts")  # the keys of a plan in TOML
_ONE_A_LINE = "write one object a line, as jq -c '.[]' makes them of an array"
_BEGINNINGS = {  # behind a byte order mark and blank lines
    "ndjson": rb"(?:\xef\xbb\xbf)?\s*(?:\{|\[\s*\{)",  # an array is refused with advice
    "toml": rb"(?:\xef\xbb\xbf)?\s*(?:#|\[|(?:version|accounts)\s*[=.])",
}
Progress = Callable[[int], None]  # told how many rows were read


def read(file: str, data: bytes, form: str, progress: Progress = lambda _count: None) -> list[Row]:
    """Return the rows of a plan in one of the FORMS. Raises BadRows with every mistake in it."""
    return FORMS[form](file, data, progress)


def form_of(file: str, data: bytes) -> str:
    """Return the form of a plan by its suffix or, on stdin or with another suffix, by its beginning."""
    suffix = file.rpartition(".")[2].lower()
    if suffix in FORMS:
        return suffix
    return next((form for form, beginning in _BEGINNINGS.items() if re.match(beginning, data)), "csv")


def text_of(file: str, data: bytes) -> str:
    """Return the text of UTF-8, without a byte order mark. Raises BadRows with the line of a byte that is not."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadRows([Mistake(file, line, "this is not UTF-8: save the file as UTF-8")]) from None


def records(rows: Rows, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record of CSV with the line that it begins in; blank lines are skipped. A record that cannot be read is noted."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # The rest cannot be told from the text inside the quotes. The words of the module repeat nothing of the file.
            long = "field larger" in str(error)
            why = "a field is longer than 128 KiB" if long else "a quote is not closed, or has text behind it"
            rows.mistake(line, f"{why}; rows from here on were not read")
            return
        if record:
            yield line, record


def _csv(file: str, data: bytes, progress: Progress) -> list[Row]:
    rows = Rows(file)
    found = records(rows, text_of(file, data))
    line, header = next(found, (1, []))
    columns = _columns(rows, line, header)
    for count, (line, record) in enumerate(found):
        if count % 10_000 == 0:
            progress(count)
        if len(record) != len(columns):
            rows.mistake(
                line,
                f"{counted(len(record), 'field')}, but the first line has {len(columns)}: write every field, or quote it",
            )
            continue
        cells = dict(zip(columns, record, strict=True))
        address = rows.address(line, cells.pop(_ADDRESS).strip())
        keys: dict[str, Any] = {}
        wrong = []
        for key, text in cells.items():
            if text := text.strip():
                try:
                    keys[key] = None if text.lower() == INHERIT else CELLS[key](text)
                except ValueRejected as error:
                    wrong.append(f"{key} {error}")
        if address is not None:
            if wrong:
                rows.mistake(line, f"{address}: {'; '.join(wrong)}")
            rows.add(address, line, keys)
    return rows.finished()


def _columns(rows: Rows, line: int, header: list[str]) -> list[str]:
    """Return the columns that the first line names. Raises BadRows, as without them no row can be read."""
    columns = [name.strip().lower().replace("-", "_") for name in header]
    if _ADDRESS not in columns:
        # A file without a header begins with data, so nothing of it is repeated.
        parted = len(columns) == 1 and next((mark for mark in (";", "\t") if mark in columns[0]), None)
        why = (
            f"the columns are parted by {'a semicolon' if parted == ';' else 'a tab'}"
            if parted
            else "no column address"
        )
        rows.mistake(
            line,
            f"{why}: the first line names the columns, parted by commas: address,pop,imap; for a plan in another form "
            "add --input-format",
        )
        raise BadRows(rows.mistakes)
    known = (_ADDRESS, *COLUMNS)
    for name in dict.fromkeys(columns):
        if name in NESTED:
            rows.mistake(line, f"CSV has no column {name}: use NDJSON or TOML for it")
        elif name in known and columns.count(name) > 1:
            rows.mistake(line, f"the column {name} stands twice")
    for wrong in unknown((name for name in columns if name not in known and name not in NESTED), known, "column"):
        rows.mistake(line, wrong)
    if rows.mistakes:
        raise BadRows(rows.mistakes)
    return columns


def _ndjson(file: str, data: bytes, progress: Progress) -> list[Row]:
    rows = Rows(file)
    for line, text in enumerate(text_of(file, data).split("\n"), 1):
        if line % 10_000 == 1:
            progress(line)
        if not text.strip():
            continue
        try:
            table = parsed(text)
        except ValueRejected as error:
            rows.mistake(line, str(error))
            continue
        table.pop("schema", None)  # of the objects of account export
        if type(named := table.pop(_ADDRESS, None)) is not str:
            rows.mistake(line, 'the object has no address: write "address": "alice@example.com"')
        elif (address := rows.address(line, named)) is not None:
            _add_table(rows, address, line, table)
    return rows.finished()


def parsed(text: str) -> dict[str, Any]:
    """Return the JSON object of one line. Raises ValueRejected, with nothing of the line in the message."""
    try:
        found = json.loads(text, object_pairs_hook=_object)
    except ValueRejected:
        raise
    except (ValueError, RecursionError) as error:
        why = getattr(error, "msg", "it cannot be read").lower()
        # A JSON document of several lines fails in its first one.
        advice = f"; {_ONE_A_LINE}" if text.strip() in ("[", "{") else ""
        raise ValueRejected(f"this is not JSON: {why}{advice}") from None
    if type(found) is not dict:
        raise ValueRejected(f"this is not a JSON object: {_ONE_A_LINE}")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(table := dict(pairs)) != len(pairs):
        raise ValueRejected("a key stands twice in one object")
    return table


def _toml(file: str, data: bytes, progress: Progress) -> list[Row]:
    rows = Rows(file)
    document = Document(file, data)
    for fault in document.faults:
        rows.mistake(document.located([fault])[0].line, "this is not TOML; mailpolicy validate explains why")
    version, accounts = document.tree.get("version", schema.VERSION), document.tree.get("accounts", {})
    if document.tree and (type(version) is not int or version != schema.VERSION):
        rows.mistake(_line(document, "version"), f"the version is not {schema.VERSION}")
    for key in document.tree:
        if key not in _TOP:
            shown = key if key in TOP else "this key"  # another may be a password
            rows.mistake(_line(document, key), f"{shown} has no place in a plan, which has {joined(_TOP)} only")
    if type(accounts) is not dict:
        rows.mistake(_line(document, "accounts"), "accounts is not a table")
        accounts = {}
    lines = document.lines([("accounts", key) for key in accounts])
    for count, (key, table) in enumerate(accounts.items()):
        if count % 10_000 == 0:
            progress(count)
        line = lines.get(("accounts", key), 1)
        if (address := rows.address(line, key)) is None:
            continue
        if type(table) is dict:
            _add_table(rows, address, line, table)
        else:
            rows.mistake(line, f"{address} is not a table")
    return rows.finished()


def _line(document: Document, key: str) -> int:
    return document.lines([(key,)]).get((key,), 1)


def _add_table(rows: Rows, address: str, line: int, table: dict[str, Any]) -> None:
    keys, wrong = of_table(table, address)
    if wrong:
        rows.mistake(line, f"{address}: {'; '.join(wrong)}")
    rows.add(address, line, keys)


FORMS: dict[str, Callable[[str, bytes, Progress], list[Row]]] = {"csv": _csv, "ndjson": _ndjson, "toml": _toml}
