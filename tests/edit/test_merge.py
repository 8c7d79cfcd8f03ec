"""Two changes of one store become one, table by table, or nothing does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.edit.merge import Merge, named
from mailpolicy.store.store import Store
from tests.stores import store_text

BASE = """\
version = 1

# the first floor
[accounts."ann@x.example"]
pop = true

[accounts."bob@x.example"]
imap = true

[templates.t]
pop = true

[accounts."cat@y.example"]
"""
ANN = ('[accounts."ann@x.example"]\npop = true', '[accounts."ann@x.example"]\npop = false  # gone')
BOB = ("imap = true", "imap = false\nsuspended = true")
HEAD = ("version = 1", "version = 1\n[defaults]\nmultipop = true")
TEMPLATE = ("[templates.t]\npop = true", "[templates.t]\npop = false")
NEW = ("[templates.t]", '[accounts."dan@x.example"]\npop = true\n\n[templates.t]')
LAST = ('[accounts."cat@y.example"]\n', '[accounts."cat@y.example"]\n\n[accounts."eve@y.example"]')
GONE = ('\n[accounts."bob@x.example"]\nimap = true\n', "")
COMMENT = ("# the first floor", "# the ground floor")


def store(text: str) -> Store:
    return Store("accounts.toml", text.encode())


def both(one: tuple[str, str], other: tuple[str, str]) -> str | None:
    found = Merge(store(BASE), store(BASE.replace(*one)), store(BASE.replace(*other))).result()
    return found.data.decode() if found is not None else None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ANN, BOB),
        (ANN, HEAD),
        (HEAD, BOB),
        (ANN, NEW),
        (ANN, LAST),
        (HEAD, LAST),
        (TEMPLATE, ANN),
        (COMMENT, BOB),
        (ANN, ANN),
        (HEAD, TEMPLATE),
        (BOB, NEW),
        (LAST, TEMPLATE),
    ],
)
def test_changes_of_different_accounts_are_both_there(one: tuple[str, str], other: tuple[str, str]) -> None:
    for first, second in ((one, other), (other, one)):
        found = both(first, second)
        assert found == BASE.replace(*first).replace(*second) if first != second else BASE.replace(*first)


def test_new_accounts_of_both_are_parted_by_a_blank_line() -> None:
    cat = '[accounts."cat@y.example"]\n'
    eve, fay = (f'\n# new\n[accounts."{name}@y.example"]\n' for name in ("eve", "fay"))
    assert both((cat, cat + eve), (cat, cat + fay)) == BASE + eve + fay
    assert both((cat, cat + eve), (cat, cat + "pop = true\n")) == BASE + "pop = true\n" + eve


def test_in_a_clash_the_rest_is_merged_and_mine_wins_there() -> None:
    mine, theirs = BASE.replace(*ANN).replace(*HEAD), BASE.replace(*GONE).replace(*TEMPLATE).replace("# gone", "")
    theirs = theirs.replace('ann@x.example"]\npop = true', 'ann@x.example"]\npop = true\nimap = true')
    merge = Merge(store(BASE), store(mine), store(theirs))
    assert [named(path) for path in merge.clashes] == ["ann@x.example"]
    assert merge.result() is None
    found = merge.result(mine_wins=True)
    assert found is not None
    assert found.data.decode() == mine.replace(*GONE).replace(*TEMPLATE)


def test_an_account_that_one_removes_is_gone() -> None:
    """In its unit stand the blank lines before it, so its neighbour keeps its own."""
    for one, other in ((GONE, BOB), (BOB, GONE)):
        assert both(one, other) is None
    for one, other in ((HEAD, GONE), (GONE, HEAD)):
        found = both(one, other)
        assert found is not None
        assert "bob@x.example" not in found
        assert "[defaults]" in found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ANN, ("pop = true", "imap = true")),  # the same account
        (TEMPLATE, ('pop = true\n\n[accounts."cat', 'imap = true\n\n[accounts."cat')),  # the same template
        (NEW, ("[templates.t]", '[accounts."dan@x.example"]\npop = false\n\n[templates.t]')),  # the same new one
        (ANN, ("pop = true", "popp = true")),  # errors
        (ANN, ('[accounts."cat@y.example"]\n', '[accounts."ANN@x.example"]\n')),  # twice
    ],
)
def test_what_cannot_be_merged(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert both(one, other) is None
    assert both(other, one) is None


@given(text=store_text(), mine=st.integers(0, 3), theirs=st.integers(0, 3))
def test_of_any_store_both_changes_are_there(text: str, mine: int, theirs: int) -> None:
    """A switch of one account and a switch of another: the tree has both, and no byte else is another."""

    def suspended(source: str, *which: int) -> str:
        newline = "\r\n" if "\r\n" in source else "\n"
        lines, found = source.split(newline), []
        for line in lines:
            found.append(line)
            if line.lstrip().startswith("[") and "accounts" in line.split("#")[0]:
                number = sum("accounts" in one.split("#")[0] and one.lstrip().startswith("[") for one in found) - 1
                if number in which:
                    found.append("suspended = true")
        return newline.join(found)

    result = Merge(store(text), store(suspended(text, mine)), store(suspended(text, theirs))).result()
    if result is not None:
        assert result.data.decode() == suspended(text, mine, theirs)
    elif mine == theirs:
        assert not store(text).is_valid or "'" in text or "[ " in text or "  [" in text
