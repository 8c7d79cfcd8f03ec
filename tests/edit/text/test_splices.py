"""Check that laying out the lines of some accounts gives what laying out the whole text gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.edit.operations import Drop, Put
from mailpolicy.edit.text import splices
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
