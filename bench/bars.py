"""The four promises about speed, each measured against its peer.

Promises: both sides did the same work, which is looked at, not believed. Not promised: anything about memory.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import stores
import tomli
from table import Bar, milliseconds, rate
from timing import Void, mailpolicy, script, told, turns, whole

FEW, MANY = 10, 10_000  # accounts
QUESTIONS = 200_000
CEDAR_QUESTIONS = 20_000  # cedarpy takes too long for all of them; its rate is that of the first ones


def check(folder: Path) -> list[Bar]:
    """One question on a small store against a Typer application that does nothing."""
    store, allow, deny = folder / "few.toml", folder / "allow", folder / "deny"
    store.write_text(stores.store(FEW), encoding="utf-8")
    first, second, *_ = stores.addresses(FEW)
    rounds = turns(
        40,
        lambda: mailpolicy("check", "--file", store, first, "pop", "203.0.113.9", output=allow),
        lambda: whole(script("trivial", "someone")),
        lambda: mailpolicy("check", "--file", store, second, "pop", "203.0.113.9", status=1, output=deny),
        lambda: whole(script("trivial", "someone")),
    )
    _require(allow.read_text().startswith("allow"), "check does not allow what is allowed")
    _require(deny.read_text().startswith("deny: outside-lan"), "check does not deny what is outside the LAN")
    what, peer = f"`check` on {FEW} accounts, whole process", "trivial Typer application with one command"
    return [
        Bar(f"{what}: allowed", 1.35, True, [(a, b) for a, b, _, _ in rounds], peer, milliseconds),
        Bar(f"{what}: denied, with line and fix", 1.35, True, [(c, d) for _, _, c, d in rounds], peer, milliseconds),
    ]


def batch(folder: Path) -> list[Bar]:
    """Very many questions on a large store against the bare loop over their IPs, and against Cedar."""
    store, asked, one, answers = (folder / name for name in ("many.toml", "questions", "question", "answers"))
    store.write_text(stores.store(MANY), encoding="utf-8")
    lines = ["\t".join(question) + "\n" for question in stores.questions(QUESTIONS, MANY)]
    asked.write_text("".join(lines), encoding="utf-8")
    one.write_text(next(line for line in lines if "\t10." in line), encoding="utf-8")
    cedars: list[str] = []

    def cedar() -> float:
        told_by_it = told("cedar", store, asked, str(CEDAR_QUESTIONS))
        cedars[:] = told_by_it["answers"]
        return float(told_by_it["seconds"])

    alone = mailpolicy_status(lambda status: mailpolicy("check", "--file", store, "--batch", one, status=status))
    rounds = turns(
        7,
        lambda: mailpolicy("check", "--file", store, "--batch", asked, status=1, output=answers),
        lambda: mailpolicy("check", "--file", store, "--batch", one, status=alone),
        lambda: float(told("ip_loop", asked)["seconds"]),
        cedar,
    )
    given = [line.split("\t") for line in answers.read_text(encoding="utf-8").splitlines()]
    _require(["\t".join(fields[2:]) + "\n" for fields in given] == lines, "not every question has its answer")
    _require([fields[0] for fields in given[:CEDAR_QUESTIONS]] == cedars, "Cedar answers otherwise")
    ours = [(QUESTIONS - 1) / (many - single) for many, single, _, _ in rounds]
    loop = [QUESTIONS / seconds for _, _, seconds, _ in rounds]
    cedar_rate = [CEDAR_QUESTIONS / seconds for _, _, _, seconds in rounds]
    what = f"`check --batch`, {QUESTIONS:,} questions on {MANY:,} accounts, after start-up".replace(",", " ", 1)
    what = what.replace(f"{MANY:,}", f"{MANY:_}".replace("_", " "))
    return [
        Bar(what, 0.5, False, list(zip(ours, loop, strict=True)), "bare loop of `ipaddress.ip_address`", rate),
        Bar(what, 10, False, list(zip(ours, cedar_rate, strict=True)), "`cedarpy.is_authorized_batch`", rate),
    ]
