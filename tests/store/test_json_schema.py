"""The JSON Schema and the validator: what one refuses for shape the other refuses too, at the same keys."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import sys
import sysconfig
from functools import partial
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.diagnostics import KeyPath
from mailpolicy.diagnostics.rules import RULES
from mailpolicy.store import schema
from mailpolicy.store.tables import TABLES, When
from tests.helpers import EXAMPLE, ROOT, TESTS, Run, missing

DOCUMENT = json.loads(resources("mailpolicy.store").joinpath("accounts.schema.json").read_text(encoding="utf-8"))
JUDGE = jsonschema.Draft7Validator(DOCUMENT)

# What is about the shape of the file, both refuse. What is about the meaning of one value, the schema may know in part.
SHAPE = {
    "MP003",
    "MP004",
    "MP005",
    "MP006",
    "MP007",
    "MP008",
    "MP013",
    "MP028",
    "MP014",
    "MP016",
    "MP017",
    "MP070",
    "MP072",
    "MP081",
}
VALUE = {
    "MP010",
    "MP012",
    "MP015",
    "MP020",
    "MP021",
    "MP022",
    "MP023",
    "MP024",
    "MP025",
    "MP026",
    "MP027",
    "MP029",
    "MP071",
}

STORES = sorted([*TESTS.rglob("*.toml"), *ROOT.glob("src/mailpolicy/cli/*.toml"), EXAMPLE])


def as_json(tree: Any) -> Any:
    """The tree with dates as texts, at the keys that take a date: so tools hand a TOML file to a schema."""
    if isinstance(tree, list):
        return [as_json(inner) for inner in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        key: value.isoformat() if key in ("expires", "until") and isinstance(value, datetime.date) else as_json(value)
        for key, value in tree.items()
    }


def refused(tree: Any) -> set[KeyPath]:
    """The keys that the schema refuses."""
    found: set[KeyPath] = set()
    for error in JUDGE.iter_errors(as_json(tree)):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            found |= {(*path, key) for key in error.instance.keys() - error.schema["properties"].keys()}
        elif "propertyNames" in error.absolute_schema_path:
            found.add((*path, error.instance))
        else:
            found.add(path)
    return found


def _at(tree: Any, path: KeyPath) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def hold_together(tree: Any) -> None:
    problems = schema.validate(tree).problems
    of_shape = {problem.path for problem in problems if problem.code in SHAPE}
    of_value = {problem.path for problem in problems if problem.code in VALUE}
    # An account may name a template whose own name is wrong: the validator says so at the template, the schema at both.
    misnamed = {problem.path[1] for problem in problems if problem.code == "MP013"}
    accounts = tree.get("accounts")
    for key, account in (accounts if isinstance(accounts, dict) else {}).items():
        if isinstance(account, dict) and isinstance(account.get("template"), str) and account["template"] in misnamed:
            of_value.add(("accounts", key, "template"))
    wrong = [problem.path[1] for problem in problems if problem.code == "MP028"]
    of_value |= {path for path in refused(tree) if path[-2:-1] and path[-2] == "extra_lan" and _at(tree, path) in wrong}
    if any(problem.code == "MP004" for problem in problems) and tree["version"] > schema.VERSION:
        assert ("version",) in refused(tree)  # and what else is wrong with it is for a newer mailpolicy to say
        return
    assert of_shape <= refused(tree) <= of_shape | of_value


@pytest.mark.parametrize("path", STORES, ids=lambda path: str(path.relative_to(ROOT)))
def test_on_every_store_of_the_tests(path: Path) -> None:
    try:
        tree = tomli.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return  # no tree, so nothing for a schema
    hold_together(tree)


@pytest.mark.parametrize("code", [code for code in RULES if code not in ("MP001", "MP002")])
def test_on_the_examples_of_every_rule(code: str) -> None:
    tree = tomli.loads(RULES[code].example)
    hold_together(tree)
    if code in SHAPE:
        assert refused(tree), "a rule about shape that the schema does not know"


def test_every_rule_is_about_shape_or_a_value_or_more_than_one_key() -> None:
    errors = {code for code, rule in RULES.items() if rule.severity == "error"}
    assert errors - SHAPE - VALUE == {"MP001", "MP002", "MP011", "MP018", "MP080"}


known = sorted({key for table in TABLES.values() for key in table.keys})
names = st.sampled_from(
    [*known, "alice@example.com", "B@x", "office", "Office", "a b", "pop3", "keyring_backend", "", "a@b.", "ü@x.example", "a@ü.x"]
)  # fmt: skip
leaves = st.one_of(
    st.booleans(),
    st.integers(-1, 70000),
    st.sampled_from([1, 2**31, 0.5, "pro", "Pro", "implicit", "10.0.0.0/8", "a b", " a", "a\u3000", "a\ufeff", "\x7f", "", "office"]),
    st.text(max_size=3),
    st.just(datetime.date(1979, 5, 27)),
)  # fmt: skip
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3))


def _is_of(kind: type, leaf: object) -> bool:
    return type(leaf) is (datetime.date if kind is When else kind)


def tables(path: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Tables at a place, mostly as they should be, each key now and then with something else."""
    found = {}
    if path == ("networks",):
        return st.dictionaries(names, st.one_of(st.lists(leaves, max_size=2), values), max_size=2)
    for key, (kind, _) in TABLES[path].keys.items():
        right: st.SearchStrategy[Any] = leaves.filter(partial(_is_of, kind))
        if kind is list:
            right = st.lists(leaves, max_size=2)
        elif (*path, key) in TABLES:
            right = tables((*path, key))
        elif kind is dict:
            (below,) = (other for other in TABLES if other[:-1] == (*path, key))
            right = st.dictionaries(names, st.one_of(tables(below), values), max_size=2)
        found[key] = st.one_of(right, right, right, values)
    extra = st.dictionaries(names, values, max_size=1)
    return st.builds(lambda more, some: {**more, **some}, extra, st.fixed_dictionaries({}, optional=found))


