"""Keyrings that misbehave: they raise, hang, answer nonsense, print, fork and tamper, in every call of every command."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.real.desktop import private_bus
from tests.real.proof.leaks.fake_service import WAYS, FakeService
from tests.real.proof.leaks.forks import Forks, Ran, forking, quick_folder
from tests.real.proof.leaks.rows import ROWS, Row
from tests.real.proof.leaks.site import JSON, Site, environment, options
from tests.real.proof.promises import PROVE, Promise, Tried, scaled
from tests.unruly import ANSWERS, ASIDES, FAILURES, HANGS

UNRULY = "tests.unruly.Unruly"
FAILED = 6
# What these come to if the keyring fails: they report it as one of their findings, or for one of their files.
REPORTED = {
    "doctor": {1},
    "smart-host show": {0},
    "deploy": {5, 6},
    "deploy --check": {1, 5, 6},
    "deploy --diff": {0, 1, 5, 6},
}
IMPORTS = {
    "raises": "raise RuntimeError('the secret\\n\\x1b[31m')",
    "exits": "raise SystemExit(0)",
    "interrupts": "raise KeyboardInterrupt",
    "fails": "syntax error",
    "prints": "print('hello')\nfrom tests.backends import Json as Keyring",
    "empty": "",
}
NO_BACKENDS = (
    *(
        "builtins.dict",
        "os.path.join",
        "json",
        "nothing.here",
        "..",
        "x\x1b[31m\n.y",
        "tests.unruly.NoBackend",
    ),
    *("tests.unruly.Abstract", "tests.unruly.LOUD", "keyring.backend.KeyringBackend", "sys.exit"),
    *("keyring.backends.fail.Keyring", "tests.unruly"),
)


class Good(NamedTuple):
    """What a row comes to with a keyring that works: its calls, and what it leaves."""

    ran: Ran
    calls: frozenset[str]
    before: dict[str, bytes]
    after: dict[str, bytes]
    place: Path


class Keyrings:
    """Runs of the rows that touch a keyring."""

    def __init__(self, folder: Path, forks: Forks) -> None:
        self.folder = folder
        self.forks = forks
        self.site = Site(folder / "site", "quotes", JSON)
        self.count = 0
        self._touching: dict[Row, Good] = {}

    def touching(self) -> dict[Row, Good]:
        """Return the rows in which a keyring is asked for something, once each, with what they come to."""
        if not self._touching:
            goods = {row: self.good(row) for row in dict.fromkeys(ROWS) if may_touch(row)}
            self._touching = {row: good for row, good in goods.items() if good.calls and "Losing" not in row.line}
        return self._touching

    def start(self, row: Row, backend: str, unruly: str = "", *more: str, **others: str) -> tuple[int, Path]:
        """Begin a run of a row on a machine of its own with this keyring."""
        self.count += 1
        place = self.site.copy(self.folder / f"place{self.count}")
        config = place / "host.toml"
        config.write_text(config.read_text().replace(f'"{JSON}"', json.dumps(backend)), encoding="utf-8")
        texts = {name: secret.text for name, secret in self.site.secrets.items()}
        stdin = row.stdin.format(given_json=json.dumps(texts["given"]), **texts) if row.stdin else ""
        words = [word.replace(JSON, backend) for word in row.words]
        variables = environment(place)
        variables = {
            **variables,
            **others,
            "TEST_UNRULY": unruly,
            "PYTHONPATH": f"{self.folder}/imports:{variables['PYTHONPATH']}",
        }
        number = self.forks.start(
            [*options(place), *words, *more], place, variables, stdin=stdin.encode("utf-8", "surrogateescape")
        )
        return number, place

    def good(self, row: Row) -> Good:
        """Run a row with a keyring that works."""
        number, place = self.start(row, JSON)
        before = left(place)
        ran = self.forks.result(number)
        journal = place / "keyring.json.calls"
        calls = [json.loads(line)["call"] for line in journal.read_text().splitlines()] if journal.exists() else []
        return Good(ran, frozenset(calls), before, left(place), place)

    def judge(self, row: Row, good: Good, what: str, ran: Ran, place: Path, failed: bool) -> None:
        """The bar: the right exit status in one sentence, nothing secret, and a store that fits its secrets."""
        case = (row.line, what, ran)
        parts = {"stderr": ran.err}
        if not row.prints:
            parts["stdout"] = ran.out
        leaks = self.site.leaks(place, parts)
        assert not leaks, (leaks, case)
        assert b"Traceback" not in ran.err, case
        assert b"\x1b" not in ran.err + ran.out, case
        if failed:
            expected = REPORTED.get(row.line.replace(" --verbose", ""), REPORTED.get(row.command, {FAILED}))
            assert ran.status in expected, case
            if ran.status == FAILED:
                sentences = ran.err.count(b"mailpolicy: ") + ran.out.count(b'"mailpolicy.error/1"')
                assert sentences == 1 or (row.command == "deploy" and sentences <= 3), case  # one for each file
        else:
            assert ran.status == good.ran.status, (case, good.ran)
            out = ran.out.replace(bytes(place), bytes(good.place)).replace(UNRULY.encode(), JSON.encode())
            assert out == good.ran.out, (case, good)
        after = left(place)
        pending = any(note.read_bytes() for note in place.glob("*.pending"))
        assert after["accounts.toml"] in (good.before["accounts.toml"], good.after["accounts.toml"]), case
        if not pending and b"still be in the keyring" not in ran.err + ran.out:
            assert after in (good.before, good.after), case
        shutil.rmtree(place)


def left(place: Path) -> dict[str, bytes]:
    """What must fit together: the store and its secrets."""
    found = {"accounts.toml": (place / "accounts.toml").read_bytes()}
    kept = json.loads((place / "keyring.json").read_text(encoding="utf-8"))
    found["keyring"] = json.dumps(kept.get("mailpolicy", {}), sort_keys=True).encode()
    return found


@pytest.fixture(scope="module")
def keyrings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyrings]:
    with quick_folder() as quick:
        (quick / "imports").mkdir()
        for name, text in {**IMPORTS, "hangs": "import threading\nthreading.Event().wait()"}.items():
            (quick / "imports" / f"keyring_that_{name}.py").write_text(text)
        with forking(tmp_path_factory.mktemp("keyrings") / "forks") as forks:
            yield Keyrings(quick, forks)


SHARDS = scaled(6, 1)
KINDS = {**dict.fromkeys(FAILURES, True), **dict.fromkeys(ANSWERS, True), **dict.fromkeys(ASIDES, False)}


def may_touch(row: Row) -> bool:
    """Whether a row may touch a keyring; the others are tried once at length, so that none is missed."""
    return PROVE or row.with_secrets or row.command.split()[0] in ("secrets", "deploy", "doctor")


def cases(row: Row, good: Good, kinds: dict[str, bool] | list[str]) -> list[str]:
    """Return everything that can go wrong in the calls that a row makes."""
    calls = ["init", *sorted(good.calls)]
    kinds = [
        kind for kind in kinds if kind != "ask" or not row.stdin
    ]  # what reads stdin is answered by what stands there
    return [f"{call} {kind}" for kind in kinds for call in calls if call == "get" or kind not in ANSWERS]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_call_of_every_command(keyrings: Keyrings, shard: int, tried: Tried) -> None:
    """In each call: foreign exceptions of every kind, answers of other types, and things beside the work."""
    number = 0
    for index, (row, good) in enumerate(keyrings.touching().items()):
        # Not the same cases for each row, and each case for some.
        for what in (
            cases(row, good, KINDS)[(shard + index * 7) % SHARDS :: SHARDS * 8] if PROVE else few(row, good, index)
        ):
            failed = KINDS[what.split()[1]]
            begun, place = keyrings.start(row, UNRULY, what, *(["--verbose"] if index % 2 else []))
            keyrings.judge(row, good, what, keyrings.forks.result(begun), place, failed)
            number += 1
    tried(Promise.KEYRINGS, number, "calls that raise, answer nonsense or tamper with the process")


def few(row: Row, good: Good, index: int) -> list[str]:
    """Return one case of each row, another one each time."""
    all_of_them = cases(row, good, KINDS)
    return [all_of_them[index * 11 % len(all_of_them)]]


def test_keyrings_that_hang(keyrings: Keyrings, tried: Tried) -> None:
    """Nothing is answered, in every call: the command ends by itself, although nobody can unlock anything."""
    wanted = [
        (row, good, what)
        for index, (row, good) in enumerate(keyrings.touching().items())
        for what in cases(row, good, [list(HANGS)[index % 2]])
    ]
    wanted = wanted[:: scaled(2, 17)]
    spinning = next((row, good, "get spin") for row, good, _ in wanted)
    for portion in [wanted[start : start + 90] for start in range(0, len(wanted), 90)] + [[spinning]]:
        begun = [(*one, *keyrings.start(one[0], UNRULY, one[2])) for one in portion]
        for row, good, what, run, place in begun:
            keyrings.judge(row, good, what, keyrings.forks.result(run), place, failed=True)
    tried(Promise.KEYRINGS, len(wanted) + 1, "calls that never return")


def test_what_is_no_backend(keyrings: Keyrings, tried: Tried) -> None:
    """The class cannot be imported or is no backend: exit 6, or the finding of the command that reports it."""
    names = [*(f"keyring_that_{name}.Keyring" for name in IMPORTS), *NO_BACKENDS]
    number = 0
    for index, (row, good) in enumerate(keyrings.touching().items()):
        if "--from" in row.line or good.ran.status == 5:
            continue
        for name in names if PROVE and index % 4 == 0 else [names[index % len(names)]]:
            begun, place = keyrings.start(row, name)
            failed = name != "keyring_that_prints.Keyring"
            keyrings.judge(row, good, name, keyrings.forks.result(begun), place, failed)
            number += 1
    tried(Promise.KEYRINGS, number, "classes that cannot be imported or are no keyring")


def test_an_import_that_hangs(keyrings: Keyrings, tried: Tried) -> None:
    rows = list(keyrings.touching().items())[:: scaled(4, 20)]
    begun = [(row, good, *keyrings.start(row, "keyring_that_hangs.Keyring")) for row, good in rows]
    for row, good, run, place in begun:
        keyrings.judge(row, good, "import hangs", keyrings.forks.result(run), place, failed=True)
    tried(Promise.KEYRINGS, len(begun), "imports that never end")


SERVICE = "keyring.backends.SecretService.Keyring"
ASKING = (
    "smart-host set",
    "smart-host show",
    "account remove",
    "export",
    "secrets verify",
    "validate",
    "multipop source",
)


def test_a_secret_service_that_misbehaves(keyrings: Keyrings, tried: Tried) -> None:
    """On a real bus: no answers, errors with secrets in them, other types, prompts that nobody answers, secrets that are no text."""
    rows = {row.command: (row, good) for row, good in keyrings.touching().items() if row.line.startswith(ASKING)}
    rows = {name: pair for name, pair in rows.items() if pair[1].ran.status == 0}
    secret = keyrings.site.secrets["kept"].text
    begun = []
    with ExitStack() as services:
        for kind in WAYS if PROVE else WAYS[::2]:
            address = services.enter_context(private_bus({"PATH": os.environ["PATH"]}))
            services.enter_context(FakeService(address, kind, secret))
            for row, good in rows.values():
                begun.append((row, good, kind, *keyrings.start(row, SERVICE, DBUS_SESSION_BUS_ADDRESS=address)))
        for row, good, kind, run, place in begun:
            keyrings.judge(row, good, kind, keyrings.forks.result(run), place, failed=True)
    tried(Promise.KEYRINGS, len(begun), "questions to a Secret Service that answers wrongly or never")
