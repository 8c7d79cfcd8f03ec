"""Check that review tools read out of their formats what was put into them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailpolicy.diagnostics.rules import RULES
from mailpolicy.policy.names import printable
from mailpolicy.render import github, junit, sarif
from mailpolicy.render.annotation import Annotation
from tests.helpers import ROOT, Run, missing
from tests.render.logs import STORES, commands, results

anything = st.text(st.characters(exclude_categories=()), max_size=40)
nasty = st.one_of(
    anything,
    st.sampled_from(
        [
            "::error::x",
            "a\n::add-mask::b",
            "\r::stop-commands::t",
            "##[add-mask]x",
            "%0A",
            "a:b,c=d",
            "]]>",
            "\ufffe\uffff",
        ]
    ),
)
notes_of_findings: st.SearchStrategy[Annotation] = st.builds(
    Annotation,
    code=st.sampled_from(sorted(RULES)),
    severity=st.sampled_from(["error", "warning", "hint"]),
    file=nasty.filter(lambda name: "\0" not in name and name and not re.search("[\ud800-\udc7f\udd00-\udfff]", name)),
    line=st.integers(1, 99999),
    column=st.integers(1, 999),
    message=nasty,
)


@given(st.lists(notes_of_findings, max_size=4))
def test_github_reads_one_command_for_each_annotation(notes: list[Annotation]) -> None:
    expected = [
        (
            {"error": "error", "warning": "warning", "hint": "notice"}[note.severity],
            {
                "file": re.sub("[^\r\n]+", lambda part: printable(part.group()), note.file),
                "line": str(note.line),
                "col": str(note.column),
                "title": f"mailpolicy {note.code}",
            },
            printable(f"{note.file}:{note.line}:{note.column}: {note.code}: {note.message}"),
        )
        for note in notes
    ]
    assert commands(github.text(notes)) == expected


@given(
    st.lists(
        st.builds(
            junit.Suite,
            nasty,
            st.lists(
                st.builds(
                    junit.Case,
                    nasty,
                    nasty,
                    st.integers(1, 99),
                    st.sampled_from(["passed", "failure", "error"]),
                    nasty,
                    nasty,
                ),
                max_size=3,
            ),
        ),
        max_size=2,
    )
)
def test_junit_is_well_formed_and_counts(suites: list[junit.Suite]) -> None:
    report = junit.text(suites)
    report.encode("ascii")
    root = ElementTree.fromstring(report)
    assert [len(suite) for suite in root] == [len(suite.cases) for suite in suites]
    for counter, tag in (("failures", "failure"), ("errors", "error")):
        assert int(root.attrib[counter]) == len(root.findall(f".//{tag}"))
        assert sum(int(suite.attrib[counter]) for suite in root) == int(root.attrib[counter])
    assert int(root.attrib["tests"]) == len(root.findall(".//testcase"))


def sarif_schema() -> Any:
    """The schema of OASIS, which lies beside the checkout where the project is built."""
    shared = Path(os.environ.get("MAILPOLICY_SHARED") or ROOT.parent / "shared")
    path = shared / "data" / "sarif-schema-2.1.0.json"
    if not path.exists():
        missing(f"{path} is missing: name the folder that has data/{path.name} in MAILPOLICY_SHARED")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def oasis() -> Any:
    import jsonschema

    checker = jsonschema.FormatChecker()
    assert "uri-reference" in checker.checkers, "without it relative URIs are not looked at"
    return jsonschema.Draft4Validator(sarif_schema(), format_checker=checker)


@given(
    notes=st.lists(notes_of_findings, max_size=4), unread=st.lists(st.tuples(st.just("a b.toml"), nasty), max_size=1)
)
def test_sarif_is_what_the_oasis_schema_asks_for(
    oasis: Any, notes: list[Annotation], unread: list[tuple[str, str]]
) -> None:
    log = sarif.text(notes, RULES, unread)
    oasis.validate(json.loads(log))
    driver = json.loads(log)["runs"][0]["tool"]["driver"]
    for note, result in zip(notes, results(log), strict=True):
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == note.code
        place = result["locations"][0]["physicalLocation"]
        assert place["region"] == {"startLine": note.line, "startColumn": note.column}
        location = place["artifactLocation"]
        path = unquote(location["uri"], errors="surrogateescape")
        assert path == (f"file://{note.file}" if note.file.startswith("/") else note.file)
        assert ("uriBaseId" in location) is not note.file.startswith("/")
    prints = [json.dumps(result["partialFingerprints"]) for result in results(log)]
    assert len(set(prints)) == len(prints)


def test_the_sarif_of_every_store_is_what_the_oasis_schema_asks_for(run: Run, oasis: Any) -> None:
    stores = [str(path) for path in STORES]
    log = json.loads(run("validate", *stores, "nowhere.toml", "--hints", "--format", "sarif").out)
    oasis.validate(log)
    assert {rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]} == set(RULES) - {
        "MP039",
        "MP060",
        "MP061",
    }
