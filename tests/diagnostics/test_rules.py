"""The codes of validate: each has an example that really triggers it, and explain says so."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from mailpolicy.diagnostics.rules import RULES
from mailpolicy.store.store import Store
from tests.helpers import ROOT, Run, missing
from tests.machine import JSON, Machine, user

BY_TEXT = [code for code, rule in RULES.items() if not rule.given or rule.encoding != "utf-8"]

LEFT = {"MP070": {"MP073"}}  # the hint on a date, which is what is to be written


def codes(text: bytes) -> set[str]:
    """The codes of what is found in a store, and that of a hint only where there is nothing else."""
    store = Store("-", text)
    return {finding.problem.code for finding in store.diagnose()[0] or store.diagnose(with_hints=True)[0]}


@pytest.mark.parametrize("code", BY_TEXT)
def test_an_example_triggers_its_code_and_no_other(code: str) -> None:
    rule = RULES[code]
    assert codes(rule.example.encode(rule.encoding)) == {code}


@pytest.mark.parametrize("code", BY_TEXT)
def test_what_is_to_be_written_instead_has_no_finding(code: str) -> None:
    rule = RULES[code]
    if not rule.wrong:
        assert code in ("MP001", "MP004"), "only another encoding or another mailpolicy would help"
        assert codes(rule.example.replace("version = 2", "version = 1").encode()) == set()
        return
    assert rule.example.count(rule.wrong) == 1
    assert codes(rule.example.replace(rule.wrong, rule.right).encode()) <= LEFT.get(code, set())


@pytest.mark.parametrize("code", BY_TEXT)
def test_whole_lines_are_to_be_written_instead(code: str, run: Run) -> None:
    rule = RULES[code]
    told = run("explain", code).out.partition("Write instead:\n\n")[2].partition("\n\nFix:")[0]
    mended = (
        {line.strip() for line in rule.example.replace(rule.wrong, rule.right).splitlines()} if rule.wrong else set()
    )
    assert {line.strip() for line in told.splitlines()} <= mended | {""}


def test_the_examples_that_take_more_than_a_text() -> None:
    assert {code for code in RULES if code not in BY_TEXT} == {"MP039", "MP060", "MP061"}
    for code in ("MP039", "MP060", "MP061"):
        assert codes(RULES[code].example.encode()) == set(), "the text alone is not what is wrong"


def test_the_example_of_a_store_that_others_can_write(run: Run, tmp_path: Path) -> None:
    if os.geteuid():
        missing("needs root")
    path = tmp_path / "accounts.toml"
    path.write_text(RULES["MP039"].example)
    assert run("validate", "accounts.toml").out == ""
    path.chmod(0o646)
    found = run("validate", "accounts.toml").out
    assert re.findall("MP[0-9]{3}", found) == ["MP039"]


def test_the_examples_about_the_keyring(tmp_path: Path) -> None:
    machine = Machine(tmp_path, JSON)
    machine.store.write_text(RULES["MP060"].example)
    assert re.findall("MP[0-9]{3}", machine.run("validate", "--secrets").out) == ["MP060"]
    machine.keep("--server")
    assert machine.run("validate", "--secrets").out == ""
    machine.store.write_text(RULES["MP061"].example)
    Path(f"{machine.store}.pending").write_text(f"{user('--server')}\n")  # what a killed change leaves
    assert re.findall("MP[0-9]{3}", machine.run("validate", "--secrets").out) == ["MP061"]


@pytest.mark.parametrize("code", RULES)
def test_explain_says_everything(code: str, run: Run) -> None:
    rule = RULES[code]
    result = run("explain", code.lower())
    assert (result.status, result.err) == (0, "")
    words = " ".join(result.out.split())
    for said in (code, rule.severity, rule.name, rule.meaning, rule.fix, rule.given):
        assert " ".join(said.split()) in words
    assert all(f"    {line}".rstrip() in result.out.splitlines() for line in rule.example.splitlines())
    assert (f"accounts.toml:1:1: {rule.severity}[{code}]" in re.sub(r":\d+:\d+:", ":1:1:", result.out)) is (
        code in BY_TEXT
    )
    assert rule.meaning[0].isupper() or rule.meaning[0] in "`*"
    assert rule.meaning.endswith(".")
    assert not rule.fix.endswith(".")
    answer = json.loads(run("explain", code, "--json").out)
    assert answer["schema"] == "mailpolicy.rule/1"
    assert (answer["example"], answer["cure"], answer["given"]) == (rule.example, rule.fix, rule.given or None)
    if answer["mended"] is not None:
        assert codes(answer["mended"].encode()) <= LEFT.get(code, set())


def test_explain_lists_and_refuses(run: Run) -> None:
    listed = [line.split("\t")[0] for line in run("explain").out.splitlines()]
    assert listed == list(RULES) == sorted(RULES)
    both = run("explain", "MP012", "MP031")
    assert both.out == run("explain", "MP012").out + "\n" + run("explain", "MP031").out
    for wrong, hint in (
        ("MP12", "did you mean MP012?"),
        ("12", "did you mean MP012?"),
        ("MP999", "mailpolicy explain lists all codes"),
        ("outside-lan", "a reason of check"),
        ("", "lists all"),
    ):
        refused = run("explain", "MP012", wrong)
        assert (refused.status, refused.out) == (2, "")
        assert hint in refused.err
    assert run("explain", "MP012", "--format", "sarif").status == 2


def test_explain_looks_at_no_file(run: Run, tmp_path: Path) -> None:
    told = run("explain", "MP039")
    (tmp_path / "accounts.toml").write_text("nonsense")
    (tmp_path / "accounts.toml").chmod(0o666)
    assert run("--file", "accounts.toml", "explain", "MP039") == told


def test_the_code_of_every_problem_is_in_the_table() -> None:
    """What the program can say, searched in its source, and what it can explain are the same."""
    said = set()
    for path in (ROOT / "src" / "mailpolicy").rglob("*.py"):
        if "rules" not in path.parts:
            said |= set(re.findall(r'"(MP[0-9]{3})"', path.read_text(encoding="utf-8")))
    assert said == set(RULES)
