"""Check that splices keep each comment with its account, and that the lines of some accounts are laid out as the whole text is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.edit.operations import Add, Drop, Operation, Put
from mailpolicy.edit.text import splices
from mailpolicy.edit.text.diff import apply_splices
from mailpolicy.edit.text.layout import Layout
from mailpolicy.edit.text.lines import newline_of
from mailpolicy.store.store import Store
from tests.store.index.samples import QUIET
from tests.stores import ADDRESS, store_text


@QUIET
@given(
    text=store_text(),
    made=st.lists(st.tuples(ADDRESS, st.sampled_from(["pop", "imap_lan_only", "suspended"])), min_size=2),
)
def test_laying_out_some_accounts_is_laying_out_all(text: str, made: list[tuple[str, str]]) -> None:
    text = text.removeprefix("\ufeff")
    keys = {key.lower(): key for key in Store("f", text.encode()).tree["accounts"]}
    tables = {keys[address]: Store("f", text.encode()).tree["accounts"][keys[address]] for address in keys}
    operations = []
    for address, name in dict.fromkeys(made):
        there = name in tables[keys[address]]
        path = ("accounts", keys[address], name)
        operations.append(Drop(path) if there and name == "pop" else Put(path, True))
    whole = Layout(text, newline_of(text))
    assert splices.splices(text, operations) == splices._splices(whole, operations)


ANN = '[accounts."ann@x.example"]\npop = true\n'
TEMPORARY = '[accounts."ann@x.example".temporary]\nuntil = 2026-12-04\n'


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("above", "below"), [("# hers\n\n", "# hers\n\n"), ("# hers\n\n\n", "# hers\n\n"), ("", ""), ("# its own\n", "")]
)
def test_a_new_account_takes_no_comment_of_the_one_above_whose_last_table_goes(
    above: str, below: str, newline: str
) -> None:
    """An undo or a plan may remove a table and add an account at once."""
    text = f"version = 1\n{ANN}{above}{TEMPORARY}".replace("\n", newline)
    operations: list[Operation] = [
        Drop(("accounts", "ann@x.example", "temporary")),
        *(Add(("accounts", f"{name}@x.example"), {"pop": True}) for name in ("bob", "cat")),
    ]
    new = apply_splices(text, splices.splices(text, operations))
    assert new.startswith(f'version = 1\n{ANN}{below}[accounts."bob@x.example"]\n'.replace("\n", newline))
