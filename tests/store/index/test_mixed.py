"""Check that an index never changes an answer, whatever is done to the store, in any order."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mailpolicy.edit.plan import Planner
from mailpolicy.store.index import cache as caches
from mailpolicy.store.index.cache import Cache
from tests.store.index.samples import ASKED, edits, outcome, same_answers
from tests.stores import store_text


class Mixed(RuleBasedStateMachine):
    """Hand edits, toggles, renames of the file and checks, in any order: an index never changes an answer."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = Path(tempfile.mkdtemp(prefix="mailpolicy-mixed-"))
        # A clock a little ahead settles files at once, so that indexes are made; the rule has tests of its own.
        self.cache = Cache(str(self.folder / "cache"), min_size=0, clock=lambda: caches.stamping_clock() + 10**9)
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
