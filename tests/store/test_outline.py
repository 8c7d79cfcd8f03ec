"""Check that the pieces of an outline are the text, on the lines that they name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.store import outline
from mailpolicy.store import store as stores
from mailpolicy.store.document import Document
from mailpolicy.store.store import Store
from tests.store.index.samples import QUIET, store_of
from tests.stores import store_text


@QUIET
@given(
    text=store_text(), keys=st.lists(st.sampled_from(["pop", "imap", "suspended", "sources", "nothing"]), min_size=1)
)
def test_the_lines_of_many_accounts_are_those_of_the_document(text: str, keys: list[str]) -> None:
    store = Store("f", text.encode())
    accounts = [("accounts", key) for key in store.tree["accounts"]]
    paths = [
        *accounts,
        *((*account, key) for account in accounts for key in keys),
        ("server", "lan"),
        ("accounts", "no"),
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stores, "_MIN_OUTLINE_ACCOUNTS", 1)
        document = Document("f", text.encode())
        assert store.lines(paths) == document.lines(paths)
        one_by_one = Store("f", text.encode()).line_finder()
        assert {path: one_by_one(path) for path in paths} == {path: document.line(path) for path in paths}


def test_an_outline_is_the_whole_text() -> None:
    text = store_of(5)
    found = outline.outline(text)
    assert found is not None
    partial = sorted((*found.head, *found.accounts), key=lambda piece: piece.start)
    assert "".join(text[piece.start : piece.end] for piece in partial) == text
    assert [text.count("\n", 0, piece.start) + 1 for piece in partial] == [piece.line for piece in partial]
