"""The index of a large store: it saves time, and never changes an answer or a byte."""

from __future__ import annotations

import errno
import json
import mmap
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import mailpolicy
from mailpolicy.cli import context
from mailpolicy.edit import accounts, partial, server, services, templates
from mailpolicy.edit.operations import Drop, Put
from mailpolicy.edit.plan import Planner
from mailpolicy.edit.selection import Targets
from mailpolicy.edit.text import splices
from mailpolicy.edit.text.diff import Splice
from mailpolicy.edit.text.layout import Layout, newline_of
from mailpolicy.edit.transaction import Outcome, transact
from mailpolicy.errors import MailpolicyError
from mailpolicy.policy.nearest import nearest_address
from mailpolicy.policy.service import Service
from mailpolicy.policy.verdict import judge, question
from mailpolicy.render import answer
from mailpolicy.store import outline
from mailpolicy.store import store as stores
from mailpolicy.store.document import Document
from mailpolicy.store.index import cache as caches
from mailpolicy.store.index import reader, writer
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.outline import Piece
from mailpolicy.store.store import Store
from mailpolicy.system.held import locked
from tests.helpers import Run, missing, mount_namespace
from tests.stores import ADDRESS, store_text

KNOWN = ("ann@x.example", "bob@x.example", "cat@y.example", "dan@y.example")
ASKED = (*KNOWN, "eve@x.example")
QUIET = settings(
    max_examples=int(os.environ.get("MAILPOLICY_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def kept(store: Store, planner: Planner, *, dry_run: bool = False) -> Outcome:
    """An edit, and what the command does when it has told of it."""
    outcome = transact(store, planner, dry_run=dry_run)
    outcome.keep_index()
    return outcome


def answers(path: Path, cache: Cache | None, address: str) -> list[object]:
    """Everything that is said about an account, lines and all; or why nothing is."""
    try:
        store = Store.look_up(str(path), [address], cache)
        return [
            answer.lines(
                judge(store.policy(), question(address, service, ip)),
                store.path,
                store.line,
                lambda: 0,
                shlex.join,
                verbose=True,
            )
            for service in Service
            for ip in ("10.1.2.3", "203.0.113.9")
        ]
    except MailpolicyError as error:
        return [error.message, *map(str, getattr(error, "findings", ()))]


def same_answers(path: Path, cache: Cache, asked: tuple[str, ...] = ASKED) -> None:
    for address in asked:
        assert answers(path, cache, address) == answers(path, None, address)


def settle() -> None:
    time.sleep(0.06)  # until the stamp of a file just written tells of every later change


def store_of(count: int) -> str:
    """A store of many accounts in one style."""
    blocks = (
        f'\n# {number}\n[accounts."user{number:04}@d{number % 7}.example"]\npop = {"true" if number % 3 else "false"}\n'
        for number in range(count)
    )
    head = 'version = 1\n[server]\nedition = "pro"\nlan = ["10.0.0.0/8"]\n[defaults]\nimap = true\n'
    return head + "".join(blocks)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A cache for stores of every size."""
    return Cache(str(tmp_path / "cache"), smallest=0)


@pytest.fixture
def indexed(tmp_path: Path, cache: Cache) -> Path:
    """A store that has an index."""
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(300))
    settle()
    assert Store.look_up(str(path), ["user0001@d1.example"], cache).cut is None
    assert Store.look_up(str(path), ["user0001@d1.example"], cache).cut is not None
    return path


SOME = (
    "user0000@d0.example",
    "user0001@d1.example",
    "user0299@d5.example",
    "user0150@d3.example",
    "user0150@d4.example",
)


def index_file(cache: Cache) -> Path:
    (found,) = Path(cache.folder).glob("*.index")
    return found


# What is looked up


def test_a_look_up_reads_the_head_and_one_account(indexed: Path, cache: Cache) -> None:
    store = Store.look_up(str(indexed), ["user0007@d0.example"], cache)
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
        store = Store.look_up(str(indexed), [wrong], cache)
        assert store.cut is not None
        right = nearest_address(wrong, known)
        assert list(store.policy().accounts) == ([right] if right else [])


def test_the_nearest_of_very_many(tmp_path: Path, cache: Cache) -> None:
    """The names around a mistyped one are the same in memory and in the index."""
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(2500))
    settle()
    known = Store.look_up(str(path), [], cache).policy().accounts
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
        store = Store.look_up(str(path), [wrong], cache)
        assert store.cut is not None
        assert nearest_address(wrong, store.policy().accounts) == nearest_address(wrong, known)


def test_a_small_store_has_no_index(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(100))
    settle()
    cache = Cache(str(tmp_path / "cache"))
    assert Store.look_up(str(path), ["user0001@d1.example"], cache).cut is None
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
        assert Store.look_up(str(path), ["ann@x.example"], cache).cut is None
    assert "ann@x.example" in Store.look_up(str(path), ["ann@x.example"], cache).policy().accounts
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
    Store.look_up(str(path), [], cache)
    for address in ("ann@x.example", "bob@x.example", "cat@xn--fa-hia.example"):
        store = Store.look_up(str(path), [address], cache)
        assert store.cut is not None
        assert list(store.policy().accounts) == [address]
    same_answers(path, cache, ("ann@x.example", "bob@x.example", "cat@xn--fa-hia.example", "cat@fass.example"))


# What is edited


def verb(name: services.Verb, service: Service, *addresses: str) -> Planner:
    return lambda policy: services.switch(policy, service, name, Targets(addresses))


@st.composite
def edits(draw: st.DrawFn) -> tuple[tuple[str, ...], Planner]:
    """An edit of a few accounts, and their addresses."""
    several = st.lists(st.sampled_from(ASKED), min_size=1, max_size=3, unique=True)
    chosen = tuple(draw(st.one_of(several, several.filter(lambda some: "eve@x.example" not in some))))
    switch = draw(st.sampled_from([Service.POP, Service.IMAP, Service.MULTIPOP, Service.CONNECTOR]))
    lan = [services.Verb.LAN_ONLY, services.Verb.ANYWHERE] if switch in (Service.POP, Service.IMAP) else []
    kind = draw(st.sampled_from(["switch", "switch", "suspend", "resume", "login", "no login", "template"]))
    if kind == "switch":
        name = draw(st.sampled_from([services.Verb.ON, services.Verb.OFF, services.Verb.INHERIT, *lan]))
        return chosen, verb(name, switch, *chosen)
    if kind == "suspend":
        return chosen, lambda policy: accounts.suspend(policy, Targets(chosen))
    if kind == "resume":
        return chosen, lambda policy: accounts.resume(policy, Targets(chosen))
    if kind == "login":
        login = draw(st.sampled_from(["ann", "größe", 'a"b', "'''"]))
        return chosen[:1], lambda policy: server.set_login(policy, chosen[0], login)
    if kind == "no login":
        return chosen[:1], lambda policy: server.clear_login(policy, chosen[0])
    return chosen, lambda policy: templates.assign(policy, draw_name, Targets(chosen))


draw_name = None  # no store here has a template, so that assigning one is refused and taking it away is ok


def outcome(path: Path, about: tuple[str, ...], planner: Planner, cache: Cache | None, dry_run: bool) -> object:
    """What an edit came to, and the file afterwards."""
    try:
        done = kept(Store.to_edit(str(path), about, cache), planner, dry_run=dry_run)
        told: object = (done.plan.lines, done.plan.changes, done.plan.notes, done.access, done.diff)
    except MailpolicyError as error:
        told = (error.message, error.code, error.fix)
    return told, path.read_bytes()


@QUIET
@given(text=store_text(), made=st.lists(st.tuples(edits(), st.booleans()), min_size=1, max_size=4))
def test_an_indexed_edit_is_byte_for_byte_the_other(
    tmp_path: Path, text: str, made: list[tuple[tuple[tuple[str, ...], Planner], bool]]
) -> None:
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    cache = Cache(str(tmp_path / "cache"), smallest=0, clock=lambda: caches.stamping_clock() + 10**9)
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
        store = Store.to_edit(str(indexed), [address], cache)
        assert store.cut is not None
        kept(store, verb(services.Verb(name), Service.IMAP, address))
        for asked in (address, *SOME):
            assert Store.look_up(str(indexed), [asked], cache).cut is not None
        same_answers(indexed, cache, (address, *SOME))
    about = sqlite3.connect(index_file(cache)).execute("SELECT content FROM about").fetchone()[0].decode()
    assert len(about.split("\n")[4].split()) == 9


def test_an_edit_whose_lines_are_no_whole_table_is_proved_whole(indexed: Path, cache: Cache) -> None:
    """Where a multi-line string may begin, a line means nothing: the index is not carried forward."""
    store = Store.to_edit(str(indexed), SOME[:1], cache)
    assert store.cut is not None
    kept(store, lambda policy: server.set_login(policy, SOME[0], "x'''"))
    assert Store.look_up(str(indexed), [SOME[1]], cache).cut is None
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
    assert partial.proved(store, wanted, {piece: [Splice(piece.start, piece.end, new)]}) is whole


def test_without_an_index_the_edit_makes_one(tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(300))
    kept(Store.to_edit(str(path), SOME[:1], cache), verb(services.Verb.ON, Service.POP, SOME[0]))
    assert Store.look_up(str(path), SOME[:1], cache).cut is not None
    kept(Store.to_edit(str(path), (), cache), lambda policy: server.set_key(policy, "multipop", True))
    assert Store.look_up(str(path), SOME[:1], cache).cut is not None
    kept(Store.to_edit(str(path), (), cache), lambda policy: accounts.add(policy, ["new@d1.example"], {}))
    assert Store.look_up(str(path), ["new@d1.example"], cache).cut is not None
    same_answers(path, cache, ("new@d1.example", *SOME))


def test_an_index_with_very_many_moves_is_made_anew(
    indexed: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_MOST_MOVES", 3)
    for number in range(5):
        address = f"user{number:04}@d{number % 7}.example"
        kept(Store.to_edit(str(indexed), [address], cache), verb(services.Verb.ON, Service.IMAP, address))
        assert Store.look_up(str(indexed), [address], cache).cut is not None
    same_answers(indexed, cache, SOME)


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
    assert splices.splices(text, operations) == splices._made(whole, operations)


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
        patched.setattr(stores, "_MANY", 1)
        document = Document("f", text.encode())
        assert store.lines(paths) == document.lines(paths)
        one_by_one = Store("f", text.encode()).line_of_any()
        assert {path: one_by_one(path) for path in paths} == {path: document.line(path) for path in paths}


# What goes wrong


def test_an_index_keeps_the_judgement_of_the_code_that_made_it(
    indexed: Path, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer mailpolicy, or an older one, may find an error where this one found none."""
    assert Store.look_up(str(indexed), SOME[:1], cache).cut is not None
    package = Path(mailpolicy.__file__).parent
    code = tmp_path / "code"
    for name in reader._JUDGES:
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(package / f"{name}.py", code / f"{name}.py")
    monkeypatch.setattr(mailpolicy, "__file__", str(code / "__init__.py"))
    reader._judges.cache_clear()
    assert Store.look_up(str(indexed), SOME[:1], cache).cut is not None  # the same files
    os.utime(code / "store" / "tables.py")
    reader._judges.cache_clear()
    assert Store.look_up(str(indexed), SOME[:1], cache).cut is None
    assert Store.look_up(str(indexed), SOME[:1], cache).cut is not None  # made anew
    monkeypatch.undo()
    reader._judges.cache_clear()


def test_no_other_writer_waits_for_an_index(indexed: Path, cache: Cache) -> None:
    outcome = transact(Store.to_edit(str(indexed), SOME[:1], cache), verb(services.Verb.ON, Service.IMAP, SOME[0]))
    with locked(str(indexed), 0):
        outcome.keep_index()
    assert Store.look_up(str(indexed), SOME[:1], cache).cut is not None
    late = transact(Store.to_edit(str(indexed), SOME[:1], cache), verb(services.Verb.OFF, Service.IMAP, SOME[0]))
    kept(Store.to_edit(str(indexed), SOME[:1], cache), verb(services.Verb.ON, Service.POP, SOME[0]))
    late.keep_index()  # of what is no more
    same_answers(indexed, cache, SOME)


def rounded(step: int) -> Callable[[int], os.stat_result]:
    """A file system that keeps times in steps of so many ns."""

    def stat(descriptor: int) -> os.stat_result:
        facts = os.fstat(descriptor)
        times = {name: getattr(facts, name) // step * step for name in ("st_mtime_ns", "st_ctime_ns")}
        return os.stat_result(tuple(facts), {"st_atime_ns": 0, **times})

    return stat


def quick_changes(path: Path, cache: Cache, count: int) -> Iterator[bool]:
    """Changes in place that keep the size, each at once after a look; whether the answer is right.

    What is looked up is read from the store in any case; but an error elsewhere must be seen too.
    """
    for number in range(count):
        key = "popp" if number % 2 else "pop "
        text = f'version = 1\n[accounts."ann@x.example"]\npop = true\n[accounts."bob@x.example"]\n{key}= true\n'
        with open(path, "r+b" if path.exists() else "wb") as file:
            file.write(text.encode())
        yield answers(path, cache, "ann@x.example") == answers(path, None, "ann@x.example")


@pytest.mark.parametrize("step", [1, 4_000_000, 1_000_000_000])
def test_two_changes_in_one_tick(step: int, tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"), smallest=0, stat=rounded(step))
    assert all(quick_changes(tmp_path / "accounts.toml", cache, 60))


def test_two_changes_in_one_tick_need_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above would see it: without the rule there are wrong answers (with ticks of 4 ms only now and then)."""
    monkeypatch.setattr(Cache, "settled", lambda *_: True)
    cache = Cache(str(tmp_path / "cache"), smallest=0, stat=rounded(1_000_000_000))
    assert not all(quick_changes(tmp_path / "accounts.toml", cache, 200))


class SlowWrite:
    """A write(2) that is half done: the file has the time of its beginning, and gets no other one at its end."""

    def __init__(self, path: Path, content: bytes, done: int) -> None:
        self._file = open(path, "r+b", buffering=0)  # noqa: SIM115
        self._content, self._done = content, done
        self._file.write(content[:done])
        settle()

    def finish(self) -> None:
        self._file.write(self._content[self._done :])
        self._file.close()


@pytest.fixture
def shown_at_the_beginning(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], os.stat_result]:
    """A stat by which what is written later shows no other time."""

    def stat(descriptor: int) -> os.stat_result:
        return os.stat_result(tuple(os.fstat(descriptor)), {f"st_{kind}time_ns": 1001 for kind in "amc"})

    return stat


def half_written(path: Path, cache: Cache, look: Callable[[Path, Cache], None]) -> list[bool]:
    """Whether every answer is right after a look in the middle of a write, whose rest closes what was open."""
    text = store_of(300).encode()
    path.write_bytes(text)
    settle()
    wrong = b"popp= true".join(text.rsplit(b"pop = true", 1))  # an error near the end: nothing is decided
    slow = SlowWrite(path, wrong, len(text) // 2)
    look(path, cache)
    slow.finish()
    settle()
    asked = ("user0001@d1.example", "user0149@d2.example", "user0298@d4.example")
    return [answers(path, cache, address) == answers(path, None, address) for address in asked]


def looked_up(path: Path, cache: Cache) -> None:
    Store.look_up(str(path), ["user0001@d1.example"], cache)


def read_whole_and_kept(path: Path, cache: Cache) -> None:
    store = Store.read(str(path), cache)
    store.policy()
    store.keep_index()


def confirmed_after_an_edit(path: Path, cache: Cache) -> None:
    """As if the edit had just put there what stands there now."""
    content = path.read_bytes()
    stamp = writer.confirmed(cache, str(path), content)
    assert stamp is None
    Store(str(path), content).replaced(content, None)


@pytest.mark.parametrize("look", [looked_up, read_whole_and_kept, confirmed_after_an_edit])
def test_a_store_that_is_being_written_is_not_indexed(
    look: Callable[[Path, Cache], None],
    tmp_path: Path,
    shown_at_the_beginning: Callable[[int], os.stat_result],
) -> None:
    notes: list[str] = []
    cache = Cache(str(tmp_path / "cache"), notes.append, shown_at_the_beginning, smallest=0)
    assert all(half_written(tmp_path / "accounts.toml", cache, look))
    assert "somebody may be writing the store" in notes[0]
    assert not list(Path(cache.folder).glob("*.index"))
    (tmp_path / "accounts.toml").write_text(store_of(300))
    settle()
    look_up = Store.look_up(str(tmp_path / "accounts.toml"), SOME[:1], cache)
    assert look_up.cut is None
    assert list(Path(cache.folder).glob("*.index"))  # it is at rest now


@pytest.mark.parametrize("look", [looked_up, read_whole_and_kept])
def test_a_store_that_is_being_written_needs_the_rule(
    look: Callable[[Path, Cache], None],
    tmp_path: Path,
    shown_at_the_beginning: Callable[[int], os.stat_result],
) -> None:
    """The test above would see it."""
    cache = Cache(str(tmp_path / "cache"), stat=shown_at_the_beginning, smallest=0, unwritten=lambda _: True)
    assert not all(half_written(tmp_path / "accounts.toml", cache, look))


def test_whether_nobody_writes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    with path.open("rb") as reader, path.open("rb"):
        assert caches.nobody_writes(reader.fileno())
        with path.open("r+b"):
            assert not caches.nobody_writes(reader.fileno())
        assert caches.nobody_writes(reader.fileno())
        with path.open("r+b") as writer:
            mapping = mmap.mmap(writer.fileno(), 1)
        assert not caches.nobody_writes(reader.fileno())
        mapping.close()
        assert caches.nobody_writes(reader.fileno())
    with path.open("r+b") as writer:  # none was kept, so that nobody is kept waiting
        assert not caches.nobody_writes(writer.fileno())


def test_a_clock_that_goes_back(indexed: Path, cache: Cache) -> None:
    notes: list[str] = []
    early = cache._replace(clock=lambda: caches.stamping_clock() - 3600 * 10**9, note=notes.append)
    assert Store.look_up(str(indexed), SOME[:1], early).cut is None
    assert "the clock has gone back" in notes[0]
    same_answers(indexed, early, SOME)


def meddling(moment: int, change: Callable[[], None]) -> Callable[[int], os.stat_result]:
    """A stat after whose so many-th call somebody changes the store."""
    calls = iter(range(1, 100))

    def stat(descriptor: int) -> os.stat_result:
        facts = os.fstat(descriptor)
        if next(calls) == moment:
            change()
        return facts

    return stat


def test_a_store_replaced_or_changed_while_it_is_looked_up(indexed: Path, cache: Cache, tmp_path: Path) -> None:
    address = "user0001@d1.example"
    old = indexed.read_text()
    new = old.replace('"user0001@d1.example"]\npop = true', '"user0001@d1.example"]\nimap=false')
    assert len(new) == len(old) != 0
    assert new != old

    def change_in_place() -> None:
        with open(indexed, "r+") as file:
            file.write(new)

    def replace() -> None:
        (tmp_path / "other").write_text(new)
        os.replace(tmp_path / "other", indexed)

    for change in (change_in_place, replace):
        for moment in range(1, 4):
            indexed.write_text(old)
            settle()
            Store.look_up(str(indexed), [], cache)
            before = answers(indexed, None, address)
            seen = answers(indexed, cache._replace(stat=meddling(moment, change)), address)
            after = answers(indexed, None, address)
            assert seen == after or (seen == before and (change is replace or moment > 1))
            same_answers(indexed, cache, SOME)


@QUIET
@given(data=st.data())
def test_a_damaged_index_gives_no_answer(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path, cache, whole = damaged_ground(tmp_path_factory)
    content = bytearray(whole)
    kind = data.draw(st.sampled_from(["flip", "flips", "cut", "zeros", "other"]))
    if kind in ("flip", "flips"):
        for _ in range(1 if kind == "flip" else 20):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    elif kind == "zeros":
        start = data.draw(st.integers(0, len(content) // 4096 - 1)) * 4096
        content[start : start + 4096] = bytes(4096)
    else:
        content = bytearray(data.draw(st.binary(max_size=200)))
    index_file(cache).write_bytes(content)
    for address in SOME[:1] + SOME[-1:]:
        found = answers(path, cache, address)
        assert found == answers(path, None, address)


_GROUND: list[tuple[Path, Cache, bytes]] = []


def damaged_ground(factory: pytest.TempPathFactory) -> tuple[Path, Cache, bytes]:
    """One indexed store for all examples."""
    if not _GROUND:
        folder = factory.mktemp("ground")
        path, cache = folder / "accounts.toml", Cache(str(folder / "cache"), smallest=0)
        path.write_text(store_of(300))
        settle()
        Store.look_up(str(path), [], cache)
        _GROUND.append((path, cache, index_file(cache).read_bytes()))
    return _GROUND[0]


def sealed_again(file: Path, change: Callable[[str], str]) -> None:
    """Another content of the index, with a seal that fits."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")
        for first, beyond, content in connection.execute("SELECT first, beyond, content FROM block").fetchall():
            new = change(content.decode()).encode()
            connection.execute(
                "UPDATE block SET content = ?, seal = ? WHERE first = ?", (new, reader.seal(first, beyond, new), first)
            )
    connection.close()


@pytest.mark.parametrize("shift", [(1, 0), (-1, 0), (0, 1), (0, -1), (0, -12), (33, 33), (-33, 0), (0, 100), (0, -33)])
def test_a_wrong_index_gives_no_answer(shift: tuple[int, int], indexed: Path, cache: Cache) -> None:
    """Sealed, and yet not true: the lines are not where it says, or not all of them."""

    def moved(content: str) -> str:
        rows = [line.split() for line in content.split("\n")[1:-1]]
        return "\n" + "".join(f"{a} {int(s) + shift[0]} {int(e) + shift[1]} {n}\n" for a, s, e, n in rows)

    file, good = index_file(cache), index_file(cache).read_bytes()
    for address in SOME[:-1]:
        file.write_bytes(good)
        sealed_again(file, moved)
        assert Store.look_up(str(indexed), [address], cache).cut is None
        assert file.read_bytes() != good  # made anew, by whoever had to parse the store
        assert Store.look_up(str(indexed), [address], cache).cut is not None
        file.write_bytes(good)
        sealed_again(file, moved)
        same_answers(indexed, cache, (address,))


def test_an_index_of_another_head_gives_no_answer(indexed: Path, cache: Cache) -> None:
    with sqlite3.connect(index_file(cache)) as connection:
        lines = connection.execute("SELECT content FROM about").fetchone()[0].decode().split("\n")
        start, end, line = lines[3].split(",")
        lines[3] = f"{start},{int(end) - len('imap = true') - 6},{line}"
        content = "\n".join(lines).encode()
        connection.execute("UPDATE about SET content = ?, seal = ?", (content, crc32(content)))
    connection.close()
    assert Store.look_up(str(indexed), SOME[:1], cache).cut is None
    same_answers(indexed, cache, SOME)


def test_a_planted_journal_is_not_played_back(indexed: Path, cache: Cache, tmp_path: Path) -> None:
    """A hot journal that SQLite itself wrote, beside a database that needs none."""
    file = index_file(cache)
    copy = tmp_path / "copy"
    shutil.copy(file, copy)
    with sqlite3.connect(copy, isolation_level=None) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("DELETE FROM block WHERE first > ''")
        connection.execute("UPDATE about SET content = zeroblob(3000000)")
        journal = Path(f"{copy}-journal").read_bytes()
    connection.close()
    assert len(journal) > 512
    for name in ("-journal", "-wal", "-shm"):
        Path(f"{file}{name}").write_bytes(journal)
    assert Store.look_up(str(indexed), SOME[:1], cache).cut is not None
    same_answers(indexed, cache, SOME)
    assert Path(f"{file}-journal").read_bytes() == journal


def test_what_others_can_write_is_not_used(indexed: Path, cache: Cache, tmp_path: Path) -> None:
    file, folder = index_file(cache), Path(cache.folder)
    notes: list[str] = []
    cache = cache._replace(note=notes.append)

    def used() -> bool:
        notes.clear()
        same_answers(indexed, cache, SOME[:1])
        return Store.look_up(str(indexed), SOME[:1], cache._replace(clock=lambda: 0)).cut is not None or not notes

    content = file.read_bytes()
    for path, mode in ((file, 0o666), (folder, 0o777), (folder, 0o770)):
        path.chmod(mode)
        assert not used()
        folder.chmod(0o700)
        file.write_bytes(content)
        file.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(file, 65534, 0)
        assert not used()
        file.unlink()
        file.write_bytes(content)
        os.chown(folder, 65534, 0)
        assert not used()
        os.chown(folder, 0, 0)
    real = tmp_path / "elsewhere"
    folder.rename(real)
    folder.symlink_to(real)
    assert not used()
    folder.unlink()
    folder.mkdir(0o700)
    file.symlink_to(real / file.name)
    same_answers(indexed, cache, SOME[:1])
    assert not file.is_symlink()  # replaced by one of our own
    assert Store.look_up(str(indexed), SOME[:1], cache).cut is not None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_cache_that_cannot_be_written(
    number: int, tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(50))
    settle()
    notes: list[str] = []

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", fail)
        same_answers(path, cache._replace(note=notes.append), SOME[:2])
    assert notes
    assert list(Path(cache.folder).iterdir()) == []
    with monkeypatch.context() as patched:
        patched.setattr(os, "mkdir", fail)
        same_answers(path, Cache(str(tmp_path / "a" / "b"), smallest=0), SOME[:2])
    (tmp_path / "file").write_text("")
    same_answers(path, Cache(str(tmp_path / "file"), smallest=0), SOME[:2])
    same_answers(path, Cache(str(tmp_path / "a\0b"), smallest=0), SOME[:2])


def test_a_full_disk(tmp_path: Path) -> None:
    """A real file system of four pages, in a mount namespace of its own."""
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(3000))
    folder = tmp_path / "small"
    folder.mkdir(0o700)
    script = (
        "import sys; from mailpolicy.store.index.cache import Cache; from mailpolicy.store.store import Store\n"
        "notes = []; store = Store.look_up(sys.argv[1], [], Cache(sys.argv[2], notes.append, smallest=0))\n"
        "print(len(store.policy().accounts), len(notes), store.cut)"
    )
    command = f'mount -t tmpfs -o size=16k,mode=0700 none {folder} && exec {sys.executable} -c "$0" {path} {folder}'
    done = subprocess.run(
        [mount_namespace(), "-m", "sh", "-c", command, script], capture_output=True, text=True, check=False
    )
    if "mount:" in done.stderr:
        missing("this kernel lets nobody mount")
    assert done.stdout == "3000 1 None\n", done.stderr


def test_what_is_no_more_is_cleared_away(indexed: Path, cache: Cache) -> None:
    old, abandoned, fresh = (Path(cache.folder) / name for name in ("0.index", ".new-0", ".new-1"))
    for file in (old, abandoned, fresh):
        file.write_text("")
    month_ago = time.time() - 31 * 24 * 3600
    os.utime(old, (month_ago, month_ago))
    os.utime(abandoned, (month_ago, month_ago))
    kept(Store.to_edit(str(indexed), SOME[:1], cache), verb(services.Verb.ON, Service.IMAP, SOME[0]))
    left = {file.name for file in Path(cache.folder).iterdir()}
    assert left - {fresh.name} == {name for name in left if name.endswith(".index")} - {"0.index"}
    assert fresh.exists()


def test_no_login_is_in_the_index(tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(20) + 'smart_host_login = "geheim"\n')
    settle()
    Store.look_up(str(path), [], cache)
    assert b"geheim" not in index_file(cache).read_bytes()
    assert index_file(cache).stat().st_mode & 0o777 == 0o600
    assert Path(cache.folder).stat().st_mode & 0o777 == 0o700


# The program


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The program's own cache, elsewhere."""
    folder = tmp_path / "cached"
    monkeypatch.setattr(context, "_cache_folder", lambda *_, **__: str(folder))
    monkeypatch.delenv("MAILPOLICY_NO_CACHE")
    return folder


def test_accounts_that_an_alternative_lets_in_are_counted_in_the_whole_store(
    run: Run, tmp_path: Path, cached: Path
) -> None:
    (tmp_path / "accounts.toml").write_text(
        store_of(3000).replace("[defaults]\n", "[defaults]\npop_lan_only = true\n", 1)
    )
    settle()
    for _ in range(2):
        denied = run("--file", "accounts.toml", "check", "user0001@d1.example", "pop", "192.168.1.2")
        assert denied.out.endswith("  # lets in 2000 accounts\n")
    assert list(cached.glob("*.index"))


def test_the_program_keeps_an_index(run: Run, tmp_path: Path, cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "accounts.toml"
    store.write_text(store_of(3000))
    settle()
    question = ("--file", "accounts.toml", "check", "user2999@d3.example", "multipop")
    assert run(*question, "--no-cache").status == 1
    monkeypatch.setenv("MAILPOLICY_NO_CACHE", "1")
    assert run(*question).status == 1
    monkeypatch.delenv("MAILPOLICY_NO_CACHE")
    assert not cached.exists()
    first, second = run(*question, "--verbose"), run(*question, "--verbose")
    assert (first.status, first.out, first.err) == (second.status, second.out, second.err)
    assert second.err == ""
    assert len(list(cached.glob("*.index"))) == 1
    for command in (
        ("account", "show", "user0001@d1.example"),
        ("account", "show", "user001@d1.example"),
        ("check", "user0001@d1.example", "pop", "10.0.0.1", "--json"),
        ("check", "user001@d1.example", "pop", "10.0.0.1"),
        ("smart-host", "show", "user0001@d1.example"),
        ("smart-host", "show", "--server"),
        ("lan", "list", "--json"),
        ("server", "show"),
        ("multipop", "source", "list", "user0001@d1.example"),
        ("multipop", "source", "list", "user001@d1.example"),
        ("multipop", "source", "print-password", "user0001@d1.example", "isp"),
        (
            "multipop",
            "source",
            "add",
            "user0001@d1.example",
            "isp",
            "--host",
            "pop.x.example",
            "--login",
            "u",
            "--dry-run",
        ),
        ("who", "pop", "--from", "203.0.113.9"),
        ("pop", "on", "user0000@d0.example", "--dry-run"),
        ("pop", "off", "user0001@d1.example", "user9999@d1.example", "--dry-run"),
        ("imap", "off", "user0001@d1.example", "--dry-run", "--json"),
        ("account", "suspend", "user001@d1.example"),
    ):
        assert run("--file", "accounts.toml", *command) == run("--file", "accounts.toml", *command, "--no-cache"), (
            command
        )
    (place,) = cached.glob("*.index")
    place.write_bytes(b"nonsense")
    quietly, loudly = run(*question), run(*question, "--verbose")
    assert quietly == first
    place.write_bytes(b"nonsense")
    loudly = run(*question, "--verbose")
    assert loudly.out == first.out
    assert "is not used: it is damaged" in loudly.err


def test_an_installed_store_is_not_looked_up_by_the_old_index(run: Run, tmp_path: Path, cached: Path) -> None:
    """Every place of the old index is right in the new store, only the lines are other ones."""
    store, new = tmp_path / "accounts.toml", tmp_path / "new.toml"
    old = store_of(3000)
    store.write_text(old)
    settle()
    question = ("--file", "accounts.toml", "check", "user2997@d1.example", "pop", "10.0.0.1", "--json")
    before = [run(*question) for _ in range(2)]
    assert len(list(cached.glob("*.index"))) == 1
    new.write_text(old.replace("# 2\n", "\n\n\n\n"))
    assert run("--file", "accounts.toml", "install", "new.toml").status == 0
    after = [run(*question) for _ in range(2)]
    plainly = run(*question, "--no-cache")
    assert after == [plainly, plainly]
    lines = [json.loads(answer.out)["reasons"][0]["line"] for answer in (*before, *after)]
    assert lines == [lines[0], lines[0], lines[0] + 3, lines[0] + 3]


def test_where_indexes_are_kept() -> None:
    folder = context._cache_folder
    home = {"HOME": "/home/ann"}
    assert folder(home, is_root=False) == "/home/ann/.cache/mailpolicy"
    assert folder({**home, "XDG_CACHE_HOME": "/c"}, is_root=False) == "/c/mailpolicy"
    assert folder({**home, "XDG_CACHE_HOME": "c"}, is_root=False) == "/home/ann/.cache/mailpolicy"
    assert folder({}, is_root=False) is None
    assert folder({**home, "XDG_CACHE_HOME": "/c"}, is_root=True) == "/var/cache/mailpolicy"


def test_several_build_it_at_once(tmp_path: Path, cache: Cache) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(store_of(3000))
    settle()
    script = (
        "import sys; from mailpolicy.store.index.cache import Cache; from mailpolicy.store.store import Store\n"
        "store = Store.look_up(sys.argv[1], [sys.argv[3]], Cache(sys.argv[2], smallest=0))\n"
        "print(store.policy().accounts[sys.argv[3]].own)"
    )

    def ask(number: int) -> str:
        command = [sys.executable, "-c", script, str(path), cache.folder, f"user{number:04}@d{number % 7}.example"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(ask, range(12)))
    assert found == [f"{{'pop': {bool(number % 3)}}}\n" for number in range(12)]
    assert Store.look_up(str(path), SOME[:1], cache).cut is not None
    assert [file.suffix for file in Path(cache.folder).iterdir()] == [".index"]


# Everything mixed


class Mixed(RuleBasedStateMachine):
    """Hand edits, toggles, renames of the file and checks, in any order: an index never changes an answer."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = Path(tempfile.mkdtemp(prefix="mailpolicy-mixed-"))
        # A clock a little ahead settles files at once, so that indexes are made; the rule has tests of its own.
        self.cache = Cache(str(self.folder / "cache"), smallest=0, clock=lambda: caches.stamping_clock() + 10**9)
        self.path = self.folder / "accounts.toml"
        self.other = self.folder / "other.toml"
        self.path.write_text("version = 1\n")
        self.used = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(text=store_text())
    def write(self, text: str) -> None:
        (self.folder / "new").write_bytes(text.encode())
        os.replace(self.folder / "new", self.path)

    @rule(data=st.data())
    def edit_by_hand(self, data: st.DataObject) -> None:
        lines = self.path.read_bytes().split(b"\n")
        number = data.draw(st.integers(0, len(lines) - 1))
        new = data.draw(st.sampled_from(["turn", "double", "remove", "comment", "break", "key"]))
        line = lines[number]
        lines[number : number + 1] = {
            "turn": [line.replace(b"true", b"fals\0").replace(b"false", b"true").replace(b"fals\0", b"false")],
            "double": [line, line],
            "remove": [],
            "comment": [b"# [" + line, line],
            "break": [line + b" ="],
            "key": [line, b"imap = false"],
        }[new]
        with open(self.path, "r+b") as file:  # in place, as some editors do
            file.write(b"\n".join(lines))
            file.truncate()

    @rule(chosen=edits())
    def toggle(self, chosen: tuple[tuple[str, ...], Planner]) -> None:
        about, planner = chosen
        before = self.path.read_bytes()
        plainly = outcome(self.path, about, planner, None, False)
        (self.folder / "new").write_bytes(before)
        os.replace(self.folder / "new", self.path)
        assert outcome(self.path, about, planner, self.cache, False) == plainly

    @rule()
    def exchange(self) -> None:
        if self.other.exists():
            os.replace(self.other, self.folder / "third")
            os.replace(self.path, self.other)
            os.replace(self.folder / "third", self.path)
        else:
            shutil.copy(self.path, self.other)

    @precondition(lambda self: self.other.exists())
    @rule()
    def link(self) -> None:
        os.replace(self.other, self.path)

    @rule(address=st.sampled_from(ASKED))
    def check(self, address: str) -> None:
        same_answers(self.path, self.cache, (address,))

    @invariant()
    def nothing_is_left_over(self) -> None:
        assert not list(self.folder.glob("cache/.new-*"))


TestMixed = Mixed.TestCase
TestMixed.settings = settings(
    deadline=None,
    max_examples=int(os.environ.get("MAILPOLICY_EXAMPLES", "25")),
    stateful_step_count=20,
    suppress_health_check=list(HealthCheck),
)


def test_an_outline_is_the_whole_text() -> None:
    text = store_of(5)
    found = outline.outline(text)
    assert found is not None
    partial = sorted((*found.head, *found.accounts), key=lambda piece: piece.start)
    assert "".join(text[piece.start : piece.end] for piece in partial) == text
    assert [text.count("\n", 0, piece.start) + 1 for piece in partial] == [piece.line for piece in partial]
