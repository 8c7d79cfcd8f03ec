"""The promises about speed, each measured against its peer.

Promises: both sides did the same work, which is looked at, not believed. Not promised: anything about memory.
"""

from __future__ import annotations

import shlex
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import stores
import tomli
from table import Bar, mebibytes, milliseconds, rate, spaced
from timing import MAILPOLICY, Void, mailpolicy, peak, script, told, turns, whole

FEW, MANY, GREAT_MANY = 10, 10_000, 100_000  # accounts, or secrets
LOOP = 100  # processes
QUESTIONS, CEDAR_QUESTIONS = 200_000, 20_000  # cedarpy takes too long for all of them in every round
OUTSIDE = "203.0.113.9"


def check(folder: Path) -> list[Bar]:
    """One question on a small store, against a Typer application that does nothing."""
    store, allow, deny = stored(folder, FEW), folder / "allow", folder / "deny"
    anywhere, lan_only, *_ = stores.addresses(FEW)
    rounds = turns(
        80,
        lambda: mailpolicy("check", "--file", store, anywhere, "pop", OUTSIDE, output=allow),
        lambda: whole(script("trivial", "someone")),
        lambda: mailpolicy("check", "--file", store, lan_only, "pop", OUTSIDE, output=deny, status=1),
        lambda: whole(script("trivial", "someone")),
        lambda: whole(script("bare")),
        lambda: whole(script("toml_read", store)),
    )
    require(allow.read_text(encoding="utf-8").startswith("allow"), "check denies what is allowed")
    require(deny.read_text(encoding="utf-8").startswith("deny: outside-lan"), "check allows what is outside the LAN")
    what, peer = f"`check` on {FEW} accounts", "trivial Typer application of one command"
    return [
        Bar(f"{what}, allowed", 0.75, True, [(row[0], row[1]) for row in rounds], peer, milliseconds),
        Bar(f"{what}, denied", 0.75, True, [(row[2], row[3]) for row in rounds], peer, milliseconds),
        Bar("bare Python", None, True, [(row[4], row[3]) for row in rounds], peer, milliseconds),
        Bar(
            f"bare Python with `tomli.loads` of {FEW} accounts",
            None,
            True,
            [(row[5], row[3]) for row in rounds],
            peer,
            milliseconds,
        ),
    ]


def check_loop(folder: Path) -> list[Bar]:
    """Very many questions on a small store, one process each, against the same ones parsed by Typer."""
    store, answers, address = stored(folder, FEW), folder / "answers", stores.addresses(FEW)[0]
    question = ("check", "--file", store, address, "pop", OUTSIDE)

    def loop(*command: str | Path) -> float:
        line = f"for number in $(seq {LOOP}); do {shlex.join(map(str, command))} || exit; done"
        seconds = whole(["sh", "-c", line], output=answers)
        require(answers.read_text(encoding="utf-8") == "allow\n" * LOOP, "not every question was answered")
        return seconds

    rounds = turns(7, lambda: loop(MAILPOLICY, *question), lambda: loop(*script("by_typer", *question)))
    taken = [(ours, theirs) for ours, theirs in rounds]
    what, peer = f"a shell's loop of {LOOP} `check`", "the same, parsed by Typer"
    return [Bar(what, 1.7, False, taken, peer, milliseconds, swapped=True)]


def show(folder: Path) -> list[Bar]:
    """One account of a small store shown, against a Typer application that does nothing."""
    store, shown = stored(folder, FEW), folder / "shown"
    address = stores.addresses(FEW)[0]
    rounds = turns(
        80,
        lambda: mailpolicy("account", "show", "--file", store, address, output=shown),
        lambda: whole(script("trivial", "someone")),
    )
    require(f"\npop\ton, from anywhere\taccount {store}:" in shown.read_text(encoding="utf-8"), "nothing is shown")
    peer = "trivial Typer application of one command"
    pairs = [(ours, peers) for ours, peers in rounds]
    return [Bar(f"`account show` on {FEW} accounts", 1.35, True, pairs, peer, milliseconds)]


def small_toggle(folder: Path) -> list[Bar]:
    """One edit of a small store, against a Typer application that does nothing."""
    store, address, verbs = stored(folder, FEW), stores.addresses(FEW)[0], cycle(("off", "on"))

    def changed() -> float:
        before = store.read_bytes()
        seconds = mailpolicy("pop", next(verbs), "--file", store, address)
        require(store.read_bytes() != before, "the toggle wrote nothing")
        return seconds

    rounds = turns(80, changed, lambda: whole(script("trivial", "someone")))
    peer = "trivial Typer application of one command"
    pairs = [(ours, peers) for ours, peers in rounds]
    return [Bar(f"`pop on` / `pop off` in {FEW} accounts", 1.25, True, pairs, peer, milliseconds)]


