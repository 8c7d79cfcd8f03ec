"""Results as a JUnit report: suites of cases that passed, failed or could not be run.

The report is well-formed XML 1.0 in ASCII whatever the names hold, and the same in every run: it has no clock and no
host name. Source: the forms that GitLab, Jenkins and GitHub's report actions read; there is no standard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailpolicy.render.annotation import shown

PASSED, FAILED, BROKEN = "passed", "failure", "error"


class Case(NamedTuple):
    """One test; `line` counts from 1. `kind` and `message` give the reason if it did not pass.

    The message of a test that passed is kept as its output.
    """

    name: str
    file: str
    line: int = 1
    outcome: str = PASSED  # PASSED, FAILED (the answer is no) or BROKEN (there is no answer)
    kind: str = ""
    message: str = ""


class Suite(NamedTuple):
    """Cases that belong together, such as those of one file."""

    name: str
    cases: Sequence[Case]


def text(suites: Iterable[Suite]) -> str:
    """Return the report."""
    from xml.etree import ElementTree as Xml

    suites = list(suites)
    cases = [case for suite in suites for case in suite.cases]
    root = Xml.Element("testsuites", {"name": "mailpolicy", **_counts(cases)})
    for suite in suites:
        element = Xml.SubElement(root, "testsuite", {"name": shown(suite.name), **_counts(suite.cases)})
        for case in suite.cases:
            place = {"name": shown(case.name), "classname": shown(suite.name), "file": shown(case.file)}
            inner = Xml.SubElement(element, "testcase", {**place, "line": str(case.line)})
            if case.outcome != PASSED:
                reason = Xml.SubElement(inner, case.outcome, {"type": shown(case.kind), "message": shown(case.message)})
                reason.text = f"{shown(case.file)}:{case.line}: {shown(case.message)}"
            elif case.message:
                Xml.SubElement(inner, "system-out").text = shown(case.message)
    Xml.indent(root)
    report: bytes = Xml.tostring(root, encoding="us-ascii")
    # In a log of GitHub's ##[ is a command to the runner; as a character reference it is the same text.
    body = report.decode("ascii").replace("##[", "##&#91;")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.outcome == FAILED for case in cases)),
        "errors": str(sum(case.outcome == BROKEN for case in cases)),
    }
