"""Exceptions in every style of TOML: an exception that is made and ended leaves the original bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.edit import accounts, exceptions, services
from mailpolicy.edit.plan import Plan
from mailpolicy.edit.selection import Selection
from mailpolicy.edit.transaction import EditResult, transact
from mailpolicy.policy.dates import End, end
from mailpolicy.policy.model import Policy
from mailpolicy.policy.service import Service
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.store import Store
from mailpolicy.system.zones import zone
from tests.edit.test_properties import SETTINGS, written
from tests.helpers import NOW, now
from tests.policy.dates import ends
from tests.stores import ADDRESS, store_text

ANN, BOB = "ann@x.example", "bob@x.example"
STYLES = {
    "headers": '[accounts."ann@x.example"]\npop = true\n# of ann\n\n# of bob\n'
    '[accounts."bob@x.example"]\nimap = true\n# of cat\n[accounts."cat@x.example"]\n',
    "sources": '[accounts."ann@x.example"]\n\n[accounts."ann@x.example".sources.s]\n'
    'host = "pop.y.example"\nlogin = "a"\n[accounts."bob@x.example"]',
    "dotted": 'accounts."ann@x.example".pop = true\naccounts."bob@x.example".imap=true # b\n',
    "dotted below a header": '[accounts]\n  "ann@x.example".pop = true\n"bob@x.example".imap = true',
    "inline": '[accounts]\n"ann@x.example" = { pop = true } # a\n"bob@x.example" = {}\n',
    "all inline": 'accounts = { "ann@x.example" = { pop = true }, "bob@x.example" = { } }\n',
    "empty": '[accounts."ann@x.example"]\n[accounts."bob@x.example"]\n',
}  # fmt: skip


def make(address: str, verb: services.Verb, service: Service, until: End):  # type: ignore[no-untyped-def]
    def planner(policy: Policy) -> Plan:
        return services.switch(policy, service, verb, Selection((address,)), until=until)

    return planner


def edit(path: Path, planner, cache: Cache | None = None, addresses: tuple[str, ...] = ()) -> EditResult:  # type: ignore[no-untyped-def]
    done = transact(Store.read_for_edit(str(path), addresses, cache), planner, now)
    done.update_index()
    return done


def ended(address: str):  # type: ignore[no-untyped-def]
    return lambda policy: exceptions.end(policy, Selection((address,)))


@SETTINGS
@given(
    text=store_text(), address=ADDRESS, written_end=ends.filter(lambda value: not end(value, zone("UTC")).is_over(NOW))
)
def test_an_exception_that_is_ended_leaves_the_original_bytes(
    tmp_path: Path, text: str, address: str, written_end: object
) -> None:
    path = written(tmp_path, text)
    until = end(written_end, zone("UTC"))  # type: ignore[arg-type]
    edit(path, make(address, services.Verb.OFF, Service.IMAP, until))
    edit(path, make(address, services.Verb.LAN_ONLY, Service.POP, until))
    account = Store.read(str(path)).policy().accounts[address]
    assert account.temporary is not None
    assert (account.temporary.until, account.temporary.switches) == (until, {"imap": False, "pop_lan_only": True})
    edit(path, ended(address))
    assert path.read_bytes() == text.encode()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("address", [ANN, BOB])
def test_every_style(style: str, newline: str, address: str, tmp_path: Path) -> None:
    text = f"version = 1\n{STYLES[style]}".replace("\n", newline)
    path = written(tmp_path, text)
    until = end(NOW.date(), zone("UTC"))
    edit(path, make(address, services.Verb.OFF, Service.IMAP, until))
    edit(path, make(address, services.Verb.ON, Service.POP, until))
    # A permanent `off` takes its key out, and then the exception has one key left.
    edit(path, lambda policy: services.switch(policy, Service.POP, services.Verb.OFF, Selection((address,))))
    account = Store.read(str(path)).policy().accounts[address]
    assert account.temporary is not None
    assert dict(account.temporary.switches) == {"imap": False}
    assert account.own["pop"] is False
    path.write_bytes(text.encode())
    edit(path, make(address, services.Verb.OFF, Service.IMAP, until))
    edit(path, ended(address))
    assert path.read_bytes() == text.encode()


@pytest.mark.parametrize("address", [ANN, BOB, "cat@x.example"])
def test_an_index_makes_no_difference(address: str, tmp_path: Path) -> None:
    """The lines of one account end before a comment that touches the next header, which the index does not see."""
    text = f"version = 1\n{STYLES['headers']}\n# the end\n"
    results = []
    for folder, cache in (("plain", None), ("indexed", Cache(str(tmp_path / "cache"), lambda note: None, min_size=0))):
        (tmp_path / folder).mkdir()
        path = written(tmp_path / folder, text)
        if cache is not None:
            Store.read(str(path), cache).update_index(force=True)
        until = end(NOW.date(), zone("UTC"))
        steps = []
        for planner in (make(address, services.Verb.OFF, Service.IMAP, until), ended(address)):
            edit(path, planner, cache, (address,))
            steps.append(path.read_text())
        results.append(steps)
    assert results[0] == results[1]
    assert results[0][1] == text


@SETTINGS
@given(text=store_text(), address=ADDRESS, verb=st.sampled_from([services.Verb.ON, services.Verb.OFF]))
def test_the_same_twice_changes_nothing(tmp_path: Path, text: str, address: str, verb: services.Verb) -> None:
    path = written(tmp_path, text)
    until = end(NOW.date(), zone("UTC"))
    edit(path, make(address, verb, Service.POP, until))
    assert not edit(path, make(address, verb, Service.POP, until)).changed


_SOURCE = '[accounts."ann@x.example".sources.s]\nhost = "pop.y.example"\nlogin = "a"'
WITHOUT_A_TABLE = {
    "only": f"{_SOURCE}\n",
    "no end of line": _SOURCE,
    "before another": f'{_SOURCE}\n\n[accounts."bob@x.example"]\nimap = true\n',
    "close to another": f'{_SOURCE}\n[accounts."bob@x.example"]\nimap = true\n',
    "before a comment": f'{_SOURCE}\n\n# of bob\n[accounts."bob@x.example"]\nimap = true\n',
    "after another": f'[accounts."bob@x.example"]\nimap = true\n\n# of ann\n{_SOURCE}\n# the end\n',
    "two sources": f"{_SOURCE}\n\n{_SOURCE.replace('.s]', '.t]')}\n",
    "exception": '[accounts."ann@x.example".temporary]\nuntil = 2099-12-31\nimap = true\n',
    "empty table above": f'[accounts."ann@x.example"]\n\n{_SOURCE}\n',
    "dotted": 'accounts."ann@x.example".sources.s.host = "h.example"\naccounts."ann@x.example".sources.s.login = "a"\n',
    "inline": '[accounts]\n"ann@x.example" = { sources = { s = { host = "h.example", login = "a" } } }\n',
}  # fmt: skip
CHOSEN = Selection((ANN,))
THERE_AND_BACK = {
    "suspend": (lambda policy: accounts.suspend(policy, CHOSEN), lambda policy: accounts.resume(policy, CHOSEN)),
    "expire": (
        lambda policy: accounts.expire(policy, CHOSEN, end(NOW.date(), zone("UTC")), now),
        lambda policy: accounts.expire(policy, CHOSEN, None, now),
    ),
    "pop": (
        lambda policy: services.switch(policy, Service.POP, services.Verb.ON, CHOSEN, services.Verb.LAN_ONLY),
        lambda policy: services.switch(policy, Service.POP, services.Verb.INHERIT, CHOSEN),
    ),
}


@pytest.mark.parametrize("style", WITHOUT_A_TABLE)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("command", THERE_AND_BACK)
@pytest.mark.parametrize("indexed", [False, True])
def test_an_account_without_a_table_of_its_own_gets_none(
    style: str, newline: str, command: str, indexed: bool, tmp_path: Path
) -> None:
    text = f"version = 1\n{WITHOUT_A_TABLE[style]}".replace("\n", newline)
    path = written(tmp_path, text)
    cache = Cache(str(tmp_path / "cache"), lambda note: None, min_size=0) if indexed else None
    if cache is not None:
        Store.read(str(path), cache).update_index(force=True)
    for planner in THERE_AND_BACK[command]:
        assert edit(path, planner, cache, (ANN,)).changed
    assert path.read_bytes() == text.encode()