def journal(folder: Path) -> list[Bar]:
    """One edit that is written down in a journal, against one that is not: whole commands, of a small and a large store."""
    bars = []
    for accounts, rounds in ((FEW, 80), (GREAT_MANY, 40)):
        sides = {}
        for name, setting in (("with", "journal = true\n"), ("without", "")):
            store, host = stored(folder, accounts, name), folder / f"{name}-{accounts}-host.toml"
            host.write_text(setting, encoding="utf-8")
            sides[name] = (store, host, cycle(("off", "on")))
        address = stores.addresses(accounts)[accounts // 2]
        for store, _, _ in sides.values():
            mailpolicy("pop", "on", "--file", store, address)

        def toggled(name: str, sides: dict[str, Any] = sides, address: str = address) -> float:
            store, host, verbs = sides[name]
            return mailpolicy("pop", next(verbs), "--file", store, "--host-config", host, address)

        pairs = [(ours, peers) for ours, peers in turns(rounds, partial(toggled, "with"), partial(toggled, "without"))]
        log = Path(f"{sides['with'][0]}.log").read_text(encoding="utf-8")
        require(len(log.splitlines()) >= rounds, "the edits are not in the journal")
        what = f"`pop on` / `pop off` in {spaced(accounts)} accounts, with `journal`"
        bars.append(Bar(what, 1.3, True, pairs, "the same without", milliseconds))
    return bars


def batch(folder: Path) -> list[Bar]:
    """Very many questions on a large store, against the bare loop over their IPs and against Cedar."""
    store, asked, one, answers = stored(folder, MANY), folder / "questions", folder / "question", folder / "answers"
    lines = ["\t".join(question) + "\n" for question in stores.questions(QUESTIONS, MANY)]
    asked.write_text("".join(lines), encoding="utf-8")
    one.write_text(f"{stores.addresses(MANY)[0]}\tpop\t{OUTSIDE}\n", encoding="utf-8")
    decisions: list[str] = []

    def cedar() -> float:
        answer = told("cedar", store, asked, str(CEDAR_QUESTIONS))
        decisions[:] = answer["answers"]
        return float(answer["seconds"])

    rounds = turns(
        9,
        lambda: mailpolicy("check", "--file", store, "--batch", asked, output=answers, status=1),
        lambda: mailpolicy("check", "--file", store, "--batch", one),
        lambda: float(told("ip_loop", asked)["seconds"]),
        cedar,
    )
    given = [line.split("\t", 2) for line in answers.read_text(encoding="utf-8").splitlines(keepends=True)]
    require([question for _, _, question in given] == lines, "the answers are not those to the questions")
    require([decision for decision, _, _ in given[:CEDAR_QUESTIONS]] == decisions, "Cedar decides otherwise")
    what = f"`check --batch`, {spaced(QUESTIONS)} questions on {spaced(MANY)} accounts, after start-up"
    ours = [(QUESTIONS - 1) / (all_of_them - single) for all_of_them, single, _, _ in rounds]
    loop = [QUESTIONS / seconds for _, _, seconds, _ in rounds]
    cedars = [CEDAR_QUESTIONS / seconds for _, _, _, seconds in rounds]
    return [
        Bar(what, 0.5, False, list(zip(ours, loop, strict=True)), "bare loop of `ipaddress.ip_address`", rate),
        Bar(what, 10, False, list(zip(ours, cedars, strict=True)), "`cedarpy.is_authorized_batch`", rate),
    ]


def toggle(folder: Path) -> list[Bar]:
    """One edit of a large store, against tomlkit on the whole document."""
    address = stores.addresses(MANY)[MANY // 2]
    ours, theirs = stored(folder, MANY, "ours"), stored(folder, MANY, "theirs")
    state = {ours: "on", theirs: "on"}

    def turned(store: Path) -> str:
        state[store] = "off" if state[store] == "on" else "on"
        return state[store]

    mailpolicy("pop", "on", address, "--file", ours)
    rounds = []
    for _ in range(10):
        before = ours.read_bytes()
        seconds = mailpolicy("pop", turned(ours), address, "--file", ours)
        rounds.append((seconds, whole(script("tomlkit_edit", theirs, address, turned(theirs)))))
        require(ours.read_bytes() != before, "the toggle wrote nothing")
        require(tree_of(ours) == tree_of(theirs), "tomlkit wrote something else")
    peer = "`tomlkit`: parse, edit and dump the whole document"
    return [Bar(f"`pop on` / `pop off` in {spaced(MANY)} accounts", 8, False, rounds, peer, milliseconds, swapped=True)]


def validate(folder: Path) -> list[Bar]:
    """Every check of a large store, against only reading it."""
    store, findings = stored(folder, MANY), folder / "findings"
    rounds = turns(
        25,
        lambda: mailpolicy("validate", "--strict", store, output=findings),
        lambda: mailpolicy("--version"),
        lambda: float(told("toml_loads", store)["seconds"]),
    )
    require(findings.read_bytes() == b"", "the store is not clean")
    what = f"`validate` of {spaced(MANY)} accounts, less `mailpolicy --version`"
    pairs = [(all_of_it - start, loads) for all_of_it, start, loads in rounds]
    return [Bar(what, 2.5, True, pairs, "`tomli.loads` of the same text", milliseconds)]


def export(folder: Path) -> list[Bar]:
    """The whole policy as a file for Dovecot, against only reading the store; and looking whether the file is so."""
    store, passwd = stored(folder, GREAT_MANY), folder / "passwd"

    def made() -> float:
        passwd.unlink(missing_ok=True)
        return mailpolicy("export", "dovecot", "--file", store, "--output", passwd)

    rounds = turns(
        7,
        made,
        lambda: mailpolicy("export", "dovecot", "--file", store, "--output", passwd, "--check"),
        lambda: mailpolicy("--version"),
        lambda: float(told("toml_loads", store)["seconds"]),
    )
    require(passwd.read_text(encoding="utf-8").count("\n") > GREAT_MANY, "the file is too short")
    what = f"`export dovecot` of {spaced(GREAT_MANY)} accounts"
    pairs = [(writing - start, loads) for writing, _, start, loads in rounds]
    checks = [(looking, writing) for writing, looking, _, _ in rounds]
    small = stored(folder, MANY, "small")
    command: list[str | Path] = [MAILPOLICY, "export", "dovecot", "--no-cache", "--file"]
    start = peak([MAILPOLICY, "--version"])
    tenfold = GREAT_MANY // MANY
    memory = [(peak([*command, store]) - start, tenfold * (peak([*command, small]) - start)) for _ in range(3)]
    return [
        Bar(f"{what}, less `mailpolicy --version`", 2.5, True, pairs, "`tomli.loads` of the same text", milliseconds),
        Bar(f"{what}, `--check`", 1.0, True, checks, "the same without `--check`, which writes", milliseconds),
        Bar(f"{what}: peak memory", 1.1, True, memory, f"{tenfold} times that of {spaced(MANY)}", mebibytes),
    ]


def diff(folder: Path) -> list[Bar]:
    """What a pull request changes of a large store, against only reading one of the two."""
    old, new, shifts = stored(folder, MANY), folder / "new.toml", folder / "shifts"
    new.write_text(stores.changed(old.read_text(encoding="utf-8")), encoding="utf-8")
    rounds = turns(
        15,
        lambda: mailpolicy("diff", old, new, output=shifts),
        lambda: mailpolicy("diff", old, old),
        lambda: mailpolicy("--version"),
        lambda: float(told("toml_loads", old)["seconds"]),
    )
    require(shifts.read_text(encoding="utf-8").count("\n") > MANY // 50, "nothing much is changed")
    what = f"`diff` of two stores of {spaced(MANY)} accounts"
    pairs = [(changes - start, loads) for changes, _, start, loads in rounds]
    same = [(nothing - start, loads) for _, nothing, start, loads in rounds]
    peer = "`tomli.loads` of one of the texts"
    return [
        Bar(f"{what}, one account in 20 changed, less `mailpolicy --version`", 6, True, pairs, peer, milliseconds),
        Bar(f"{what}, nothing changed, less `mailpolicy --version`", 6, True, same, peer, milliseconds),
    ]


def replay(folder: Path) -> list[Bar]:
    """Very many logins of the past, against the bare loop over their IPs."""
    store, log, one, report = stored(folder, MANY), folder / "log", folder / "login", folder / "report"
    lines = ["\t".join(question) + "\n" for question in stores.questions(QUESTIONS, MANY)]
    log.write_text("".join(lines), encoding="utf-8")
    one.write_text(lines[0], encoding="utf-8")
    rounds = turns(
        9,
        lambda: mailpolicy("replay", "--file", store, log, "--strict", output=report),
        lambda: mailpolicy("replay", "--file", store, one, "--strict"),
        lambda: float(told("ip_loop", log)["seconds"]),
    )
    require(sum(int(line.split("\t")[3]) for line in report.open(encoding="utf-8")) > QUESTIONS // 3, "too few refused")
    what = f"`replay` of {spaced(QUESTIONS)} logins on {spaced(MANY)} accounts, after start-up"
    pairs = [((QUESTIONS - 1) / (all_of_them - single), QUESTIONS / loop) for all_of_them, single, loop in rounds]
    return [Bar(what, 0.6, False, pairs, "bare loop of `ipaddress.ip_address`", rate)]


def stored(folder: Path, accounts: int, name: str = "accounts") -> Path:
    """A new store file of that many accounts."""
    path = folder / f"{name}-{accounts}.toml"
    path.write_text(stores.store(accounts), encoding="utf-8")
    return path


def tree_of(store: Path) -> dict[str, Any]:
    """What a store file says."""
    return tomli.loads(store.read_text(encoding="utf-8"))


def require(holds: bool, otherwise: str) -> None:
    """Nothing is compared where it does not hold. Raises Void."""
    if not holds:
        raise Void(otherwise)


ALL = {
    "check": check,
    "check-loop": check_loop,
    "show": show,
    "small_toggle": small_toggle,
    "journal": journal,
    "batch": batch,
    "toggle": toggle,
    "validate": validate,
    "export": export,
    "diff": diff,
    "replay": replay,
}
