"""Table: plans for accounts that are written as inline tables, and the way back with undo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mailpolicy.store.store import Store
from tests.helpers import Run
from tests.provisioning.plans import tables

LINE = '"a@x.example" = '
S: dict[str, Any] = {"host": "h.example", "login": "l"}
SOURCE = '{ host = "h.example", login = "l" }'
DAY: dict[str, Any] = {"until": "2099-12-31", "pop": True}
EXCEPTION = "{ until = 2099-12-31, pop = true }"

# The account, the keys that are wanted, the account then.
EDITS: list[tuple[str, dict[str, Any], str]] = [
    ("{}", {"pop": True, "sources": {"s": S}}, f"{{pop = true, sources.s = {SOURCE}}}"),
    ("{}", {"pop": True, "temporary": DAY}, f"{{pop = true, temporary = {EXCEPTION}}}"),
    ("{ }", {"sources": {"s": S, "t": S}}, f"{{ sources.s = {SOURCE}, sources.t = {SOURCE} }}"),
    ("{}", {"temporary": DAY, "sources": {"s": S}}, f"{{sources.s = {SOURCE}, temporary = {EXCEPTION}}}"),
    (f"{{ sources = {{ s = {SOURCE} }} }}", {"sources": {"t": S}}, f"{{ sources = {{ t = {SOURCE} }} }}"),
    ("{ pop = true, imap = true }", {"pop": None, "imap": None, "multipop": True}, "{ multipop = true }"),
    ("{ pop = true, imap = true }", {"pop": None, "multipop": True}, "{ imap = true, multipop = true }"),
    ("{ pop = true, imap = true }", {"imap": None, "temporary": DAY}, f"{{ pop = true, temporary = {EXCEPTION} }}"),
    ("{ pop = true, imap = true }", {"imap": None, "pop": None}, "{ }"),
    ("{pop = true, imap = true, multipop = true}", {"pop": None, "multipop": None}, "{imap = true}"),
    (
        "{ imap = true, temporary.until = 2099-12-31 }",
        {"temporary": DAY},
        "{ imap = true, temporary.until = 2099-12-31, temporary.pop = true }",
    ),
    (f"{{ temporary = {EXCEPTION} }}", {"temporary": None, "pop": False}, "{ pop = false }"),
]


@pytest.mark.parametrize(("before", "wanted", "after"), EDITS)
def test_a_plan_for_an_inline_table(run: Run, tmp_path: Path, before: str, wanted: dict[str, Any], after: str) -> None:
    path = tmp_path / "accounts.toml"
    head = "version = 1\n[accounts]\n"
    path.write_text(f"{head}{LINE}{before}\n")
    (tmp_path / "host.toml").write_text("journal = true\n")
    (tmp_path / "plan.ndjson").write_text(json.dumps({"address": "a@x.example", **wanted}) + "\n")
    common = ("--file", "accounts.toml", "--host-config", "host.toml")
    had = tables(Store.read(str(path)).policy().accounts)
    assert run("apply", "plan.ndjson", *common).status == 0
    assert path.read_text() == f"{head}{LINE}{after}\n"
    assert run("apply", "plan.ndjson", *common).out == "a@x.example\tunchanged\t-\tok\n"
    assert run("undo", *common).status == 0
    assert tables(Store.read(str(path)).policy().accounts) == had
