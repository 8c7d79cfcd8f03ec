"""Stores with an index, edits of them, and everything that is said about an account."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from mailpolicy.edit import accounts, server, services, templates
from mailpolicy.edit.plan import Planner
from mailpolicy.edit.selection import Selection
from mailpolicy.edit.transaction import EditResult, transact
from mailpolicy.errors import MailpolicyError
from mailpolicy.policy.question import question
from mailpolicy.policy.service import Service
from mailpolicy.policy.verdict import judge
from mailpolicy.render import answer
from mailpolicy.store.index.cache import Cache
from mailpolicy.store.store import Store
from tests.helpers import never

KNOWN = ("ann@x.example", "bob@x.example", "cat@y.example", "dan@y.example")
ASKED = (*KNOWN, "eve@x.example")
QUIET = settings(
    max_examples=int(os.environ.get("MAILPOLICY_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def kept(store: Store, planner: Planner, *, dry_run: bool = False) -> EditResult:
    """An edit, and what the command does when it has told of it."""
    outcome = transact(store, planner, never, dry_run=dry_run)
    outcome.update_index()
    return outcome


def answers(path: Path, cache: Cache | None, address: str) -> list[object]:
    """Everything that is said about an account, lines and all; or why nothing is."""
    try:
        store = Store.read_for_lookup(str(path), [address], cache)
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


def verb(name: services.Verb, service: Service, *addresses: str) -> Planner:
    return lambda policy: services.switch(policy, service, name, Selection(addresses))


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
        return chosen, lambda policy: accounts.suspend(policy, Selection(chosen))
    if kind == "resume":
        return chosen, lambda policy: accounts.resume(policy, Selection(chosen))
    if kind == "login":
        login = draw(st.sampled_from(["ann", "größe", 'a"b', "'''"]))
        return chosen[:1], lambda policy: server.set_login(policy, chosen[0], login)
    if kind == "no login":
        return chosen[:1], lambda policy: server.clear_login(policy, chosen[0])
    return chosen, lambda policy: templates.assign(policy, draw_name, Selection(chosen))


draw_name = None  # no store here has a template, so that assigning one is refused and taking it away is ok


def outcome(path: Path, about: tuple[str, ...], planner: Planner, cache: Cache | None, dry_run: bool) -> object:
    """What an edit came to, and the file afterwards."""
    try:
        done = kept(Store.read_for_edit(str(path), about, cache), planner, dry_run=dry_run)
        told: object = (done.plan.results, done.plan.changes, done.plan.notes, done.access, done.diff)
    except MailpolicyError as error:
        told = (error.message, error.code, error.fix)
    return told, path.read_bytes()
