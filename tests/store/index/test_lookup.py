"""Check that a look-up by an index reads little, and gives the answer that the whole store gives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailpolicy.policy.nearest import nearest_address
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.store import Store
from tests.store.index.samples import SOME, same_answers, settle, store_of


def test_a_look_up_reads_the_head_and_one_account(indexed: Path, cache: Cache) -> None:
    store = Store.read_for_lookup(str(indexed), ["user0007@d0.example"], cache)
    assert list(store.policy().accounts) == ["user0007@d0.example"]
    assert store.text == (
        'version = 1\n[server]\nedition = "pro"\nlan = ["10.0.0.0/8"]\n[defaults]\nimap = true\n\n# 0\n'
        '[accounts."user0007@d0.example"]\npop = true\n\n# 8\n'
    )
    assert store.line(("accounts", "user0007@d0.example", "pop")) == 7 + 4 * 7 + 3
    same_answers(indexed, cache, SOME)


def test_an_unknown_address_brings_the_one_most_like_it(indexed: Path, cache: Cache) -> None:
    known = Store.read(str(indexed)).policy().accounts
    for wrong in (
        "user0007@d1.example",
        "usre0150@d3.example",
        "user0150@d3.exmaple",
        "ser0150@d3.example",
        "nobody@nowhere.test",
    ):
        store = Store.read_for_lookup(str(indexed), [wrong], cache)
        assert store.subset is not None
        right = nearest_address(wrong, known)
        assert list(store.policy().accounts) == ([right] if right else [])


def test_the_nearest_of_very_many(tmp_path: Path, cache: Cache) -> None:
    """The names around a mistyped one are the same in memory and in the index."""
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(2500))
    settle()
    known = Store.read_for_lookup(str(path), [], cache).policy().accounts
    for wrong in (
        "user2499@d1.example",
        "user001@d3.example",
        "usr1234@d2.example",
        "usr1234@d3.example",
        "user1234@d2.exampel",
        "a@b",
        "zzz@d1.example",
        "user0000@",
    ):
        store = Store.read_for_lookup(str(path), [wrong], cache)
        assert store.subset is not None
        assert nearest_address(wrong, store.policy().accounts) == nearest_address(wrong, known)


def test_a_small_store_has_no_index(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(100))
    settle()
    cache = Cache(str(tmp_path / "cache"))
    assert Store.read_for_lookup(str(path), ["user0001@d1.example"], cache).subset is None
    assert not os.path.exists(cache.folder)


@pytest.mark.parametrize(
    "style",
    [
        'version = 1\naccounts."ann@x.example".pop = true\n',
        'version = 1\naccounts = { "ann@x.example" = { pop = true } }\n',
        'version = 1\n[accounts]\n"ann@x.example".pop = true\n[accounts."bob@x.example"]\n',
        'version = 1\n[accounts]\n"ann@x.example" = { pop = true }\n[accounts."bob@x.example"]\n',
        'version = 1\n[accounts."ann@x.example"]\nsmart_host_login = """ann\\\n  e"""\n',
        "version = 1\n[accounts.\"ann@x.example\"]\nsmart_host_login = '''ann'''\n",
        'version = 1\r\n[accounts."ann@x.example"]\npop = true\n',
        'version = 1\n[accounts."ann@x.example"]\n[accounts."bob@x.example"]\n'
        '[accounts."ann@x.example".sources.old]\nhost = "h.example"\nlogin = "a"\n',
        'version = 1\n[accounts."ann@x.example".sources.old]\nhost = "h.example"\nlogin = "a"\n',
    ],
)
def test_a_style_that_is_not_understood_has_no_index(style: str, tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "accounts.toml"
    path.write_bytes(style.encode())
    settle()
    for _ in range(2):
        assert Store.read_for_lookup(str(path), ["ann@x.example"], cache).subset is None
    assert "ann@x.example" in Store.read_for_lookup(str(path), ["ann@x.example"], cache).policy().accounts
    assert not list(Path(cache.folder).glob("*.index"))


def test_odd_headers_sub_tables_and_heads_in_the_middle(tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "accounts.toml"
    path.write_bytes(
        b"\xef\xbb\xbf"
        + """version = 1 # ä
[accounts] # nothing here
  [ "accounts" . 'Ann@X.example' ]  # ß
pop = true
[accounts."Ann@X.example".sources.old]
host = "h.example"
login = "a"
[templates.t]
imap = true
[accounts."b\\u006fb@x.example"]
template = "t"
[server]
lan = ["10.0.0.0/8"]
edition = "pro"
[accounts."cat@faß.example"]
imap = true""".encode()
    )
    settle()
    Store.read_for_lookup(str(path), [], cache)
    for address in ("ann@x.example", "bob@x.example", "cat@xn--fa-hia.example"):
        store = Store.read_for_lookup(str(path), [address], cache)
        assert store.subset is not None
        assert list(store.policy().accounts) == [address]
    same_answers(path, cache, ("ann@x.example", "bob@x.example", "cat@xn--fa-hia.example", "cat@fass.example"))