@given(tables(()))
def test_on_any_tree(tree: dict[str, Any]) -> None:
    hold_together(tree)


def test_it_is_a_schema_of_draft_7() -> None:
    jsonschema.Draft7Validator.check_schema(DOCUMENT)
    assert DOCUMENT["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_every_key_says_what_it_means() -> None:
    def described(table: Any) -> int:
        below = [table["additionalProperties"]] if isinstance(table.get("additionalProperties"), dict) else []
        keys = table.get("properties", {}).values()
        assert all(key["description"] for key in keys)
        named = sum("description" in inner for inner in below)
        return len(keys) + named + sum(map(described, [*keys, *below]))

    assert described(DOCUMENT) == sum(len(table.keys) for table in TABLES.values())


def test_patterns_use_what_every_engine_has() -> None:
    """The engines of editors (Rust's regex) have neither look-around nor back references."""
    patterns = [
        value
        for line in json.dumps(DOCUMENT, indent=1).splitlines()
        if '"pattern"' in line
        for value in [line.split(": ", 1)[1]]
    ]
    assert patterns
    assert not [pattern for pattern in patterns if "(?" in pattern or r"\\1" in pattern]


def test_the_command_prints_it(run: Run) -> None:
    result = run("schema")
    assert (result.status, json.loads(result.out), result.err) == (0, DOCUMENT, "")
    assert run("schema", "--json").out == result.out
    assert run("schema", "--format", "sarif").status == 2


@pytest.mark.parametrize(
    "command", [["taplo", "check"], ["tombi", "lint", "--offline"]], ids=lambda command: command[0]
)
def test_the_real_engines_of_editors_follow_init(command: list[str], run: Run, tmp_path: Path) -> None:
    """taplo is in Even Better TOML; both find the schema by the first line that init writes."""
    program = shutil.which(command[0], path=sysconfig.get_path("scripts"))
    if program is None:
        missing(f"{command[0]} is missing: pip install {command[0]}")
    run("--file", "accounts.toml", "init")
    path = tmp_path / "accounts.toml"
    starter = path.read_text()
    for text, status in (
        (starter, True),
        ("#:schema ./accounts.schema.json\n" + EXAMPLE.read_text(), True),
        (starter.replace("[defaults]", "[defaults]\npop_lanonly = true"), False),
        (starter + '\n[accounts."alice@example.com"]\npop = "on"\n', False),
        (starter + '\n[accounts."alice"]\n', False),
    ):
        path.write_text(text)
        done = subprocess.run(
            [program, *command[1:], path.name], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert (done.returncode == 0) is status, done


def test_the_real_check_jsonschema(run: Run, tmp_path: Path) -> None:
    """Another program, with the patterns of ECMAScript."""
    (tmp_path / "schema.json").write_text(run("schema").out)
    (tmp_path / "accounts.toml").write_text(EXAMPLE.read_text())
    bad = TESTS / "invalid" / "unknown-keys.toml"
    program = Path(sysconfig.get_path("scripts")) / "check-jsonschema"
    for path, status, said in ((tmp_path / "accounts.toml", 0, "ok"), (bad, 1, "edtion")):
        done = subprocess.run(
            [sys.executable, program, "--schemafile", "schema.json", str(path)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert (done.returncode, said in done.stdout) == (status, True), done
