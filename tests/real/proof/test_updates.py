"""No lost update, no torn read: editors of one store, some of them killed, beside readers that never wait."""

from __future__ import annotations

import json
import multiprocessing
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from mailpolicy.cli import context
from tests.real.proof import warm
from tests.real.proof.promises import Promise, Tried, scaled
from tests.real.proof.updates import processes
from tests.real.proof.updates.processes import PAIR, Place
from tests.sealing import options, sealed_file

pytestmark = pytest.mark.real

EDITORS, READERS = 8, 2
HEAD = """\
version = 1

[server]
edition = "pro"
multipop = true
outlook_connector_installed = true
lan = ["10.0.0.0/8"]
govern = ["smtp", "sieve"]

[server.smart_host]
host = "smtp.relay.example"
per_account_auth = true

[defaults]
smtp = true
sieve = true
"""
MANY = 2000  # accounts of a store that has an index


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(context, "_cache_folder", lambda *_, **__: str(tmp_path / "cache"))
    monkeypatch.delenv("MAILPOLICY_NO_CACHE")
    folder, told = tmp_path / "store", tmp_path / "told"
    folder.mkdir()
    told.mkdir()
    warm.preload()
    sealed_file(tmp_path)
    options(tmp_path)
    with (tmp_path / "host.toml").open("a") as host:
        host.write("journal = true\n")
    return Place(folder / "accounts.toml", tmp_path, told)


@pytest.mark.parametrize(
    ("seed", "others", "edits"),
    [*((seed, 0, scaled(90, 7)) for seed in range(scaled(3, 1))), (7, MANY, scaled(25, 3))],
)
def test_editors_beside_readers(seed: int, others: int, edits: int, place: Place, tried: Tried) -> None:
    pair = "".join(f'\n[accounts."{address}"]\npop = false\nimap = true\n' for address in PAIR)
    filler = "".join(f'\n[accounts."user{number}@many.example"]\npop = true\nimap = true\n' for number in range(others))
    place.store.write_text(HEAD + pair + filler)
    first = sha256(place.read()).hexdigest()
    jobs: dict[str, Callable[[], Counter[str]]] = {
        f"editor{number}": lambda number=number: processes.edit(place, number, edits, seed)  # type: ignore[misc]
        for number in range(EDITORS)
    }
    jobs["server"] = lambda: processes.edit_server(place, edits, seed)
    jobs["pair"] = lambda: processes.edit_pair(place, edits, seed)
    readers: dict[str, Callable[[], Counter[str]]] = {
        f"reader{number}": lambda number=number: processes.read(place, number, seed)  # type: ignore[misc]
        for number in range(READERS)
    }
    counts = _carried_out(place, jobs, readers)
    accounts = place.tree()["accounts"]
    assert all(f"user{number}@many.example" in accounts for number in range(others))
    status, told = processes.run(place, "last", ["account", "add", "last@pair.example"])
    assert status == 0, told
    left = {path.name for path in place.store.parent.iterdir()}
    assert left == {"accounts.toml", *(f"accounts.toml.{name}" for name in ("lock", "log", "pending.lock"))}, seed
    versions = {first, *_versions(place)}
    for number in range(READERS):
        seen = set(json.loads((place.told / f"reader{number}.digests").read_text()))
        assert seen <= versions, f"seed {seed}: what was read is no version that was ever written"
    tried(Promise.UPDATES, counts["acknowledged"], "acknowledged edits of parallel editors, all there afterwards")
    tried(Promise.UPDATES, counts["killed"], "edits killed beside others")
    tried(Promise.UPDATES, counts["reads"], "reads beside edits, each of one whole version")


def _versions(place: Place) -> Iterator[str]:
    for line in place.store.with_name("accounts.toml.log").read_text().splitlines():
        entry = json.loads(line)
        yield from (entry[key] for key in ("before", "after") if entry.get(key))


def _carried_out(
    place: Place, editors: dict[str, Callable[[], Counter[str]]], readers: dict[str, Callable[[], Counter[str]]]
) -> Counter[str]:
    """Run each in a process of its own, the readers until the last editor is done, and return what they counted."""
    forks = multiprocessing.get_context("fork")

    def reported(name: str, work: Callable[[], Counter[str]]) -> None:
        try:
            result = {"counts": work()}
        except BaseException:  # noqa: BLE001 - it is reported in the test's own process
            result = {"failed": traceback.format_exc()}  # type: ignore[dict-item]
        (place.told / f"{name}.json").write_text(json.dumps(result))

    started = {
        name: forks.Process(target=reported, args=(name, work), daemon=True)
        for name, work in {**editors, **readers}.items()
    }
    for process in started.values():
        process.start()
    for name in editors:
        started[name].join()
    (place.told / "done").touch()
    for name in readers:
        started[name].join()
    counts: Counter[str] = Counter()
    for name in started:
        result = json.loads((place.told / f"{name}.json").read_text())
        assert "failed" not in result, f"{name}: {result['failed']}"
        counts.update(result["counts"])
    return counts
