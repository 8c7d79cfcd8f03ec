"""The promises about very many accounts: one question and one toggle cost what they cost among ten, bulk work one read.

Promises: as in `bars`; an index that is warm was made by the program itself. What is put beside a row without a bar is
measured like the others, only in fewer rounds where a round takes a peer very long.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import stores
from bars import CEDAR_QUESTIONS, FEW, GREAT_MANY, OUTSIDE, require, stored, tree_of
from table import Bar, mebibytes, milliseconds, rate, spaced
from timing import MAILPOLICY, mailpolicy, peak, script, told, turns, whole

VERY_MANY = 1_000_000  # accounts
QUESTIONS = 1_000_000
CASBIN_QUESTIONS = 5_000
CHECKED = 100_000  # questions whose answers are found a second time
SLOW_ROUNDS = 2  # of peers that take up to a minute


def look_up(folder: Path) -> list[Bar]:
    """One question on a large store with an index, against the same question on ten accounts."""
    return _look_up(folder, GREAT_MANY, 1.2, 60)


def look_up_million(folder: Path) -> list[Bar]:
    """The same on a very large store."""
    return _look_up(folder, VERY_MANY, 1.3, 40)


def _look_up(folder: Path, accounts: int, limit: float, rounds: int) -> list[Bar]:
    few, many = stored(folder, FEW), stored(folder, accounts)
    address = stores.addresses(accounts)[accounts // 2 + 1]
    known = stores.addresses(FEW)[1]
    settled()
    protocol = "multipop" if mailpolicy_says(many, address, "multipop") else "imap"
    asked = ("check", "--file", many, address, protocol, OUTSIDE)
    status = int(not mailpolicy_says(many, address, protocol))
    found = ("check", "--file", few, known, "pop", OUTSIDE)
    whole([MAILPOLICY, *asked], status=status)
    notes = folder / "notes"
    whole([MAILPOLICY, *asked, "--verbose"], status=status, errors=notes)
    require(notes.read_bytes() == b"", "the index was not used")
    taken = turns(
        rounds,
        lambda: mailpolicy(*asked, status=status),
        lambda: mailpolicy(*found, status=1),
    )
    memory = turns(9, lambda: peak([MAILPOLICY, *asked], status=status), lambda: peak([MAILPOLICY, *found], status=1))
    what = f"`check`, {spaced(accounts)} accounts, warm index"
    peer = f"`check` on {FEW} accounts"
    return [
        Bar(what, limit, True, [(ours, theirs) for ours, theirs in taken], peer, milliseconds),
        Bar(f"{what}: peak memory", 1.2, True, [(ours, theirs) for ours, theirs in memory], peer, mebibytes),
    ]


def complete(folder: Path) -> list[Bar]:
    """One TAB on a large store with an index, for an address and for a domain, against `check` on it."""
    many = stored(folder, GREAT_MANY)
    address = stores.addresses(GREAT_MANY)[GREAT_MANY // 2 + 1]
    settled()
    protocol = "multipop" if mailpolicy_says(many, address, "multipop") else "imap"
    status = int(not mailpolicy_says(many, address, protocol))
    asked = ("check", "--file", many, address, protocol, OUTSIDE)
    rows = []
    for what, words in (("an address", f"check {address[:6]}"), ("a domain", "account list --domain ")):
        command = ("completion", "--line", f"mailpolicy --file {many} {words}")
        taken = turns(30, partial(mailpolicy, *command), lambda: mailpolicy(*asked, status=status))
        title = f"TAB for {what}, {spaced(GREAT_MANY)} accounts, warm index"
        rows.append(Bar(title, 2.0, True, [(ours, theirs) for ours, theirs in taken], "`check` on it", milliseconds))
    return rows


def mailpolicy_says(store: Path, address: str, protocol: str) -> bool:
    """Whether the program allows it, also where the index is made on the way."""
    import subprocess

    command: list[str | Path] = [MAILPOLICY, "check", "--file", store, address, protocol, OUTSIDE]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def one_toggle(folder: Path) -> list[Bar]:
    """One toggle in a large store with an index, against one among ten, and against other ways to do it."""
    few, many = stored(folder, FEW), stored(folder, GREAT_MANY)
    address, known = stores.addresses(GREAT_MANY)[GREAT_MANY // 2], stores.addresses(FEW)[0]
    state = {few: "on", many: "on"}

    def toggled(store: Path, whose: str) -> float:
        state[store] = "off" if state[store] == "on" else "on"
        return mailpolicy("pop", state[store], whose, "--file", store)

    mailpolicy("pop", "on", address, "--file", many)
    before = many.read_bytes()
    taken = turns(40, lambda: toggled(many, address), lambda: toggled(few, known))
    require((state[many] == "on") is (many.read_bytes() == before), "the toggles wrote something else")
    what = f"one toggle, {spaced(GREAT_MANY)} accounts, warm index"
    bars = [
        Bar(
            what,
            3,
            True,
            [(ours, theirs) for ours, theirs in taken],
            f"one toggle on {FEW} accounts, fsync included",
            milliseconds,
        )
    ]
    ours = [(seconds,) for seconds, _ in taken]
    for name, command, tidy in _editors(folder, address):
        theirs = folder / f"{name.split()[0].strip('`')}.toml"
        theirs.write_bytes(before)
        seconds = [whole(command(theirs, value)) for value in ("off", "on")[:SLOW_ROUNDS]]
        require(tree_of(theirs) == tree_of(many) or state[many] == "off", f"{name} wrote something else")
        if tidy:
            require(theirs.read_bytes() == before, f"{name} did not keep what it should")
        rounds = [(mine, theirs) for (mine,), theirs in zip(ours, seconds, strict=False)]
        bars.append(Bar(what, None, False, rounds, name, milliseconds, swapped=True))
    database = _database(folder)
    statement = f"UPDATE account SET pop = 1 - pop WHERE address = '{address}'"
    if (shell := shutil.which("sqlite3")) is not None:
        seconds = [whole([shell, database, statement]) for _ in range(20)]
        rounds = [(mine, theirs) for (mine,), theirs in zip(ours, seconds, strict=False)]
        bars.append(Bar(what, None, True, rounds, "an SQLite table, updated with the `sqlite3` shell", milliseconds))
    return bars


def _editors(folder: Path, address: str) -> list[tuple[str, Callable[[Path, str], list[str | Path]], bool]]:
    """What edits TOML and keeps comments: its name, its command, and whether it gives back the same bytes."""
    found: list[tuple[str, Callable[[Path, str], list[str | Path]], bool]] = [
        ("`tomlkit`, the whole document", lambda store, value: script("tomlkit_edit", store, address, value), True),
        ("`tomlrt`, the whole document", lambda store, value: script("tomlrt_edit", store, address, value), True),
    ]
    tomlq = Path(sys.executable).with_name("tomlq")
    if tomlq.exists() and shutil.which("jq") is not None:
        found.append(
            (
                "`tomlq` with `jq`, comments kept (-T)",
                lambda store, value: [
                    tomlq,
                    "-T",
                    "-i",
                    f'.accounts["{address}"].pop = {"true" if value == "on" else "false"}',
                    store,
                ],
                False,
            )
        )
    return found


def _database(folder: Path) -> Path:
    path = folder / "accounts.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE account (address TEXT PRIMARY KEY, pop INTEGER) WITHOUT ROWID")
        rows = ((address, 1) for address in stores.addresses(GREAT_MANY))
        connection.executemany("INSERT INTO account VALUES (?, ?)", rows)
    connection.close()
    return path


def first_check(folder: Path) -> list[Bar]:
    """The first question after an edit by hand, which parses the whole store and makes its index."""
    store = stored(folder, GREAT_MANY)
    address = stores.addresses(GREAT_MANY)[0]

    def edited() -> float:
        store.write_bytes(store.read_bytes())
        settled()
        return mailpolicy("check", "--file", store, address, "pop", OUTSIDE)

    rounds = turns(7, edited, lambda: mailpolicy("--version"), lambda: _loads(store))
    what = f"first `check` after a hand edit, {spaced(GREAT_MANY)} accounts, less `mailpolicy --version`"
    pairs = [(all_of_it - start, loads) for all_of_it, start, loads in rounds]
    return [Bar(what, 2.5, True, pairs, "`tomli.loads` of the file", milliseconds)]


def many_toggles(folder: Path) -> list[Bar]:
    """A toggle of every account, from a store without an index."""
    original, store = stored(folder, GREAT_MANY), folder / "toggled.toml"
    output = folder / "lines"

    def toggled() -> float:
        store.write_bytes(original.read_bytes())
        return mailpolicy("pop", "off", "--all", "--yes", "--file", store, output=output)

    rounds = turns(7, toggled, lambda: mailpolicy("--version"), lambda: _loads(original))
    accounts = tree_of(store)["accounts"]
    require(isinstance(accounts, dict) and len(accounts) == GREAT_MANY, "accounts are missing")
    require(all(account["pop"] is False for account in accounts.values()), "POP is not off for all")
    require(output.read_bytes().count(b"\n") == GREAT_MANY, "not every account has its line")
    what = f"`pop off --all`, {spaced(GREAT_MANY)} accounts, less `mailpolicy --version`"
    pairs = [(all_of_it - start, loads) for all_of_it, start, loads in rounds]
    return [Bar(what, 8, True, pairs, "`tomli.loads` of the file", milliseconds)]


def validate_many(folder: Path) -> list[Bar]:
    """Every check of a large store."""
    store, findings = stored(folder, GREAT_MANY), folder / "findings"
    rounds = turns(
        9,
        lambda: mailpolicy("validate", "--strict", store, output=findings),
        lambda: mailpolicy("--version"),
        lambda: _loads(store),
    )
    require(findings.read_bytes() == b"", "the store is not clean")
    what = f"`validate`, {spaced(GREAT_MANY)} accounts, less `mailpolicy --version`"
    pairs = [(all_of_it - start, loads) for all_of_it, start, loads in rounds]
    return [Bar(what, 2.5, True, pairs, "`tomli.loads` of the file", milliseconds)]


def batch_million(folder: Path) -> list[Bar]:
    """A million questions on a large store, against the bare loop over their IPs, Cedar and Casbin."""
    store, asked, one, answers = (
        stored(folder, GREAT_MANY),
        folder / "questions",
        folder / "question",
        folder / "answers",
    )
    with open(asked, "w", encoding="utf-8") as file:
        file.writelines("\t".join(question) + "\n" for question in stores.questions(QUESTIONS, GREAT_MANY))
    one.write_text(f"{stores.addresses(GREAT_MANY)[0]}\tpop\t{OUTSIDE}\n", encoding="utf-8")
    settled()
    mailpolicy("check", "--file", store, "--batch", one)
    rounds = turns(
        5,
        lambda: mailpolicy("check", "--file", store, "--batch", asked, output=answers, status=1),
        lambda: mailpolicy("check", "--file", store, "--batch", one),
        lambda: float(told("ip_loop", asked)["seconds"]),
    )
    with open(answers, encoding="utf-8") as given, open(asked, encoding="utf-8") as questions:
        decisions = []
        for line, question in zip(given, questions, strict=True):
            decision, _, rest = line.split("\t", 2)
            require(rest == question, "the answers are not those to the questions")
            decisions.append(decision)
    what = f"`check --batch`, {spaced(QUESTIONS)} questions on {spaced(GREAT_MANY)} accounts, after start-up"
    ours = [(QUESTIONS - 1) / (all_of_them - single) for all_of_them, single, _ in rounds]
    loop = [QUESTIONS / seconds for _, _, seconds in rounds]
    bars = [Bar(what, 0.8, False, list(zip(ours, loop, strict=True)), "bare loop of `ipaddress.ip_address`", rate)]
    for name, title, count in (
        ("cedar", "`cedarpy.is_authorized_batch`", CEDAR_QUESTIONS),
        ("casbin_enforce", "`casbin` `Enforcer.enforce`", CASBIN_QUESTIONS),
    ):
        rates = []
        for _ in range(SLOW_ROUNDS):
            answer = told(name, store, asked, str(count))
            require(answer["answers"] == decisions[:count], f"{title} decides otherwise")
            rates.append(count / float(answer["seconds"]))
        bars.append(Bar(what, None, False, list(zip(ours, rates, strict=False)), title, rate))
    return bars


def _loads(store: Path) -> float:
    return float(told("toml_loads", store, "3")["seconds"])


def settled() -> None:
    """Let the time pass in which a file that was just written may yet be changed without a trace."""
    time.sleep(0.05)


ALL = {
    "look-up": look_up,
    "look-up-million": look_up_million,
    "complete": complete,
    "one-toggle": one_toggle,
    "first-check": first_check,
    "many-toggles": many_toggles,
    "validate-many": validate_many,
    "batch-million": batch_million,
}
