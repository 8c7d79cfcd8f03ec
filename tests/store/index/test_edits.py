"""Check that an edit by an index is, byte for byte, the edit without one."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.edit import accounts, partial, server, services
from mailpolicy.edit.plan import Planner
from mailpolicy.edit.text.diff import Splice
from mailpolicy.edit.transaction import transact
from mailpolicy.policy.service import Service
from mailpolicy.store.index import cache as caches
from mailpolicy.store.index import writer
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.outline import Piece
from mailpolicy.store.store import Store
from mailpolicy.system.held import locked
from tests.helpers import never
from tests.store.index.samples import QUIET, SOME, edits, index_file, kept, outcome, same_answers, store_of, verb
from tests.stores import store_text


@QUIET
@given(text=store_text(), made=st.lists(st.tuples(edits(), st.booleans()), min_size=1, max_size=4))
def test_an_indexed_edit_is_byte_for_byte_the_other(
    tmp_path: Path, text: str, made: list[tuple[tuple[tuple[str, ...], Planner], bool]]
) -> None:
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    cache = Cache(str(tmp_path / "cache"), min_size=0, clock=lambda: caches.stamping_clock() + 10**9)
    path = tmp_path / "accounts.toml"
    path.write_bytes(text.encode())
    for (about, planner), dry_run in made:
        before = path.read_bytes()
        plainly = outcome(path, about, planner, None, dry_run)
        path.write_bytes(before)
        assert outcome(path, about, planner, cache, dry_run) == plainly
        same_answers(path, cache, about)


def test_an_edit_carries_the_index_forward(indexed: Path, cache: Cache) -> None:
    for number, name in enumerate(("off", "on", "inherit", "on") * 3):
        address = f"user{number:04}@d{number % 7}.example"
        store = Store.read_for_edit(str(indexed), [address], cache)
        assert store.subset is not None
        kept(store, verb(services.Verb(name), Service.IMAP, address))
        for asked in (address, *SOME):
            assert Store.read_for_lookup(str(indexed), [asked], cache).subset is not None
        same_answers(indexed, cache, (address, *SOME))
    about = sqlite3.connect(index_file(cache)).execute("SELECT content FROM about").fetchone()[0].decode()
    assert len(about.split("\n")[4].split()) == 9


def test_an_edit_whose_lines_are_no_whole_table_is_proved_whole(indexed: Path, cache: Cache) -> None:
    """Where a multi-line string may begin, a line means nothing: the index is not carried forward."""
    store = Store.read_for_edit(str(indexed), SOME[:1], cache)
    assert store.subset is not None
    kept(store, lambda policy: server.set_login(policy, SOME[0], "x'''"))
    assert Store.read_for_lookup(str(indexed), [SOME[1]], cache).subset is None
    same_answers(indexed, cache, SOME)


# What a pen could make of the lines of ann, which are followed by those of bob, and whether they are ann's whole table.
ANN = '[accounts."ann@x.example"]\npop = true\n'
REWRITTEN = [
    (f"{ANN}imap = true\n", True),
    (f"# hers\n{ANN}imap = true\n", False),
    (f"{ANN}imap = true", False),
    (f"{ANN}imap = false\n", False),
    (ANN, False),
    (f"{ANN}imap = true\nmultipop = true\n", False),
    (f'{ANN}imap = true\n[accounts."cat@x.example"]\n', False),
    (f'{ANN}[accounts."ann@x.example".sources]\nimap = true\n', False),
    (f"{ANN}imap = true\n[templates.t]\n", False),
    (f"{ANN}imap = true # '''\n", False),
    (ANN.replace("ann@", "cat@") + "imap = true\n", False),
]


@pytest.mark.parametrize(("new", "whole"), REWRITTEN)
def test_the_proof_that_an_edited_piece_is_the_whole_table_of_its_account(new: str, whole: bool) -> None:
    head, bob = "version = 1\n", '[accounts."bob@x.example"]\nimap = true\n'
    store = Store("accounts.toml", f"{head}{ANN}{bob}".encode())
    piece = Piece("ann@x.example", len(head), len(head + ANN), 2)
    wanted = {"accounts": {"ann@x.example": {"pop": True, "imap": True}, "bob@x.example": {"imap": True}}}
    assert partial.is_verified(store, wanted, {piece: [Splice(piece.start, piece.end, new)]}) is whole


def test_without_an_index_the_edit_makes_one(tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(300))
    kept(Store.read_for_edit(str(path), SOME[:1], cache), verb(services.Verb.ON, Service.POP, SOME[0]))
    assert Store.read_for_lookup(str(path), SOME[:1], cache).subset is not None
    kept(Store.read_for_edit(str(path), (), cache), lambda policy: server.set_key(policy, "multipop", True))
    assert Store.read_for_lookup(str(path), SOME[:1], cache).subset is not None
    kept(Store.read_for_edit(str(path), (), cache), lambda policy: accounts.add(policy, ["new@d1.example"], {}))
    assert Store.read_for_lookup(str(path), ["new@d1.example"], cache).subset is not None
    same_answers(path, cache, ("new@d1.example", *SOME))


def test_an_index_with_very_many_moves_is_made_anew(
    indexed: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_MAX_EDITED_ACCOUNTS", 3)
    for number in range(5):
        address = f"user{number:04}@d{number % 7}.example"
        kept(Store.read_for_edit(str(indexed), [address], cache), verb(services.Verb.ON, Service.IMAP, address))
        assert Store.read_for_lookup(str(indexed), [address], cache).subset is not None
    same_answers(indexed, cache, SOME)


def test_no_other_writer_waits_for_an_index(indexed: Path, cache: Cache) -> None:
    outcome = transact(
        Store.read_for_edit(str(indexed), SOME[:1], cache), verb(services.Verb.ON, Service.IMAP, SOME[0]), never
    )
    with locked(str(indexed), 0):
        outcome.update_index()
    assert Store.read_for_lookup(str(indexed), SOME[:1], cache).subset is not None
    late = transact(
        Store.read_for_edit(str(indexed), SOME[:1], cache), verb(services.Verb.OFF, Service.IMAP, SOME[0]), never
    )
    kept(Store.read_for_edit(str(indexed), SOME[:1], cache), verb(services.Verb.ON, Service.POP, SOME[0]))
    late.update_index()  # of what is no more
    same_answers(indexed, cache, SOME)
