"""Edits never corrupt: sequences of every command that edits the store, on stores in every style that TOML allows."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tomli
from hypothesis import HealthCheck, Phase, assume, given, note, seed, settings
from hypothesis import strategies as st

from mailpolicy.cli import main
from tests.helpers import now
from tests.real.proof.edits.changes import normal, verify_text
from tests.real.proof.edits.documents import Choices, document
from tests.real.proof.edits.drawn import draw
from tests.real.proof.edits.memory_keyring import Memory
from tests.real.proof.edits.model import Edit
from tests.real.proof.edits.owners import Path as KeyPath
from tests.real.proof.promises import Promise, Tried, scaled

pytestmark = pytest.mark.real

SHARDS = scaled(28, 4)
SEQUENCES = scaled(1800, 60)  # in each
HAND, REFUSED = "edit it by hand", 5


class Site(NamedTuple):
    """A store in memory, and the options of a run there."""

    folder: Path
    counts: dict[str, int]

    @property
    def store(self) -> Path:
        return self.folder / "accounts.toml"

    def run(self, command: tuple[str, ...], *, journal: bool) -> tuple[int, str]:
        places = {"PLAN": str(self.folder / "plan.ndjson"), "PASSWORD": str(self.folder / "password")}
        host = self.folder / ("journal.toml" if journal else "host.toml")
        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = main(
                ["--file", str(self.store), "--host-config", str(host), *(places.get(word, word) for word in command)],
                now,
            )
        return status, err.getvalue()


@pytest.fixture
def site() -> Iterator[Site]:
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    backend = f'keyring_backend = "{Memory.__module__}.Memory"\n'
    (folder / "host.toml").write_text(backend)
    (folder / "journal.toml").write_text(f"journal = true\n{backend}")
    (folder / "password").write_text("secret")
    yield Site(folder, {"sequences": 0, "edits": 0, "refused": 0, "there and back": 0, "undone": 0})
    shutil.rmtree(folder)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_sequence_of_edits(shard: int, site: Site, tried: Tried) -> None:
    @seed(shard)
    @settings(
        max_examples=SEQUENCES,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(min_size=240, max_size=240), st.binary(min_size=100, max_size=100))
    def sequence(written: bytes, edited: bytes) -> None:
        _try(site, Choices(written), Choices(edited))

    sequence()
    counts = site.counts
    assert counts["refused"] * 8 < counts["edits"], f"too much is refused: {counts}"
    for what, number in counts.items():
        tried(Promise.EDITS, number, WHATS[what])


WHATS = {
    "sequences": "sequences of edits, on stores in every style",
    "edits": "edits that changed exactly what they were to change",
    "refused": "edits that were refused and changed nothing",
    "there and back": "edits that were reversed and gave the original bytes",
    "undone": "edits that were undone",
}


def _try(site: Site, written: Choices, edited: Choices) -> None:
    text, ordinary = document(written)
    try:
        tree = tomli.loads(text.removeprefix("\ufeff"))
    except tomli.TOMLDecodeError:
        assume(False)
    note(f"----- ordinary: {ordinary}\n{text}\n-----")
    site.store.write_bytes(text.encode())
    log = site.folder / "accounts.toml.log"
    log.unlink(missing_ok=True)
    Memory.kept.clear()
    journal = edited.one_in(3)
    pasts: list[tuple[list[dict[str, Any]], dict[KeyPath, KeyPath]]] = []
    site.counts["sequences"] += 1
    for _ in range(2 + edited.number(4)):
        if pasts and journal and edited.one_in(3):
            edit: Edit | None = Edit(("undo", "--yes"), *pasts.pop(), in_order=False)
            assert edit is not None
            if _carry_out(site, edit, tree, ordinary, journal) is not None:
                site.counts["undone"] += 1
            else:
                journal = False  # the next undo would be of the same entry
            tree = tomli.loads(site.store.read_bytes().decode("utf-8-sig"))
            continue
        edit = draw(edited, tree)
        if edit is None:
            continue
        before = site.store.read_bytes()
        new = _carry_out(site, edit, tree, ordinary, journal)
        if new is None:
            continue
        if edit.back is not None and new != tree and edited.one_in(2):
            status, err = site.run(edit.back, journal=journal)
            note(f"back: {edit.back}: {status} {err}")
            if HAND not in err or ordinary:
                assert status == 0, f"{edit.back}: {err}"
                assert site.store.read_bytes() == before, f"{edit.command}, then {edit.back}, gives other bytes"
                site.counts["there and back"] += 1
                pasts += [([tree], {}), ([new], {})]
                continue
        if new != tree:
            pasts.append(([tree], {name: old for old, name in edit.renamed.items()}))
        tree = new


def _carry_out(site: Site, edit: Edit, tree: dict[str, Any], ordinary: bool, journal: bool) -> dict[str, Any] | None:
    """Carry out an edit; return the new tree, or None if it was refused."""
    before = site.store.read_bytes()
    (site.folder / "plan.ndjson").write_text(edit.plan)
    status, err = site.run(edit.command, journal=journal)
    content = site.store.read_bytes()
    note(f"{edit.command} {edit.plan}: {status} {err}\n{content.decode()}\n-----")
    left = {path.name for path in site.folder.iterdir()} - KNOWN
    assert not left, f"{edit.command} leaves {left}"
    if status != 0:
        assert status == REFUSED, f"{edit.command}: {status} {err}"
        assert content == before, f"{edit.command} was refused and changed the file"
        by_hand = HAND in err
        assert by_hand or edit.may_be_refused or not edit.wanted, f"{edit.command}: {err}"
        assert not (by_hand and ordinary), f"{edit.command}: {err}"
        site.counts["refused"] += 1
        return None
    assert edit.wanted, f"{edit.command} is to be refused"
    new = tomli.loads(content.decode("utf-8-sig"))
    assert any(normal(new, edit.in_order) == normal(wanted, edit.in_order) for wanted in edit.wanted), (
        f"{edit.command}: {new} is not {edit.wanted}"
    )
    if new == tree and not edit.renamed:
        assert content == before, f"{edit.command} changes nothing and yet the file"
    verify_text(before.decode(), content.decode(), tree, new, edit.renamed, edit.replaced)
    site.counts["edits"] += 1
    return new


KNOWN = {
    *(
        "accounts.toml",
        "accounts.toml.lock",
        "accounts.toml.log",
        "accounts.toml.pending.lock",
        "host.toml",
        "journal.toml",
        "password",
        "plan.ndjson",
    ),
}
